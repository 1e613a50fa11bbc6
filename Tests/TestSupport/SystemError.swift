internal import Glibc

/// A system call failed.
public struct SystemError: Error, CustomStringConvertible {
    /// What was tried, with its object.
    public let what: String
    public let errno: CInt

    /// With the present `errno`.
    init(_ what: String) {
        self.what = what
        errno = Glibc.errno
    }

    public var description: String { "\(what): \(String(cString: strerror(errno)))" }
}

/// Writes a line to standard error.
func printError(_ line: String) {
    let bytes = Array("\(line)\n".utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
}
