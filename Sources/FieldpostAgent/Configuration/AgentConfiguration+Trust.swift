internal import MQTT
internal import OpenSSLTransport
internal import Settings

extension AgentConfiguration {
    /// Loads the certificates, keys and lists that `[broker.tls]` and those of the uplinks name, as each connection will.
    ///
    /// - Returns: what is wrong with them; nil when nothing is, when no server is reached over TLS, or when only the
    ///   service can tell (``hiddenFiles``).
    public func trustProblem() -> String? {
        brokers.lazy.compactMap { $0.broker.trustProblem(at: $0.key) }.first
    }

    /// Files of `[broker.tls]` that this user cannot see, though the service may: what is to be told of them.
    public var hiddenFiles: [String] { brokers.flatMap { $0.broker.hiddenFiles(at: $0.key) } }

    private var brokers: [(broker: Broker, key: String)] {
        [(broker, "broker.tls")]
            + uplinks.compactMap { uplink in uplink.broker.map { ($0, "uplink \"\(uplink.name)\": broker.tls") } }
    }
}

extension AgentConfiguration.Broker {
    /// As ``AgentConfiguration/trustProblem()``, of one connection.
    public func trustProblem(at key: String = "broker.tls") -> String? {
        guard servers.contains(where: \.transport.isSecure), hiddenFiles(at: key).isEmpty else { return nil }
        do {
            _ = try TLSClientContext(tls)
            return nil
        } catch {
            return "\(key): \(error)"
        }
    }

    /// As ``AgentConfiguration/hiddenFiles``, of one connection.
    public func hiddenFiles(at key: String = "broker.tls") -> [String] {
        tls.files.compactMap { path in
            SecretAccess.hidden(path).map { "\(key): \($0.message): \($0.mend)" }
        }
    }
}
