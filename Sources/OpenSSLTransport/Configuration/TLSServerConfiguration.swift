/// What a server wants of TLS. Files are read when a ``TLSServerContext`` is made of it, not before.
public struct TLSServerConfiguration: Sendable {
    /// Whether clients show certificates.
    public enum ClientCertificates: Sendable, Hashable {
        case notAsked
        /// A client may come without; one that it shows must be good.
        case optional(TrustRoots)
        case required(TrustRoots)

        var trustRoots: TrustRoots? {
            switch self {
            case .notAsked: nil
            case .optional(let roots), .required(let roots): roots
            }
        }
    }

    /// The server's own; needed unless there are pre-shared keys.
    public var certificate: TLSCertificate?
    public var clientCertificates: ClientCertificates = .notAsked
    /// Out of these the chain is completed that is shown to clients, when the certificate's file holds nothing but the
    /// certificate; nil: out of those who vouch for clients. Nobody is let in by them.
    public var chainAuthorities: TrustRoots?
    /// Lists of revoked client certificates, in PEM form. When given, the list of a client's issuer must be among them.
    public var revocationLists: PEMSource?
    public var preSharedKeys: [PreSharedKey] = []
    public var minimumVersion: TLSVersion = .v1_2
    /// ALPN (RFC 7301), the preferred first; each 1 to 255 bytes. A client that offers only others is refused; one
    /// that offers none is not.
    public var applicationProtocols: [String] = []
    /// From the start of the handshake to its end.
    public var handshakeTimeout: Duration = .seconds(10)
    /// A file to which the secrets of every connection are appended, for Wireshark. Whoever reads it reads everything.
    public var insecureKeyLogFile: String?

    /// In place of the clock, for tests: seconds since 1970.
    var verificationTime: Int?

    public init(certificate: TLSCertificate? = nil) {
        self.certificate = certificate
    }
}
