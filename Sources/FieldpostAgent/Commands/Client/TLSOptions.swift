internal import OpenSSLTransport
internal import Settings
internal import Units

/// The TLS options of the commands that are clients, as they were written. Any of them means TLS; files are in PEM.
public struct TLSOptions: Sendable, Equatable {
    public var caFile: String?
    public var caFolder: String?
    /// Trusts what the system trusts, as is done without `caFile` and `caFolder` too.
    public var trustsSystem = false
    public var certificateFile: String?
    /// The certificate's key; or `pkcs11:…`, the URI of a key in a token.
    public var key: String?
    /// `pem`, or `engine` for a key in a token: nothing that `key` does not show.
    public var keyForm: String?
    /// `pkcs11` for a key in a token.
    public var engine: String?
    /// Its first line opens an encrypted key.
    public var passphraseFile: String?
    /// `tlsv1.2` or `tlsv1.3`: the lowest.
    public var version: String?
    public var applicationProtocol: String?
    public var pskIdentity: String?
    /// In hexadecimal.
    public var psk: String?
    public var pskFile: String?
    /// The certificate may be another host's.
    public var isInsecure = false

    public init() {}

    /// - Returns: nil when no option asks for TLS.
    func configuration() throws(InvalidText) -> TLSClientConfiguration? {
        guard self != TLSOptions() else { return nil }
        var tls = TLSClientConfiguration()
        switch (caFile, caFolder, trustsSystem) {
        case (nil, nil, _): break
        case (let file?, nil, false): tls.trustRoots = .file(file)
        case (nil, let folder?, false): tls.trustRoots = .folder(folder)
        default: throw InvalidText("--cafile, --capath and --tls-use-os-certs exclude each other", mend: "keep one")
        }
        tls.certificate = try certificate()
        tls.preSharedKey = try preSharedKey()
        switch version?.lowercased() {
        case nil: break
        case "tlsv1.2": tls.minimumVersion = .v1_2
        case "tlsv1.3": tls.minimumVersion = .v1_3
        case "tlsv1.1", "tlsv1": throw InvalidText("TLS below 1.2 is not spoken (RFC 8996)", mend: "use tlsv1.2")
        case let other?: throw InvalidText("--tls-version \(other)", mend: "it is tlsv1.2 or tlsv1.3, the lowest")
        }
        if let applicationProtocol { tls.applicationProtocols = [applicationProtocol] }
        if isInsecure { tls.verification = .withoutHostName }
        return tls
    }

    private func certificate() throws(InvalidText) -> TLSCertificate? {
        if let keyForm, keyForm != "pem", keyForm != "engine" {
            throw InvalidText("--keyform \(keyForm)", mend: "it is pem or engine")
        }
        if let engine, engine != "pkcs11" {
            throw InvalidText("--tls-engine \(engine) is not known", mend: "only pkcs11 is")
        }
        let isToken = key?.hasPrefix("pkcs11:") == true
        if keyForm == "engine" || engine != nil, !isToken {
            throw InvalidText("a key in a token is named by its URI", mend: "write --key pkcs11:…")
        }
        if keyForm == "pem", isToken { throw InvalidText("--keyform pem and a pkcs11: URI", mend: "leave it out") }
        guard let certificateFile, let key else {
            if certificateFile != nil || key != nil {
                throw InvalidText("--cert and --key go together", mend: "give both")
            }
            guard passphraseFile == nil else {
                throw InvalidText("--key-passphrase-file is for an encrypted key", mend: "give --cert and --key")
            }
            return nil
        }
        let passphrase = passphraseFile.map { Passphrase.file($0) }
        return TLSCertificate(
            chain: .file(certificateFile),
            privateKey: isToken ? .pkcs11(uri: key, pin: passphrase) : .pem(.file(key), passphrase: passphrase))
    }

    private func preSharedKey() throws(InvalidText) -> PreSharedKey? {
        let secret = try Self.secret(psk, "--psk", file: pskFile, "--psk-file")
        guard let pskIdentity, let secret else {
            if pskIdentity == nil, secret == nil { return nil }
            throw InvalidText("--psk and --psk-identity go together", mend: "give both")
        }
        if caFile != nil || caFolder != nil || certificateFile != nil {
            throw InvalidText("a pre-shared key stands in the place of certificates", mend: "keep one of them")
        }
        guard let bytes = TLSSettings.bytes(ofHexadecimal: secret) else {
            throw InvalidText("the pre-shared key is not hexadecimal", mend: "write an even number of digits, no 0x")
        }
        return PreSharedKey(identity: pskIdentity, key: bytes)
    }

    /// A secret that is given itself or as a file's only line.
    static func secret(
        _ literal: String?, _ option: String, file: String?, _ fileOption: String
    ) throws(InvalidText) -> [UInt8]? {
        guard let file else { return literal.map { Array($0.utf8) } }
        guard literal == nil else {
            throw InvalidText("\(option) and \(fileOption) exclude each other", mend: "leave one out")
        }
        let bytes = try SmallFile(path: file, limit: 65_536).bytes
        return Array(bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") })
    }
}
