internal import MQTT
internal import OpenSSLTransport

extension AgentConfiguration {
    /// Loads the certificates, keys and lists that `[broker.tls]` names, as each connection will.
    ///
    /// - Returns: what is wrong with them; nil when nothing is, or no server is reached over TLS.
    public func trustProblem() -> String? {
        guard broker.servers.contains(where: \.transport.isSecure) else { return nil }
        do {
            _ = try TLSClientContext(broker.tls)
            return nil
        } catch {
            return "broker.tls: \(error)"
        }
    }
}
