#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A user of the board with all groups, from the files themselves: `getpwnam` loads shared libraries, which a static
/// executable cannot rely on. So users who stand elsewhere, as in LDAP, are not found.
struct UserAccount: Sendable, Hashable {
    var user: uid_t
    var group: gid_t
    /// All groups, the one above first.
    var groups: [gid_t]

    /// The kernel takes more, but no user has them.
    private static let groupLimit = 256

    /// - Parameters:
    ///   - passwords: the text of /etc/passwd, `passwd(5)`.
    ///   - groups: the text of /etc/group, `group(5)`.
    /// - Returns: nil if there is no such user, or its line is broken.
    init?(named name: String, passwords: String, groups: String) {
        let lines = passwords.split(separator: "\n").map { $0.split(separator: ":", omittingEmptySubsequences: false) }
        guard let fields = lines.first(where: { $0.count >= 7 && $0[0] == name }),
            let user = uid_t(fields[2]), let group = gid_t(fields[3])
        else { return nil }
        self.user = user
        self.group = group
        self.groups = [group]
        for line in groups.split(separator: "\n") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count >= 4, let id = gid_t(fields[2]), !self.groups.contains(id),
                fields[3].split(separator: ",").contains(where: { $0 == name }), self.groups.count < Self.groupLimit
            else { continue }
            self.groups.append(id)
        }
    }
}
