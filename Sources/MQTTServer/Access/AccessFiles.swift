/// Where ``AccessRules`` come from.
public struct AccessFiles: Sendable, Hashable {
    /// Of a ``PasswordFile``; nil: nobody is asked for a password.
    public var passwordPath: String?
    /// Of an ``AccessControlList``; nil: everyone may do everything.
    public var accessControlPath: String?

    public init(passwordPath: String? = nil, accessControlPath: String? = nil) {
        self.passwordPath = passwordPath
        self.accessControlPath = accessControlPath
    }

    /// Reads the files, at the start and whenever they have changed. Who gets an error goes on with the rules that
    /// are in force.
    ///
    /// - Throws: what is wrong in both files.
    public func load() throws(AccessFileError) -> AccessRules {
        var rules = AccessRules()
        var failure = AccessFileError(problems: [])
        do { rules.passwords = try passwordPath.map(PasswordFile.init(path:)) } catch { failure.add(error) }
        do { rules.acl = try accessControlPath.map(AccessControlList.init(path:)) } catch { failure.add(error) }
        if !failure.problems.isEmpty { throw failure }
        return rules
    }
}

extension AccessFileError {
    fileprivate mutating func add(_ other: AccessFileError) {
        problems += other.problems
        omitted += other.omitted
    }
}
