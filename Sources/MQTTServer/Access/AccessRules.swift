/// Who may come in, and what they may publish and receive.
public struct AccessRules: Sendable {
    /// Nil: nobody is asked for a password.
    public var passwords: PasswordFile?
    /// Nil: everyone may do everything.
    public var acl: AccessControlList?

    public init(passwords: PasswordFile? = nil, acl: AccessControlList? = nil) {
        self.passwords = passwords
        self.acl = acl
    }

    /// What the owner of the files should look at although they can be used.
    public var warnings: [AccessFileProblem] { (passwords?.warnings ?? []) + (acl?.warnings ?? []) }

    /// What a client may do. To be asked once for a connection, and again when the rules have changed.
    public func permissions(clientIdentifier: String, username: String?) -> ClientPermissions {
        acl?.permissions(clientIdentifier: clientIdentifier, username: username) ?? .unrestricted
    }
}
