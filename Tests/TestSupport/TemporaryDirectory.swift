internal import Glibc

/// A folder of its own under `$TMPDIR` (else `/tmp`), removed with all it holds when the value goes.
///
/// Keep the value alive as long as somebody works in the folder: `withExtendedLifetime`, or
/// ``withTemporaryDirectory(_:)``.
public final class TemporaryDirectory: Sendable {
    /// The folder's absolute path, without a slash at its end.
    public let path: String

    public init() throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/fieldpost-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("making a folder in \(parent)") }
        path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    }

    deinit {
        removeTree(path)
    }

    /// The absolute path of a name in this folder.
    public func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file, making the folders that lead to it.
    ///
    /// - Returns: its absolute path.
    @discardableResult
    public func write(_ text: String, to name: String) throws -> String {
        try write(Array(text.utf8), to: name)
    }

    /// Writes a file, making the folders that lead to it.
    ///
    /// - Returns: its absolute path.
    @discardableResult
    public func write(_ bytes: [UInt8], to name: String) throws -> String {
        if let slash = name.lastIndex(of: "/") { try makeDirectory(String(name[..<slash])) }
        let file = path(name)
        guard let stream = fopen(file, "we") else { throw SystemError("writing \(file)") }
        let written = fwrite(bytes, 1, bytes.count, stream)
        guard fclose(stream) == 0, written == bytes.count else { throw SystemError("writing \(file)") }
        return file
    }

    /// Makes a folder and those that lead to it; it may be there already.
    ///
    /// - Returns: its absolute path.
    @discardableResult
    public func makeDirectory(_ name: String) throws -> String {
        var folder = path
        for part in name.split(separator: "/") {
            folder += "/\(part)"
            guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw SystemError("making \(folder)") }
        }
        return folder
    }

    /// A file's text; bytes that are not UTF-8 are replaced.
    public func read(_ name: String) throws -> String {
        String(decoding: try readBytes(name), as: UTF8.self)
    }

    /// A file's bytes.
    public func readBytes(_ name: String) throws -> [UInt8] {
        let file = path(name)
        guard let stream = fopen(file, "re") else { throw SystemError("reading \(file)") }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = fread(&chunk, 1, chunk.count, stream)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        guard ferror(stream) == 0 else { throw SystemError("reading \(file)") }
        return bytes
    }

    /// Whether there is anything of this name.
    public func exists(_ name: String) -> Bool { access(path(name), F_OK) == 0 }

    /// Removes a file or an empty folder.
    public func remove(_ name: String) throws {
        guard Glibc.remove(path(name)) == 0 else { throw SystemError("removing \(path(name))") }
    }
}

/// Lends a temporary folder to `body` and removes it afterwards.
public func withTemporaryDirectory<Result>(
    _ body: (TemporaryDirectory) async throws -> Result
) async throws -> Result {
    let directory = try TemporaryDirectory()
    // Used after the body, so that the folder outlives it.
    defer { withExtendedLifetime(directory) {} }
    return try await body(directory)
}

/// Removes a file, or a folder with all it holds; links are removed and not followed.
private func removeTree(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    if status.st_mode & S_IFMT == S_IFDIR, let folder = opendir(path) {
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { removeTree("\(path)/\(name)") }
        }
        closedir(folder)
    }
    remove(path)
}
