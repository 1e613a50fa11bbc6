internal import Logging
internal import MQTTWire
internal import NIOCore

extension MQTTServer {
    /// Reads certificates and keys anew, and takes passwords and access rules from a configuration: its own, and those of
    /// its listeners by their names. Everything else stays as it was at the start.
    ///
    /// New connections meet the new certificates and passwords; access rules count for clients that are connected, too.
    /// Those who were connected without any rules have to come again when there are some now.
    ///
    /// - Parameter new: nil: the server's own, for its files.
    /// - Throws: ``ServerError``; then nothing has changed.
    public func reload(_ new: ServerConfiguration? = nil) async throws {
        try checkRunning()
        let new = new ?? configuration
        let listeners = doors.map { door in new.listeners.first { $0.name == door.name } ?? door.listener }
        let contexts = try await Self.contexts(listeners)
        try checkRunning()
        for (index, listener) in listeners.enumerated() {
            doors[index].update(listener, access: new.access, secure: contexts[index])
        }
        applyRules()
        logger.notice("certificates, passwords and access rules are read anew")
    }

    private func applyRules() {
        let now = NIODeadline.now()
        for case .remote(let connection) in connections.all where connection.phase == .up {
            guard let client = broker.connection(connection.id)?.information else { continue }
            let access = connection.door.access
            if let policy = connection.policy {
                policy.update(access.permissions(clientIdentifier: client.identifier, username: client.username))
            } else if access.acl != nil {
                _ = broker.disconnect(client.identifier, .administrativeAction, at: now)
            }
        }
        // They know who may receive what.
        broker.routes.removeAll()
        drain(at: now)
    }
}
