internal import Logging
internal import MQTTServer
internal import MQTTWire
internal import OpenSSLTransport
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

extension BrokerConfiguration {
    /// A configuration file that says the same, without what is so by default.
    public var toml: [String] {
        var text = TOMLText()
        text.table("server") { writeServer(&$0) }
        text.table("server.limits") { writeLimits(&$0) }
        for listener in server.listeners { write(listener, &text) }
        if log.level != .info { text.table("log") { $0.write("level", log.level.rawValue) } }
        return text.lines
    }

    /// What it is told beside that, for which a configuration file has no key.
    public var unsaid: [String] {
        var lines: [String] = []
        if let processFile {
            lines.append("pid_file \(processFile) has no key in TOML; a service manager knows the process without it")
        }
        for path in log.files {
            lines.append(
                "log_dest file \(path) has no key in TOML; redirect standard error, or let the journal take it")
        }
        if !log.isOnStandardError {
            lines.append(
                "log_dest has no key in TOML: logs go to standard error; redirect it to /dev/null to have none")
        }
        return lines
    }

    private func writeServer(_ text: inout TOMLText) {
        let usual = ServerConfiguration()
        text.write("password_file", path: access.passwordPath)
        text.write("acl_file", path: access.accessControlPath)
        if let store = server.persistence {
            var parts = ["path = \(TOMLText.quoted(TOMLText.absolute(store.path)))"]
            if !store.survivesPowerLoss { parts.append(#"durability = "relaxed""#) }
            if store.maximumSize != ServerConfiguration.Persistence(path: "").maximumSize {
                parts.append("max_size = \(TOMLText.quoted(TOMLText.size(store.maximumSize)))")
            }
            text.lines.append("store = { \(parts.joined(separator: ", ")) }")
        }
        if server.systemInterval != usual.systemInterval { text.write("system_topics", server.systemInterval.compact) }
        text.write("response_information", server.responseInformation)
        text.write("client_id_prefix", clientPrefix)
    }

    private func writeLimits(_ text: inout TOMLText) {
        let (limits, usual) = (server.limits, ServerLimits())
        for (key, limit, _) in LimitSettings.counts where limits[keyPath: limit] != usual[keyPath: limit] {
            text.write(key, limits[keyPath: limit])
        }
        for (key, limit, _) in LimitSettings.sizes where limits[keyPath: limit] != usual[keyPath: limit] {
            text.write(key, TOMLText.size(limits[keyPath: limit]))
        }
        text.write("max_payload_size", maximumPayload.map(TOMLText.size))
        for (key, limit) in LimitSettings.switches where limits[keyPath: limit] != usual[keyPath: limit] {
            text.write(key, limits[keyPath: limit])
        }
        if limits.connectTimeout != usual.connectTimeout {
            text.write("connect_timeout", limits.connectTimeout.compact)
        }
        text.write("max_keep_alive", limits.maximumKeepAlive.map { Duration.seconds(Int64($0)).compact })
        text.write("max_session_expiry", limits.maximumSessionExpiry.map { Duration.seconds(Int64($0)).compact })
        if limits.maximumQoS != usual.maximumQoS { text.write("max_qos", Int(limits.maximumQoS.rawValue)) }
        if limits.receiveMaximum != usual.receiveMaximum { text.write("receive_maximum", Int(limits.receiveMaximum)) }
        if limits.topicAliasMaximum != usual.topicAliasMaximum {
            text.write("max_topic_aliases", Int(limits.topicAliasMaximum))
        }
        if limits.eviction != usual.eviction {
            text.write("when_full", LimitSettings.evictions.first { $0.value == limits.eviction }?.key)
        }
    }

    private func write(_ listener: Listener, _ text: inout TOMLText) {
        text.table("[listener]") { text in
            if listener.name != listener.address.description { text.write("name", listener.name) }
            switch listener.address {
            case .tcp(let host, let port):
                text.write("port", port)
                text.write("bind", host)
            case .unix(let path): text.write("unix", path: path)
            }
            switch listener.speech {
            case .mqtt: break
            case .webSocket: text.write("protocol", "websocket")
            case .both: text.write("protocol", "both")
            }
            if let paths = listenerAccess[listener.name] {
                text.write("password_file", path: paths.passwordPath)
                text.write("acl_file", path: paths.accessControlPath)
            }
            text.write("allow_anonymous", listener.allowsAnonymous)
            text.write("max_connections", listener.maximumConnections)
            text.write("max_qos", listener.maximumQoS.map { Int($0.rawValue) })
            text.write("max_packet_size", listener.maximumPacketSize.map(TOMLText.size))
            text.write("max_topic_aliases", listener.topicAliasMaximum.map { Int($0) })
            let versions = ProtocolVersion.allCases.filter(listener.versions.contains)
            if versions != ProtocolVersion.allCases {
                let texts = versions.map { $0 == .v5 ? "\"5\"" : "\"\($0)\"" }
                text.lines.append("versions = [\(texts.joined(separator: ", "))]")
            }
            if listener.backlog != Listener(address: listener.address).backlog {
                text.write("backlog", listener.backlog)
            }
        }
        guard let tls = listener.tls else { return }
        text.table("listener.tls") {
            write(tls, listener.certificateIdentity, pskFile: listenerPSKFiles[listener.name], &$0)
        }
    }

    private func write(
        _ tls: TLSServerConfiguration, _ identity: Listener.CertificateIdentity, pskFile: String?,
        _ text: inout TOMLText
    ) {
        if let certificate = tls.certificate {
            text.write("certificate_file", path: "\(certificate.chain)")
            text.write("key_file", path: "\(certificate.privateKey)")
            if case .pem(_, .file(let path)?) = certificate.privateKey { text.write("key_passphrase_file", path: path) }
        }
        let (roots, isRequired): (TrustRoots?, Bool) =
            switch tls.clientCertificates {
            case .notAsked: (nil, true)
            case .optional(let roots): (roots, false)
            case .required(let roots): (roots, true)
            }
        // Those who vouch for clients complete the chain as well.
        if tls.chainAuthorities != roots { write(tls.chainAuthorities, "chain", &text) }
        write(roots, "ca", &text)
        if !isRequired { text.write("require_certificate", false) }
        text.write("crl_file", path: tls.revocationLists?.description)
        if identity != .notUsed {
            text.write("identity", ServerTLSSettings.identities.first { $0.value == identity }?.key)
        }
        if tls.minimumVersion == .v1_3 { text.write("minimum_version", "1.3") }
        text.write("psk_file", path: pskFile)
    }

    private func write(_ authorities: TrustRoots?, _ name: String, _ text: inout TOMLText) {
        if case .folder(let path)? = authorities {
            text.write("\(name)_folder", path: path)
        } else {
            text.write("\(name)_file", path: authorities?.description)
        }
    }
}

/// TOML as it is written, line by line.
struct TOMLText {
    var lines: [String] = []

    /// A table, unless `write` has nothing to say in it; `[listener]` is one of several.
    mutating func table(_ name: String, _ write: (inout TOMLText) -> Void) {
        var inner = TOMLText()
        write(&inner)
        guard !inner.lines.isEmpty else { return }
        if !lines.isEmpty { lines.append("") }
        lines += ["[\(name)]"] + inner.lines
    }

    mutating func write(_ key: String, _ text: String?) {
        if let text { lines.append("\(key) = \(Self.quoted(text))") }
    }

    /// Relative ones would be relative to the file that this is written to.
    mutating func write(_ key: String, path: String?) { write(key, path.map(Self.absolute)) }

    static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        return "\(String(cString: folder))/\(path.hasPrefix("./") ? path.dropFirst(2) : path[...])"
    }

    mutating func write(_ key: String, _ number: Int?) {
        if let number { lines.append("\(key) = \(number)") }
    }

    mutating func write(_ key: String, _ value: Bool?) {
        if let value { lines.append("\(key) = \(value)") }
    }

    /// Exactly, other than ``ByteCount/description``.
    static func size(_ bytes: Int) -> String {
        for (unit, size) in [("MiB", 1 << 20), ("MB", 1_000_000), ("KiB", 1 << 10), ("kB", 1000)]
        where bytes > 0 && bytes.isMultiple(of: size) {
            return "\(bytes / size)\(unit)"
        }
        return "\(bytes)B"
    }

    /// With what TOML and ``SettingsReader`` would take otherwise: `${` would stand for an environment variable.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case "$": result += "$$"
            case _ where scalar.properties.generalCategory == .control:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
