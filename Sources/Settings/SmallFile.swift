package import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A file that is read at once: a configuration, a secret.
package struct SmallFile {
    package var bytes: [UInt8]
    /// Whether users who are neither its owner nor in its group may read it.
    package var isPublic: Bool

    /// - Throws: ``InvalidText`` that names the file, if it is not there, may not be read, is no regular file, or is
    ///   larger than `limit` bytes.
    package init(path: String, limit: Int) throws(InvalidText) {
        // Not to wait for a writer if it is a pipe; regular files do not care.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            switch errno {
            case ENOENT, ENOTDIR: throw InvalidText("\(path) does not exist")
            case EACCES: throw InvalidText("\(path) may not be read by this user", mend: "chmod or chown it")
            default: throw InvalidText("\(path) cannot be opened: \(String(cString: strerror(errno)))")
            }
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw InvalidText("\(path) is no regular file")
        }
        isPublic = status.st_mode & S_IROTH != 0
        bytes = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(file, &buffer, buffer.count)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw InvalidText("\(path) cannot be read: \(String(cString: strerror(errno)))")
            }
            bytes += buffer[..<count]
            if bytes.count > limit { throw InvalidText("\(path) is larger than \(limit) bytes") }
        }
    }
}
