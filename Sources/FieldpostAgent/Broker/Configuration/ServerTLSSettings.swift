internal import MQTTServer
internal import OpenSSLTransport
internal import Settings
internal import Units

/// `[listener.tls]`: the certificate that a listener shows, and what it asks of its clients. Files are in PEM form and
/// read again at each reload; relative ones are relative to the configuration's directory.
///
/// - `certificate_file`, `key_file`: the listener's own, with the chain; `key_passphrase_file` if the key is encrypted.
/// - `chain_file`, or `chain_folder`: authorities out of which the chain is completed, where `certificate_file` holds the
///   certificate alone.
/// - `ca_file`, or `ca_folder`: who vouches for clients; their certificates are asked for then.
/// - `require_certificate`: whether a client must show one. Default: true where `ca_file` or `ca_folder` is given.
/// - `crl_file`: lists of revoked certificates.
/// - `identity`: what of a client's certificate is its user name: "none" (default), "common-name" or "subject". It needs no
///   password then.
/// - `minimum_version`: "1.2" (default) or "1.3".
/// - `psk_file`: pre-shared keys in the place of certificates, one `identity:hexadecimal` to a line.
enum ServerTLSSettings {
    static let identities: KeyValuePairs<String, Listener.CertificateIdentity> = [
        "none": .notUsed, "common-name": .commonName, "subject": .subject,
    ]

    static func read(_ settings: SettingsReader) -> (TLSServerConfiguration, Listener.CertificateIdentity) {
        var tls = TLSServerConfiguration()
        let (certificate, key) = (settings.path("certificate_file"), settings.path("key_file"))
        let passphrase = settings.path("key_passphrase_file")
        let hasKeys = settings.has("psk_file")
        if let certificate, let key {
            tls.certificate = TLSCertificate(
                chainFile: certificate, privateKeyFile: key, passphrase: passphrase.map { .file($0) })
        } else if !hasKeys || settings.has("certificate_file") || settings.has("key_file") {
            let missing = settings.has("certificate_file") ? "key_file" : "certificate_file"
            if !settings.has(missing) {
                settings.problem(
                    at: missing, message: "is missing",
                    mend: "TLS takes a certificate_file and its key_file, or a psk_file")
            }
        }
        if let path = settings.path("psk_file") {
            do {
                tls.preSharedKeys = try PreSharedKeyFile.read(path)
            } catch {
                if settings.secrets == .needed || SecretAccess.hidden(path) == nil {
                    settings.problem(at: "psk_file", message: error.message, mend: error.mend)
                }
            }
        }
        readClients(settings, into: &tls)
        tls.minimumVersion =
            settings.choice("minimum_version", of: ["1.2": .v1_2, "1.3": .v1_3]) ?? tls.minimumVersion
        let identity = settings.choice("identity", of: identities) ?? .notUsed
        if identity != .notUsed, tls.clientCertificates == .notAsked {
            settings.problem(
                at: "identity", message: "no certificates are asked for",
                mend: "name who vouches for clients in ca_file")
        }
        return (tls, identity)
    }

    /// Certificates of authorities, in one file or in a folder.
    private static func authorities(_ settings: SettingsReader, _ name: String) -> TrustRoots? {
        let (file, folder) = (settings.path("\(name)_file"), settings.path("\(name)_folder"))
        if file != nil, folder != nil {
            settings.problem(at: "\(name)_folder", message: "stands beside \(name)_file", mend: "keep one of them")
        }
        return file.map { .file($0) } ?? folder.map { .folder($0) }
    }

    private static func readClients(_ settings: SettingsReader, into tls: inout TLSServerConfiguration) {
        tls.chainAuthorities = authorities(settings, "chain")
        let isRequired = settings.boolean("require_certificate")
        if let roots = authorities(settings, "ca") {
            tls.clientCertificates = isRequired ?? true ? .required(roots) : .optional(roots)
        } else if isRequired == true {
            settings.problem(
                at: "require_certificate", message: "nobody is named who vouches for clients", mend: "write a ca_file")
        }
        if let list = settings.path("crl_file") {
            tls.revocationLists = .file(list)
            if tls.clientCertificates == .notAsked {
                settings.problem(
                    at: "crl_file", message: "stands without a ca_file", mend: "name who vouches for clients")
            }
        }
    }
}
