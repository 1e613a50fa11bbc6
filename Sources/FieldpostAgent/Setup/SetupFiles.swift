internal import Settings
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The configuration's file and the password's beside it: both written completely or not at all.
struct SetupFiles: Sendable {
    /// The configuration.
    let file: String
    /// Where it stands: what ``file`` leads to if it is a symbolic link, which stays one.
    let target: String
    private let accounts: Accounts

    /// Held while files are written, so that nothing is left half done by somebody who ends the program.
    static let writing = Mutex(())

    /// A line with this text marks the package's example, which may be replaced without asking.
    static let exampleMark = "# fieldpost setup replaces this example."

    init(file: String, accounts: Accounts = .ofThisMachine) {
        self.file = file
        self.accounts = accounts
        target = Self.target(of: file)
    }

    /// Also of a link that leads to nothing yet.
    private static func target(of path: String) -> String {
        var path = path
        // As many as Linux follows (path_resolution(7)).
        for _ in 0..<40 {
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
            let count = readlink(path, &buffer, buffer.count)
            guard count > 0 else { break }
            let link = buffer.withUnsafeBytes { String(decoding: $0.prefix(count), as: UTF8.self) }
            path = link.hasPrefix("/") ? link : "\(folder(of: path))/\(link)"
        }
        return path
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    /// Without a slash at its end.
    var folder: String { Self.folder(of: file) }
    private var targetFolder: String { Self.folder(of: target) }

    private var name: Substring { file.lastIndex(of: "/").map { file[file.index(after: $0)...] } ?? file[...] }

    /// The password's file, as the configuration names it: it is looked for beside the configuration.
    var passwordName: String { "\(name.hasSuffix(".toml") ? name.dropLast(5) : name).password" }
    var passwordFile: String { "\(folder)/\(passwordName)" }
    var backup: String { "\(target).bak" }

    enum Present: Sendable, Hashable {
        case nothing
        /// The package's, as it came.
        case example
        case configuration
    }

    var present: Present {
        guard let bytes = try? SmallFile(path: file, limit: 1 << 20).bytes else {
            return access(file, F_OK) == 0 ? .configuration : .nothing
        }
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        return lines.contains { $0.starts(with: Self.exampleMark.utf8) } ? .example : .configuration
    }

    /// - Throws: ``SetupError`` if nothing could be written there.
    func prepare() throws(SetupError) {
        var status = stat()
        if stat(file, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw SetupError(.inputOutput, "\(file) is no regular file; name another with --config")
        }
        // The folder itself is made when it is needed, if its own is there.
        let place = access(folder, F_OK) == 0 ? folder : Self.folder(of: folder)
        for (place, folder) in [(place, folder), (target == file ? place : targetFolder, targetFolder)] {
            guard access(place, F_OK) == 0, access(place, W_OK) == 0 else {
                throw SetupError(
                    .inputOutput,
                    "\(folder): \(String(cString: strerror(errno))); be a user who may write there, or name another file with --config"
                )
            }
        }
    }

    /// Writes both, checked beforehand. What was there of a configuration stays as `.bak`.
    ///
    /// - Parameter text: makes the configuration's text with the password's file in it.
    /// - Throws: ``SetupError``; then everything is as it was.
    func write(password: Secret?, text: (_ passwordFile: String) -> [String]) throws(SetupError) {
        do {
            try Self.writing.withLock { _ in try writeAll(password, text) }
        } catch let error as SetupError {
            throw error
        } catch {
            throw SetupError(.inputOutput, "\(error)")
        }
    }

    private func writeAll(_ password: Secret?, _ text: (String) -> [String]) throws(SetupError) {
        let hasFolder = access(folder, F_OK) == 0
        if !hasFolder, mkdir(folder, 0o755) != 0 { throw failure(folder) }
        var temporary: [String] = []
        var isDone = false
        defer {
            for path in temporary where !isDone { unlink(path) }
            if !hasFolder, !isDone { rmdir(folder) }
        }
        let suffix = ".\(getpid())"
        let owner = owner
        var newPassword: String?
        if let password {
            let path = "\(folder)/.\(passwordName)\(suffix)"
            temporary.append(path)
            try create(path, password.bytes + [UInt8(ascii: "\n")], mode: 0o600, owner.user, owner.group)
            newPassword = path
        }
        try check(text(newPassword ?? passwordName))
        let path = "\(targetFolder)/.\(name)\(suffix)"
        temporary.append(path)
        try create(
            path, Array((text(passwordName).joined(separator: "\n") + "\n").utf8), mode: owner.mode, owner.folderUser,
            owner.group)
        if present != .nothing { try keepPresent() }
        if let newPassword, rename(newPassword, passwordFile) != 0 { throw failure(passwordFile) }
        guard rename(path, target) == 0 else { throw failure(target) }
        isDone = true
        synchronize(folder)
        if targetFolder != folder { synchronize(targetFolder) }
    }

    /// With the password in its temporary file, since the place of the other may still be another's.
    private func check(_ lines: [String]) throws(SetupError) {
        do {
            _ = try AgentConfiguration.read(lines.joined(separator: "\n").utf8, path: file)
        } catch {
            throw SetupError(.usage, "the configuration would not do:\n\(error)")
        }
    }

    /// There is a configuration at every moment.
    private func keepPresent() throws(SetupError) {
        unlink(backup)
        if link(target, backup) != 0, rename(target, backup) != 0 { throw failure(backup) }
    }

    private func create(
        _ path: String, _ bytes: [UInt8], mode: mode_t, _ user: uid_t, _ group: gid_t
    ) throws(SetupError) {
        unlink(path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        if let code = Console.write(bytes, to: descriptor) {
            throw SetupError(.inputOutput, "\(path): \(String(cString: strerror(code)))")
        }
        if geteuid() == 0, fchown(descriptor, user, group) != 0 { throw failure(path) }
        guard fchmod(descriptor, mode) == 0, fsync(descriptor) == 0 else { throw failure(path) }
    }

    private func synchronize(_ folder: String) {
        let descriptor = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    private func failure(_ path: String) -> SetupError {
        SetupError(.inputOutput, "\(path): \(String(cString: strerror(errno)))")
    }

    /// Whose the files are to be. The configuration is its folder's owner's; the service reads it through its group, and
    /// the password as its own.
    private var owner: (folderUser: uid_t, user: uid_t, group: gid_t, mode: mode_t) {
        var status = stat()
        guard geteuid() == 0, stat(folder, &status) == 0 else { return (geteuid(), geteuid(), getegid(), 0o640) }
        var targetStatus = stat()
        let folderUser = stat(targetFolder, &targetStatus) == 0 ? targetStatus.st_uid : status.st_uid
        let group = status.st_gid != 0 ? status.st_gid : accounts.group("fieldpost") ?? 0
        // Without a group of its own somebody else may have to read it; there is no secret in it.
        return (folderUser, accounts.user("fieldpost") ?? status.st_uid, group, group == 0 ? 0o644 : 0o640)
    }
}

/// Users and groups by their names, read from the files themselves: `getpwnam` loads shared libraries, which a static
/// executable cannot rely on.
struct Accounts: Sendable {
    private let root: String

    static let ofThisMachine = Accounts(root: "")

    /// - Parameter root: the folder that holds `etc`.
    init(root: String) { self.root = root }

    func user(_ name: String) -> uid_t? { fields(of: name, in: "/etc/passwd").flatMap { Self.number($0[2]) } }
    func group(_ name: String) -> gid_t? { fields(of: name, in: "/etc/group").flatMap { Self.number($0[2]) } }

    /// The service's user with all its groups; nil if there is none of that name.
    func serviceUser() -> ServiceUser? {
        guard let entry = fields(of: ServiceUser.name, in: "/etc/passwd"), let user = Self.number(entry[2]) else {
            return nil
        }
        var groups = Set(entry.dropFirst(3).prefix(1).compactMap(Self.number))
        for group in lines(of: "/etc/group") where group.count > 3 {
            if group[3].split(separator: UInt8(ascii: ",")).contains(where: { $0.elementsEqual(ServiceUser.name.utf8) }
            ),
                let number = Self.number(group[2])
            {
                groups.insert(number)
            }
        }
        return ServiceUser(user: user, groups: groups)
    }

    /// Three at least: the third is the number (passwd(5), group(5)).
    private func fields(of name: String, in file: String) -> [ArraySlice<UInt8>]? {
        lines(of: file).first { $0.count > 2 && $0[0].elementsEqual(name.utf8) }
    }

    private func lines(of file: String) -> [[ArraySlice<UInt8>]] {
        let bytes = (try? SmallFile(path: root + file, limit: 1 << 22).bytes) ?? []
        return bytes.split(separator: UInt8(ascii: "\n")).map {
            $0.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        }
    }

    private static func number(_ text: ArraySlice<UInt8>) -> UInt32? { UInt32(String(decoding: text, as: UTF8.self)) }
}
