internal import COpenSSL

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

extension ContextHandle {
    /// Takes up a certificate of our own.
    ///
    /// - Returns: the leaf's SHA-256 fingerprint.
    func use(_ certificate: TLSCertificate) throws(TLSError) -> String {
        ErrorQueue.clear()
        let context = pointer
        var fingerprint: String?
        let count = try Self.forEachCertificate(in: certificate.chain) { pointer in
            guard fingerprint != nil else {
                fingerprint = TLSPeerCertificate.fingerprint(of: pointer)
                return SSL_CTX_use_certificate(context, pointer) == 1
            }
            return fieldpost_SSL_CTX_add1_chain_cert(context, pointer) == 1
        }
        guard count > 0, let fingerprint else {
            throw TLSError(.malformedFile, "\(certificate.chain) holds no certificate in PEM form")
        }
        let key =
            switch certificate.privateKey {
            case .pem(let source, let passphrase): try PrivateKey(reading: source, passphrase)
            case .pkcs11(let uri, let module, let pin):
                try PrivateKey(uri: uri, name: "\(certificate.privateKey)", module: module, pin: pin)
            }
        guard let leaf = SSL_CTX_get0_certificate(context), X509_check_private_key(leaf, key.pointer) == 1 else {
            ErrorQueue.clear()
            throw TLSError(
                .keyMismatch,
                "\(certificate.privateKey): the key does not belong to the certificate of \(certificate.chain)")
        }
        guard SSL_CTX_use_PrivateKey(context, key.pointer) == 1 else { throw .openSSL("SSL_CTX_use_PrivateKey") }
        return fingerprint
    }
}

/// A private key, or the handle of one in a token.
private struct PrivateKey: ~Copyable {
    let pointer: OpaquePointer

    init(reading source: PEMSource, _ passphrase: Passphrase?) throws(TLSError) {
        let input = try InputBIO(source)
        let answer = PassphraseAnswer(try passphrase?.read())
        defer { withExtendedLifetime(answer) {} }
        guard let key = PEM_read_bio_PrivateKey(input.pointer, nil, giveAnswer, answer.pointer) else {
            let errors = ErrorQueue()
            if answer.asked {
                guard let passphrase else {
                    throw TLSError(.passphrase, "\(source): the key is encrypted, and there is no passphrase for it")
                }
                throw TLSError(.passphrase, "\(source): the passphrase, \(passphrase), does not open it")
            }
            throw TLSError(
                .malformedFile,
                errors.contains(ERR_LIB_PEM, PEM_R_NO_START_LINE)
                    || errors.contains(ERR_LIB_OSSL_DECODER, Int32(ERR_R_UNSUPPORTED))
                    ? "\(source) holds no private key in PEM form"
                    : "\(source): the private key is damaged: \(errors.description)")
        }
        pointer = key
    }

    init(uri: String, name: String, module: String?, pin: Passphrase?) throws(TLSError) {
        let answer = PassphraseAnswer(try pin?.read())
        defer { withExtendedLifetime(answer) {} }
        if let key = try Self.fromStore(uri, name, answer) {
            pointer = key
            return
        }
        var hasEngine: Int32 = 0
        // The engine wants text.
        let pin = answer.bytes.map { $0.map(CChar.init(bitPattern:)) + [0] }
        guard let key = fieldpost_engine_private_key(uri, module, pin, &hasEngine) else {
            let errors = ErrorQueue()
            throw TLSError(
                .token,
                hasEngine == 1
                    ? "\(name): the token does not give this key: \(errors.description)"
                    : "\(name): OpenSSL has neither a provider nor an engine “pkcs11” here; install libengine-pkcs11-openssl or pkcs11-provider (a static binary can load neither)"
            )
        }
        ErrorQueue.clear()
        pointer = key
    }

    /// Looked for once. This is what openssl.cnf is needed for: it tells the provider where the token's library is.
    private static let hasProvider: Bool = {
        CONF_modules_load_file(nil, nil, UInt(CONF_MFLAGS_DEFAULT_SECTION | CONF_MFLAGS_IGNORE_MISSING_FILE))
        defer { ErrorQueue.clear() }
        // The other ones are to come by themselves as before.
        return OSSL_PROVIDER_available(nil, "pkcs11") == 1 || OSSL_PROVIDER_try_load(nil, "pkcs11", 1) != nil
    }()

    /// Asks the provider "pkcs11".
    ///
    /// - Returns: nil if there is none.
    private static func fromStore(
        _ uri: String, _ name: String, _ answer: PassphraseAnswer
    ) throws(TLSError) -> OpaquePointer? {
        guard hasProvider else { return nil }
        guard let method = UI_UTIL_wrap_read_pem_callback(giveAnswer, 0) else {
            throw .openSSL("UI_UTIL_wrap_read_pem_callback")
        }
        defer { UI_destroy_method(method) }
        guard let store = OSSL_STORE_open(uri, method, answer.pointer, nil, nil) else {
            throw TLSError(.token, "\(name): the token cannot be opened: \(ErrorQueue().description)")
        }
        defer { OSSL_STORE_close(store) }
        _ = OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY)
        while OSSL_STORE_eof(store) == 0, OSSL_STORE_error(store) == 0 {
            guard let object = OSSL_STORE_load(store) else { continue }
            defer { OSSL_STORE_INFO_free(object) }
            if let key = OSSL_STORE_INFO_get1_PKEY(object) { return key }
        }
        throw TLSError(.token, "\(name): the token does not give this key: \(ErrorQueue().description)")
    }

    deinit { EVP_PKEY_free(pointer) }
}

/// What `giveAnswer` says, and whether it was asked.
private final class PassphraseAnswer {
    let bytes: [UInt8]?
    var asked = false

    init(_ bytes: [UInt8]?) { self.bytes = bytes }

    /// For as long as this value is there.
    var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }
}

private func giveAnswer(
    buffer: UnsafeMutablePointer<CChar>?, size: Int32, isWriting: Int32, data: UnsafeMutableRawPointer?
) -> Int32 {
    guard let data else { return -1 }
    let answer = Unmanaged<PassphraseAnswer>.fromOpaque(data).takeUnretainedValue()
    answer.asked = true
    guard let buffer, let bytes = answer.bytes, bytes.count <= size else { return -1 }
    for (index, byte) in bytes.enumerated() { buffer[index] = CChar(bitPattern: byte) }
    return Int32(bytes.count)
}
