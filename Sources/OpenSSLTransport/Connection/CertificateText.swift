internal import COpenSSL

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// What certificates say, in words for people. Strangers write certificates: control characters are escaped, and long
/// things cut.
enum CertificateText {
    private static let longest = 256

    static func name(_ name: OpaquePointer?) -> String {
        // XN_FLAG_RFC2253 without ASN1_STRFLGS_ESC_MSB: readable UTF-8.
        let flags =
            UInt(ASN1_STRFLGS_ESC_2253 | ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_UTF8_CONVERT)
            | UInt(ASN1_STRFLGS_DUMP_UNKNOWN | ASN1_STRFLGS_DUMP_DER) | UInt(XN_FLAG_SEP_COMMA_PLUS)
            | UInt(XN_FLAG_DN_REV) | UInt(XN_FLAG_DUMP_UNKNOWN_FIELDS)
        guard let name, let bio = BIO_new(BIO_s_mem()) else { return "?" }
        defer { BIO_free(bio) }
        guard X509_NAME_print_ex(bio, name, 0, flags) >= 0 else { return "?" }
        var bytes: UnsafePointer<CChar>?
        let count = fieldpost_BIO_get_mem_data(bio, &bytes)
        guard count > 0, let bytes else { return "no name" }
        return printable(UnsafeRawBufferPointer(start: bytes, count: count))
    }

    /// A common name exactly as it stands, since it may serve as an identity; nil if it is longer than 256 bytes or
    /// holds what cannot be printed.
    static func commonName(_ name: OpaquePointer?) -> String? {
        guard let name else { return nil }
        let index = X509_NAME_get_index_by_NID(name, NID_commonName, -1)
        guard index >= 0, let text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)) else { return nil }
        var utf8: UnsafeMutablePointer<UInt8>?
        let count = ASN1_STRING_to_UTF8(&utf8, text)
        guard count >= 0, let utf8 else { return nil }
        defer { CRYPTO_free(utf8, nil, 0) }
        let bytes = UnsafeRawBufferPointer(start: utf8, count: Int(count))
        let exact = String(decoding: bytes, as: UTF8.self)
        return printable(bytes) == exact ? exact : nil
    }

    /// The DNS names of a certificate, or else its common name; its addresses.
    static func hosts(_ certificate: OpaquePointer) -> [String] {
        var hosts: [String] = []
        var hasNames = false
        if let names = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) {
            let names = OpaquePointer(names)
            defer { GENERAL_NAMES_free(names) }
            for index in 0..<fieldpost_sk_GENERAL_NAME_num(names) {
                guard let name = fieldpost_sk_GENERAL_NAME_value(names, index) else { continue }
                var type: Int32 = 0
                guard let value = GENERAL_NAME_get0_value(name, &type) else { continue }
                let string = value.assumingMemoryBound(to: ASN1_STRING.self)
                guard type == GEN_DNS || type == GEN_IPADD, let start = ASN1_STRING_get0_data(string) else { continue }
                let bytes = UnsafeRawBufferPointer(start: start, count: Int(ASN1_STRING_length(string)))
                if type == GEN_DNS { hasNames = true }
                hosts.append(type == GEN_DNS ? printable(bytes) : address(bytes))
            }
        }
        if !hasNames, let name = commonName(X509_get_subject_name(certificate)) { hosts.append(name) }
        return hosts
    }

    static func address(_ bytes: UnsafeRawBufferPointer) -> String {
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard bytes.count == 4 || bytes.count == 16,
            let start = inet_ntop(family, bytes.baseAddress, &text, socklen_t(text.count))
        else { return "an address of \(bytes.count) bytes" }
        return String(cString: start)
    }

    /// ISO 8601, UTC.
    static func time(_ time: UnsafePointer<ASN1_TIME>?) -> String {
        var fields = tm()
        guard let time, ASN1_TIME_to_tm(time, &fields) == 1 else { return "an unreadable time" }
        return iso8601(fields)
    }

    /// ISO 8601, UTC.
    static func time(_ time: time_t) -> String {
        var time = time
        var fields = tm()
        guard gmtime_r(&time, &fields) != nil else { return "an impossible time" }
        return iso8601(fields)
    }

    private static func iso8601(_ fields: tm) -> String {
        func padded(_ number: Int32, _ width: Int = 2) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        return "\(padded(fields.tm_year + 1900, 4))-\(padded(fields.tm_mon + 1))-\(padded(fields.tm_mday))"
            + "T\(padded(fields.tm_hour)):\(padded(fields.tm_min)):\(padded(fields.tm_sec))Z"
    }

    private static func printable(_ bytes: UnsafeRawBufferPointer) -> String {
        let text = String(decoding: bytes.prefix(longest), as: UTF8.self)
        let clean = String(
            String.UnicodeScalarView(
                text.unicodeScalars.map {
                    switch $0.properties.generalCategory {
                    case .control, .format, .lineSeparator, .paragraphSeparator: "\u{FFFD}"
                    default: $0
                    }
                }))
        return bytes.count > longest ? clean + "…" : clean
    }
}
