/// The certificates that a peer's chain may end with.
///
/// Whatever is named here explicitly is trusted as it stands: an intermediate authority, or the peer's own certificate,
/// need not have its root beside it.
public enum TrustRoots: Sendable, Hashable {
    /// What this system trusts: OpenSSL's default folder and file (the environment's `SSL_CERT_DIR` and `SSL_CERT_FILE`
    /// in their place), or else what other distributions have.
    case system
    /// Certificates in PEM form.
    case pem(PEMSource)
    /// A folder of certificates: named by hash, as `openssl rehash` does it, they are read when they are needed;
    /// otherwise every `.pem`, `.crt` and `.cer` is read.
    case folder(String)

    /// A file of certificates in PEM form.
    public static func file(_ path: String) -> TrustRoots { .pem(.file(path)) }
}

extension TrustRoots: CustomStringConvertible {
    public var description: String {
        switch self {
        case .system: "the system's trust store"
        case .pem(let source): "\(source)"
        case .folder(let path): path
        }
    }
}
