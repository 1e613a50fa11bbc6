/// A certificate of one's own, with its private key.
public struct TLSCertificate: Sendable, Hashable {
    public enum PrivateKey: Sendable, Hashable {
        /// A key in PEM form, encrypted or not.
        case pem(PEMSource, passphrase: Passphrase? = nil)
        /// A key that never leaves its token.
        ///
        /// - Parameters:
        ///   - uri: names the key, `pkcs11:token=…;object=…` (RFC 7512). It is resolved by OpenSSL's provider `pkcs11` or,
        ///     where there is none, its engine `pkcs11`.
        ///   - module: the PKCS #11 library that an engine is to load; by default its own choice (p11-kit). A provider
        ///     has it in openssl.cnf.
        ///   - pin: the token's PIN, where the URI does not say it.
        case pkcs11(uri: String, module: String? = nil, pin: Passphrase? = nil)
    }

    /// The certificate, followed by the intermediate ones that lead to the root.
    public var chain: PEMSource
    public var privateKey: PrivateKey

    public init(chain: PEMSource, privateKey: PrivateKey) {
        self.chain = chain
        self.privateKey = privateKey
    }

    /// Both from files.
    public init(chainFile: String, privateKeyFile: String, passphrase: Passphrase? = nil) {
        self.init(chain: .file(chainFile), privateKey: .pem(.file(privateKeyFile), passphrase: passphrase))
    }
}

extension TLSCertificate.PrivateKey: CustomStringConvertible, CustomReflectable {
    /// Without the PIN that a URI may hold.
    public var description: String {
        switch self {
        case .pem(let source, _): "\(source)"
        case .pkcs11(let uri, _, _):
            uri.prefix { $0 != "?" }.split(separator: ";").filter { !isPIN($0) }.joined(separator: ";")
        }
    }

    /// Whether "pin-" is anywhere in it.
    private func isPIN(_ attribute: Substring) -> Bool {
        attribute.split(separator: "-", omittingEmptySubsequences: false).dropLast().contains { $0.hasSuffix("pin") }
    }

    public var customMirror: Mirror { Mirror(self, children: []) }
}
