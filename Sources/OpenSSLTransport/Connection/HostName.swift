internal import COpenSSL

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A server's DNS name, or its IP address.
struct HostName {
    /// Without the dot that may end a name, the brackets of an address or its zone.
    let text: String
    let isAddress: Bool

    /// - Throws: ``TLSError/Code/invalidSetting`` for what OpenSSL would take for no name or for more than one.
    init(_ host: String) throws(TLSError) {
        var text = host[...]
        if text.hasPrefix("["), text.hasSuffix("]") { text = text.dropFirst().dropLast() }
        let address = String(text.prefix { $0 != "%" })
        var bytes = in6_addr()
        isAddress = inet_pton(AF_INET, address, &bytes) == 1 || inet_pton(AF_INET6, address, &bytes) == 1
        if isAddress {
            self.text = address
            return
        }
        if text.hasSuffix(".") { text = text.dropLast() }
        let isName =
            !text.isEmpty && !text.hasPrefix(".") && text.utf8.count <= 253
            && text.utf8.allSatisfy { (0x21..<0x7F).contains($0) }
        guard isName else {
            throw TLSError(
                .invalidSetting, "“\(host)” is neither a host's name in ASCII (xn--… for others) nor an IP address")
        }
        self.text = String(text)
    }

    /// Makes the name part of the verification.
    func expect(of ssl: OpaquePointer) throws(TLSError) {
        let parameters = SSL_get0_param(ssl)
        let done =
            isAddress
            ? X509_VERIFY_PARAM_set1_ip_asc(parameters, text)
            : X509_VERIFY_PARAM_set1_host(parameters, text, text.utf8.count)
        guard done == 1 else { throw .openSSL("X509_VERIFY_PARAM_set1_host") }
    }
}
