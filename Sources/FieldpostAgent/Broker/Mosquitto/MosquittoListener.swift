internal import MQTTServer
internal import MQTTWire
internal import NIOCore
internal import OpenSSLTransport
internal import Units

/// What a mosquitto.conf says of one listener.
struct MosquittoListener {
    /// Where its beginning stands, for what is wrong with it as a whole.
    var file: String
    var line: Int
    var port = 1883
    var host: String?
    var unix: String?
    var interface: String?
    var isIPv4Only = false
    var isIPv6Only = false
    var isWebSocket = false
    var cafile: String?
    var capath: String?
    var certfile: String?
    var keyfile: String?
    var crlfile: String?
    var requiresCertificate = false
    var usesIdentity = false
    var usesSubject = false
    var pskHint: String?
    var minimumVersion = TLSVersion.v1_2
    var maximumConnections: Int?
    var maximumQoS: QoS?
    var topicAliases: UInt16 = 10
    var versions = Set(ProtocolVersion.allCases)
    var security = Security()

    /// What is one for all listeners, or one for each with per_listener_settings.
    struct Security: Hashable {
        var passwords: String?
        var rules: String?
        var preSharedKeys: String?
        var allowsAnonymous: Bool?
    }

    /// - Throws: what cannot be.
    func addresses() throws(InvalidText) -> [Listener.Address] {
        if let unix { return [.unix(path: unix)] }
        if let interface {
            let devices = (try? System.enumerateDevices()) ?? []
            let found = devices.filter { $0.name == interface }.compactMap { $0.address?.ipAddress }
                .filter { isIPv4Only ? !$0.contains(":") : isIPv6Only ? $0.contains(":") : true }
            if found.isEmpty {
                throw InvalidText("\"\(interface)\" has no address now", mend: "name an address behind the port")
            }
            return found.map { .tcp(host: $0, port: port) }
        }
        if let host { return [.tcp(host: host, port: port)] }
        if isIPv4Only { return [.tcp(host: "0.0.0.0", port: port)] }
        if isIPv6Only { return [.tcp(host: "::", port: port)] }
        return [.everywhere(port: port)]
    }

    var certificateIdentity: Listener.CertificateIdentity {
        requiresCertificate ? usesIdentity ? .commonName : usesSubject ? .subject : .notUsed : .notUsed
    }

    /// - Parameter preSharedKeys: the file, which may be all listeners'.
    /// - Returns: nil for a listener in the clear.
    /// - Throws: what cannot be.
    func tls(preSharedKeys: String?) throws(InvalidText) -> TLSServerConfiguration? {
        var tls = TLSServerConfiguration()
        tls.minimumVersion = minimumVersion
        if pskHint != nil {
            if certfile != nil {
                throw InvalidText("psk_hint stands beside certfile", mend: "make two listeners of it")
            }
            if usesIdentity {
                throw InvalidText(
                    "use_identity_as_username: the identity of a pre-shared key cannot be a user's name here",
                    mend: "give the clients passwords, or certificates")
            }
            guard let preSharedKeys else {
                throw InvalidText("psk_hint stands without a psk_file", mend: "name the file with the keys")
            }
            tls.preSharedKeys = try PreSharedKeyFile.read(preSharedKeys)
            return tls
        }
        guard let certfile, let keyfile else {
            if certfile != nil || keyfile != nil {
                throw InvalidText(
                    "has a \(certfile == nil ? "keyfile" : "certfile") only", mend: "certfile and keyfile go together")
            }
            if cafile != nil || capath != nil || requiresCertificate || crlfile != nil {
                throw InvalidText(
                    "asks for certificates of clients, and has none of its own", mend: "name its certfile and keyfile")
            }
            return nil
        }
        tls.certificate = TLSCertificate(chainFile: certfile, privateKeyFile: keyfile)
        if usesIdentity || usesSubject, !requiresCertificate {
            throw InvalidText(
                "use_\(usesIdentity ? "identity" : "subject")_as_username: certificates are not asked for, so that Mosquitto refuses everybody",
                mend: "write require_certificate true")
        }
        let authorities = cafile.map { TrustRoots.file($0) } ?? capath.map { .folder($0) }
        tls.chainAuthorities = authorities
        if requiresCertificate {
            guard let roots = authorities else {
                throw InvalidText("require_certificate: nobody vouches for clients", mend: "name a cafile or a capath")
            }
            tls.clientCertificates = .required(roots)
            tls.revocationLists = crlfile.map { .file($0) }
        }
        return tls
    }
}
