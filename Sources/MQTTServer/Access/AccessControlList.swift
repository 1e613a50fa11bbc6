/// Who may publish and receive what, from a file in the format of Mosquitto's `acl_file` and with its meaning, see
/// mosquitto.conf(5).
///
///     topic read weather/#            # for clients without a user name
///
///     user bin-0427
///     topic readwrite park/bins/#
///     topic deny park/bins/secret
///
///     pattern write sensor/%u/data    # for everyone: %u is the user name, %c the client identifier
///
/// (A real file has no comments behind its lines.) What is not granted is denied. In a section `deny` comes before all
/// that grants; the section of the user comes before the patterns. A user without a section has the patterns only, not
/// what anonymous clients have. Where there are patterns, they grant nothing to clients in whose identifier or user
/// name there is a `+` or `#`.
public struct AccessControlList: Sendable {
    /// The most `topic` and `pattern` lines that a file may have.
    public static let ruleLimit = 100_000

    /// What its owner should look at although the file can be used.
    public let warnings: [AccessFileProblem]
    private let anonymous: AccessRuleSet
    // By bytes: Swift's strings are equal when they look the same, MQTT's are not.
    private let users: [[UInt8]: AccessRuleSet]
    private let patterns: [AccessPattern]

    /// Reads a file of at most 16 MiB.
    public init(path: String) throws(AccessFileError) {
        try self.init(parsing: try AccessFileText(path: path).bytes, path: path)
    }

    /// - Parameter path: what errors call the file.
    public init(parsing bytes: [UInt8], path: String) throws(AccessFileError) {
        var reader = AccessControlListReader(path: path)
        reader.read(bytes)
        try reader.findings.check()
        (warnings, anonymous, users, patterns) =
            (reader.findings.warnings, reader.anonymous, reader.users, reader.patterns)
    }

    /// What a client may do. To be asked once for a connection, and again when the file was read again.
    ///
    /// - Parameters:
    ///   - clientIdentifier: as the client gave it or the server assigned it.
    ///   - username: nil for anonymous clients.
    public func permissions(clientIdentifier: String, username: String?) -> ClientPermissions {
        let own = username.map { users[Array($0.utf8)] ?? AccessRuleSet() } ?? anonymous
        let names = [clientIdentifier] + (username.map { [$0] } ?? [])
        // A client that calls itself `#` would own everyone's topics.
        let isDangerous = names.contains { $0.utf8.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") } }
        var rules = AccessRuleSet()
        do {
            for pattern in isDangerous ? [] : patterns {
                let filter = try pattern.filter(clientIdentifier: clientIdentifier, username: username)
                if let filter { rules.add(filter, pattern.access) }
            }
        } catch {
            // Nobody is to get around a `deny` with a name so long that the filter is none any more.
            rules = AccessRuleSet()
        }
        return ClientPermissions(own: own, patterns: rules)
    }
}
