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
    private let accounts: Accounts

    /// Held while files are written, so that nothing is left half done by somebody who ends the program.
    static let writing = Mutex(())

    /// A line with this text marks the package's example, which may be replaced without asking.
    static let exampleMark = "# fieldpost setup replaces this example."

    init(file: String, accounts: Accounts = .ofThisMachine) {
        self.file = file
        self.accounts = accounts
    }

    /// Without a slash at its end.
    var folder: String {
        file.lastIndex(of: "/").map { $0 == file.startIndex ? "/" : String(file[..<$0]) } ?? "."
    }

    private var name: Substring { file.lastIndex(of: "/").map { file[file.index(after: $0)...] } ?? file[...] }

    /// The password's file, as the configuration names it: it is looked for beside the configuration.
    var passwordName: String { "\(name.hasSuffix(".toml") ? name.dropLast(5) : name).password" }
    var passwordFile: String { "\(folder)/\(passwordName)" }
    var backup: String { "\(file).bak" }

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
        let place = access(folder, F_OK) == 0 ? folder : SetupFiles(file: folder).folder
        guard access(place, F_OK) == 0, access(place, W_OK) == 0 else {
            throw SetupError(
                .inputOutput,
                "\(folder): \(String(cString: strerror(errno))); be a user who may write there, or name another file with --config"
            )
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
        let path = "\(folder)/.\(name)\(suffix)"
        temporary.append(path)
        try create(
            path, Array((text(passwordName).joined(separator: "\n") + "\n").utf8), mode: owner.mode, owner.folderUser,
            owner.group)
        if present != .nothing { try keepPresent() }
        if let newPassword, rename(newPassword, passwordFile) != 0 { throw failure(passwordFile) }
        guard rename(path, file) == 0 else { throw failure(file) }
        isDone = true
        synchronizeFolder()
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
        if link(file, backup) != 0, rename(file, backup) != 0 { throw failure(backup) }
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

    private func synchronizeFolder() {
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
        let group = status.st_gid != 0 ? status.st_gid : accounts.group("fieldpost") ?? 0
        // Without a group of its own somebody else may have to read it; there is no secret in it.
        return (status.st_uid, accounts.user("fieldpost") ?? status.st_uid, group, group == 0 ? 0o644 : 0o640)
    }
}

/// Users and groups by their names, read from the files themselves: `getpwnam` loads shared libraries, which a static
/// executable cannot rely on.
struct Accounts: Sendable {
    private let root: String

    static let ofThisMachine = Accounts(root: "")

    /// - Parameter root: the folder that holds `etc`.
    init(root: String) { self.root = root }

    func user(_ name: String) -> uid_t? { number(of: name, in: "/etc/passwd") }
    func group(_ name: String) -> gid_t? { number(of: name, in: "/etc/group") }

    /// The third field of both (passwd(5), group(5)).
    private func number(of name: String, in file: String) -> UInt32? {
        guard let bytes = try? SmallFile(path: root + file, limit: 1 << 22).bytes else { return nil }
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            if fields.count > 2, fields[0].elementsEqual(name.utf8) {
                return UInt32(String(decoding: fields[2], as: UTF8.self))
            }
        }
        return nil
    }
}
