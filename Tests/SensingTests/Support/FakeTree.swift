import Glibc

/// A folder that stands for a board's root, removed at the end.
final class FakeTree {
    let root: String
    private var created: [String] = []

    init(_ files: KeyValuePairs<String, String> = [:]) throws {
        var template = Array("/tmp/sensing-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw SystemFailure(code: errno) }
        root = String(cString: made)
        for (path, text) in files { try write(path, text) }
    }

    deinit {
        for path in created.reversed() { remove(path) }
        rmdir(root)
    }

    func path(_ path: String) -> String { root + path }

    /// The paths of all plain files, in the order in which they were made.
    var files: [String] {
        created.compactMap { path in
            var status = stat()
            return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
                ? String(path.dropFirst(root.count)) : nil
        }
    }

    func write(_ path: String, _ text: String) throws { try write(path, Array(text.utf8)) }

    func write(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws {
        try makeFolders(above: path)
        let file = open(root + path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard file >= 0 else { throw SystemFailure(code: errno) }
        defer { close(file) }
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw SystemFailure(code: errno) }
        chmod(root + path, mode)
        if !created.contains(root + path) { created.append(root + path) }
    }

    func makeFolder(_ path: String) throws { try makeFolders(above: path + "/x") }

    func link(_ path: String, to target: String) throws {
        try makeFolders(above: path)
        guard symlink(target, root + path) == 0 else { throw SystemFailure(code: errno) }
        created.append(root + path)
    }

    /// A pipe that nobody writes to: opening it blocks.
    func makePipe(_ path: String) throws {
        try makeFolders(above: path)
        guard mkfifo(root + path, 0o600) == 0 else { throw SystemFailure(code: errno) }
        created.append(root + path)
    }

    /// A file's text, without the newline at its end.
    func read(_ path: String) throws -> String {
        let file = open(root + path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw SystemFailure(code: errno) }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count >= 0 else { throw SystemFailure(code: errno) }
        let text = String(decoding: bytes[..<count], as: UTF8.self)
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    func delete(_ path: String) { unlink(root + path) }

    private func makeFolders(above path: String) throws {
        var folder = root
        for component in path.split(separator: "/").dropLast() {
            folder += "/\(component)"
            if mkdir(folder, 0o755) == 0 {
                created.append(folder)
            } else if errno != EEXIST {
                throw SystemFailure(code: errno)
            }
        }
    }
}

struct SystemFailure: Error {
    var code: Int32
}
