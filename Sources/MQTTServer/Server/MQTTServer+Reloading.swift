internal import Logging
internal import MQTTWire
internal import NIOCore

extension MQTTServer {
    /// Reads certificates and keys anew, and takes passwords and access rules from a configuration: its own, and those of
    /// its listeners by their names. Everything else stays as it was at the start.
    ///
    /// New connections meet the new certificates. Access rules count for clients that are connected, too; those who were
    /// connected without any have to come again when there are some now. So do those whose password is not the file's any
    /// more, and anonymous ones where they are not wanted any more.
    ///
    /// - Parameter new: nil: the server's own, for its files.
    /// - Throws: ``ServerError``; then nothing has changed.
    public func reload(_ new: ServerConfiguration? = nil) async throws {
        try checkRunning()
        let new = new ?? configuration
        let listeners = doors.map { door in new.listeners.first { $0.name == door.name } ?? door.listener }
        let contexts = try await Self.contexts(listeners)
        try checkRunning()
        var passwordsBefore: [PasswordFile?] = []
        for (index, listener) in listeners.enumerated() {
            let passwords = doors[index].access.passwords
            doors[index].update(listener, access: new.access, secure: contexts[index])
            passwordsBefore.append(passwords)
        }
        for (door, passwords) in zip(doors, passwordsBefore) { dismissStrangers(at: door, before: passwords) }
        applyRules()
        logger.debug("certificates, passwords and access rules are read anew")
    }

    /// Ends connections that would not be let in as they were.
    ///
    /// - Parameter before: what they were measured by.
    private func dismissStrangers(at door: Door, before: PasswordFile?) {
        for case .remote(let connection) in connections.all where connection.phase == .up && connection.door === door {
            let username = broker.connection(connection.id)?.information.username
            let isWelcome =
                switch (connection.admission, username, door.access.passwords) {
                case (.other, _, _): true
                case (.password, let username?, let passwords?): passwords.hasSameHash(of: username, as: before)
                // A name that nobody has asked a password for.
                case (.anonymous, .some, _) where areNamesProven: false
                default: door.isAnonymousAllowed
                }
            if !isWelcome {
                broker.refuse(.notAuthorized, "passwords were read anew", on: connection.id, at: .now())
            }
        }
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
        broker.forgetRoutes()
        drain(at: now)
    }
}
