internal import COpenSSL

/// A version of the protocol. Older ones are not spoken (RFC 8996).
public enum TLSVersion: Sendable, Hashable, Comparable {
    /// RFC 5246
    case v1_2
    /// RFC 8446
    case v1_3

    /// OpenSSL's number, which is the one on the wire.
    var number: Int32 {
        switch self {
        case .v1_2: TLS1_2_VERSION
        case .v1_3: TLS1_3_VERSION
        }
    }
}

extension TLSVersion: CustomStringConvertible {
    public var description: String {
        switch self {
        case .v1_2: "TLS 1.2"
        case .v1_3: "TLS 1.3"
        }
    }
}
