public import NIOCore

/// The users and passwords of a file that `mosquitto_passwd` wrote.
///
/// Each line is `user:$7$iterations$salt$key` or `user:$6$salt$key`; lines that begin with `#` and empty ones do not
/// count. White space around the user and around the hash does not belong to them. Of a user who stands in several
/// lines the last one counts, as with Mosquitto. Where Mosquitto leaves out a user whose line it does not understand,
/// the file is refused here, with all such lines named.
public struct PasswordFile: Sendable {
    /// The most users a file may have.
    public static let userLimit = 100_000

    /// What its owner should look at although the file can be used.
    public let warnings: [AccessFileProblem]
    // By bytes: Swift's strings are equal when they look the same, MQTT's are not.
    private let hashes: [[UInt8]: PasswordHash]
    private let decoy: PasswordHash

    /// Reads a file of at most 16 MiB. That every user of the board may read it is worth a warning.
    public init(path: String) throws(AccessFileError) {
        let file = try AccessFileText(path: path)
        try self.init(parsing: file.bytes, path: path, isPublic: file.isPublic)
    }

    /// - Parameter path: what errors call the file.
    public init(parsing bytes: [UInt8], path: String) throws(AccessFileError) {
        try self.init(parsing: bytes, path: path, isPublic: false)
    }

    private init(parsing bytes: [UInt8], path: String, isPublic: Bool) throws(AccessFileError) {
        var reader = PasswordFileReader(path: path)
        if isPublic {
            reader.findings.warning(line: nil, "every user can read the password hashes", mend: "chmod o-r \(path)")
        }
        reader.read(bytes)
        try reader.findings.check()
        warnings = reader.findings.warnings
        hashes = reader.entries.mapValues(\.hash)
        decoy = Self.decoy(like: hashes.values)
    }

    /// How many users it has.
    public var count: Int { hashes.count }

    /// Whether this is the user's password. For a user who is not in the file it takes as long as for most who are.
    ///
    /// It takes the time of the hash: for `$7$` and Mosquitto's usual 101 iterations about 0.1 ms, for 10,000,000 some
    /// seconds; so it belongs on a thread of its own.
    ///
    /// - Parameter password: nil, which is never right, when the client stated none.
    public func verify(user: String, password: ByteBuffer?) -> Bool {
        guard let password else { return false }
        let hash = hashes[Array(user.utf8)]
        return password.withUnsafeReadableBytes((hash ?? decoy).verify) && hash != nil
    }

    /// Whether a user has the same hash in another file: who knew the password then knows it now.
    func hasSameHash(of user: String, as other: PasswordFile?) -> Bool {
        let hash = hashes[Array(user.utf8)]
        return hash != nil && hash == other?.hashes[Array(user.utf8)]
    }

    /// The `$7$` hash of a password, which stands behind `user:` in the file.
    ///
    /// - Parameters:
    ///   - iterations: 1 to 10,000,000; Mosquitto's own tool takes 101.
    ///   - salt: random bytes, at least one; Mosquitto 2.0 reads hashes with 12 only.
    /// - Returns: nil if a parameter is out of its range, or OpenSSL has no SHA-512.
    public static func hash(password: [UInt8], iterations: Int, salt: [UInt8]) -> String? {
        guard PasswordHash.iterations.contains(iterations), !salt.isEmpty else { return nil }
        let method = PasswordHash.Method.pbkdf2(iterations: Int32(iterations))
        let key = password.withUnsafeBytes { PasswordHash.derive(method, password: $0, salt: salt) }
        return key.map { PasswordHash(method: method, salt: salt, key: $0).description }
    }

    /// A hash that takes the usual time.
    private static func decoy(like hashes: some Collection<PasswordHash>) -> PasswordHash {
        let counts = hashes.reduce(into: [PasswordHash.Method: Int]()) { $0[$1.method, default: 0] += 1 }
        let usual = counts.max { $0.value < $1.value }?.key ?? .pbkdf2(iterations: 101)
        let key = [UInt8](repeating: 0, count: PasswordHash.keyLength)
        return PasswordHash(method: usual, salt: [UInt8](repeating: 0, count: 12), key: key)
    }
}
