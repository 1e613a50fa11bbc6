internal import MQTT
internal import OpenSSLTransport
internal import Settings

extension AgentConfiguration {
    /// Loads the certificates, keys and lists that `[broker.tls]` names, as each connection will.
    ///
    /// - Returns: what is wrong with them; nil when nothing is, when no server is reached over TLS, or when only the
    ///   service can tell (``hiddenFiles``).
    public func trustProblem() -> String? {
        guard broker.servers.contains(where: \.transport.isSecure), hiddenFiles.isEmpty else { return nil }
        do {
            _ = try TLSClientContext(broker.tls)
            return nil
        } catch {
            return "broker.tls: \(error)"
        }
    }

    /// Files of `[broker.tls]` that this user cannot see, though the service may: what is to be told of them.
    public var hiddenFiles: [String] {
        broker.tls.files.compactMap { path in
            SecretAccess.hidden(path).map { "broker.tls: \($0.message): \($0.mend)" }
        }
    }
}
