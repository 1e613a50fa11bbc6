internal import COpenSSL

/// Who the peer is, as far as its certificate says.
public struct TLSPeerCertificate: Sendable, Hashable {
    /// The distinguished name as RFC 2253 writes it: `CN=bin-0427,O=Parks`.
    public let subject: String
    /// The subject's common name, where it has one.
    public let commonName: String?
    /// SHA-256 of the certificate: 64 hexadecimal digits.
    public let fingerprint: String

    init(_ certificate: OpaquePointer) {
        let name = X509_get_subject_name(certificate)
        subject = CertificateText.name(name)
        commonName = CertificateText.commonName(name)
        fingerprint = Self.fingerprint(of: certificate)
    }

    static func fingerprint(of certificate: OpaquePointer) -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        var count: UInt32 = 0
        guard X509_digest(certificate, EVP_sha256(), &digest, &count) == 1 else { return "" }
        return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
