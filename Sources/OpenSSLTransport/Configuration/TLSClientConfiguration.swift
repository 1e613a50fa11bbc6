/// What a client wants of TLS. Files are read when a ``TLSClientContext`` is made of it, not before.
///
/// ```swift
/// var configuration = TLSClientConfiguration(trustRoots: .file("ca.pem"))
/// configuration.certificate = TLSCertificate(chainFile: "bin-0427.crt", privateKeyFile: "bin-0427.key")
/// ```
public struct TLSClientConfiguration: Sendable {
    public var trustRoots: TrustRoots
    public var verification: Verification = .full
    /// Lists of revoked certificates, in PEM form. When given, the list of the server's issuer must be among them; of
    /// intermediate authorities those that are here count.
    public var revocationLists: PEMSource?
    public var minimumVersion: TLSVersion = .v1_2
    /// Shown to a server that asks for it.
    public var certificate: TLSCertificate?
    /// Used in place of certificates. Under TLS 1.3 a server that does not know the identity may show a certificate
    /// all the same, which is then verified like any other.
    public var preSharedKey: PreSharedKey?
    /// ALPN (RFC 7301), the preferred first; each 1 to 255 bytes.
    public var applicationProtocols: [String] = []
    /// From the start of the handshake to its end.
    public var handshakeTimeout: Duration = .seconds(10)
    /// Where sessions are kept for the next connection. Share it between the contexts of one client.
    public var sessionCache: TLSSessionCache?
    /// A file to which the secrets of every connection are appended, for Wireshark. Whoever reads it reads everything.
    public var insecureKeyLogFile: String?

    /// In place of the clock, for tests: seconds since 1970.
    var verificationTime: Int?

    public init(trustRoots: TrustRoots = .system) {
        self.trustRoots = trustRoots
    }
}
