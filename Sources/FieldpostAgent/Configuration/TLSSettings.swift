internal import OpenSSLTransport
internal import Settings
internal import Units

/// `[broker.tls]`: how servers whose URL begins with `mqtts://` are reached. Without it their certificates are verified
/// against the system's trust store. Files are read anew for each connection; relative ones are relative to the
/// configuration's directory.
///
/// - `ca_file`, or `ca_folder`: whom to trust, in the place of the system's store; a folder as `openssl rehash` makes it.
/// - `crl_file`: lists of revoked certificates.
/// - `certificate_file`, `key_file`: the board's own certificate with its chain, and its private key (PEM);
///   `key_passphrase_file` if the key is encrypted. A key in a token is named by its URI, `key_file = "pkcs11:…"`
///   (RFC 7512): OpenSSL then needs its provider or engine `pkcs11`, `pkcs11_module` names the token's library if the
///   engine does not know it, and `key_passphrase_file` holds the PIN. A static binary can load neither.
/// - `minimum_version`: "1.2" (default) or "1.3".
/// - `alpn`: names of application protocols to offer.
/// - `psk_identity`, `psk` or `psk_file`: a pre-shared key in hexadecimal, in the place of certificates.
/// - `verify`: "full" (default): chain, and host name or address; "without-host-name": the chain alone;
///   "insecure-nothing": nobody is verified, and the connection protects from nobody who can reach it.
enum TLSSettings {
    static func read(_ settings: SettingsReader) -> TLSClientConfiguration {
        var tls = TLSClientConfiguration()
        let (file, folder) = (settings.path("ca_file"), settings.path("ca_folder"))
        if file != nil, folder != nil {
            settings.problem(at: "ca_folder", message: "stands beside ca_file", mend: "keep one of them")
        }
        if let folder { tls.trustRoots = .folder(folder) }
        if let file { tls.trustRoots = .file(file) }
        if let list = settings.path("crl_file") { tls.revocationLists = .file(list) }

        let token = settings.string("key_file").flatMap { $0.hasPrefix("pkcs11:") ? $0 : nil }
        let (certificate, key) = (settings.path("certificate_file"), token ?? settings.path("key_file"))
        let passphrase = settings.path("key_passphrase_file")
        let module = settings.path("pkcs11_module")
        if module != nil, token == nil {
            settings.problem(
                at: "pkcs11_module", message: "stands without a key in a token",
                mend: "name the key by its URI: key_file = \"pkcs11:…\"")
        }
        if let certificate, let token {
            tls.certificate = TLSCertificate(
                chain: .file(certificate),
                privateKey: .pkcs11(uri: token, module: module, pin: passphrase.map { .file($0) }))
        } else if let certificate, let key {
            tls.certificate = TLSCertificate(
                chainFile: certificate, privateKeyFile: key, passphrase: passphrase.map { .file($0) })
        } else if certificate != nil || key != nil {
            let missing = certificate == nil ? "certificate_file" : "key_file"
            settings.problem(
                at: certificate == nil ? "key_file" : "certificate_file", message: "stands without a \(missing)",
                mend: "a certificate and its key go together")
        } else if passphrase != nil {
            settings.problem(at: "key_passphrase_file", message: "stands without a key_file", mend: "remove it")
        }

        tls.minimumVersion =
            settings.choice("minimum_version", of: ["1.2": .v1_2, "1.3": .v1_3]) ?? tls.minimumVersion
        tls.applicationProtocols = settings.strings("alpn") ?? []
        tls.verification =
            settings.choice(
                "verify",
                of: ["full": .full, "without-host-name": .withoutHostName, "insecure-nothing": .insecureNothing])
            ?? tls.verification
        if tls.verification == .insecureNothing {
            settings.warning(
                at: "verify", message: "whoever sits between the board and the broker can read and change everything",
                mend: "name the broker's CA in ca_file, and verify")
        }

        let identity = settings.string("psk_identity")
        let secret = settings.secret("psk")
        if let identity, let secret {
            if let bytes = bytes(ofHexadecimal: secret.bytes) {
                tls.preSharedKey = PreSharedKey(identity: identity, key: bytes)
            } else {
                settings.problem(
                    at: settings.has("psk") ? "psk" : "psk_file", message: "is not hexadecimal",
                    mend: "write it with an even number of the digits 0 to 9 and a to f")
            }
        } else if identity != nil || secret != nil {
            settings.problem(
                at: identity != nil ? "psk_identity" : settings.has("psk") ? "psk" : "psk_file",
                message: "stands alone", mend: "psk_identity and psk (or psk_file) go together")
        }
        return tls
    }

    static func bytes(ofHexadecimal text: [UInt8]) -> [UInt8]? {
        guard !text.isEmpty, text.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: text.count, by: 2) {
            guard let high = Character(UnicodeScalar(text[index])).hexDigitValue,
                let low = Character(UnicodeScalar(text[index + 1])).hexDigitValue
            else { return nil }
            bytes.append(UInt8(high << 4 | low))
        }
        return bytes
    }
}
