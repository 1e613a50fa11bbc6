#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

extension SettingsReader {
    /// What stands under `key`, or in the file that `{key}_file` names: `password` or `password_file`, but not both.
    ///
    /// A newline at the file's end does not count. Others who may read the file are a warning. A relative name is
    /// relative to the configuration's directory.
    public func secret(_ key: String) -> Secret? {
        let fileKey = "\(key)_file"
        let literal = string(key)
        let path = string(fileKey)
        if has(key), has(fileKey) {
            problem(at: fileKey, message: "stands beside \"\(key)\"", mend: "keep one of them")
            return nil
        }
        if let literal { return Secret(literal.utf8) }
        guard let path else { return nil }
        return secret(inFile: path.hasPrefix("/") ? path : "\(directory)/\(path)", fileKey)
    }

    private func secret(inFile path: String, _ key: String) -> Secret? {
        // Not to wait for a writer if it is a pipe; regular files do not care.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            problem(at: key, message: "\(path) cannot be opened (\(String(cString: strerror(errno))))")
            return nil
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            problem(at: key, message: "\(path) is no regular file")
            return nil
        }
        if status.st_mode & S_IROTH != 0 {
            warning(at: key, message: "every user can read \(path)", mend: "chmod o-r \(path)")
        }
        let limit = 65_536
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        let count = read(file, &bytes, bytes.count)
        guard count >= 0 else {
            problem(at: key, message: "\(path) cannot be read (\(String(cString: strerror(errno))))")
            return nil
        }
        var secret = bytes[..<count]
        if secret.last == UInt8(ascii: "\n") { secret.removeLast() }
        if secret.last == UInt8(ascii: "\r") { secret.removeLast() }
        guard (1...limit).contains(secret.count) else {
            problem(at: key, message: secret.isEmpty ? "\(path) is empty" : "\(path) is larger than \(limit) bytes")
            return nil
        }
        return Secret(secret)
    }
}
