internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A file that lines are appended to, each at once. It may be moved away, as logrotate does, and opened anew.
final class LogFile: Sendable {
    private let path: String
    private let descriptor: Mutex<CInt>

    /// - Throws: ``BrokerError``, if nothing can be appended.
    init(path: String) throws(BrokerError) {
        self.path = path
        let file = Self.open(path)
        guard file >= 0 else { throw .start("the log \(path): \(String(cString: strerror(errno)))") }
        descriptor = Mutex(file)
    }

    deinit { close(descriptor.withLock { $0 }) }

    /// What cannot be written is lost.
    func write(_ line: String) {
        descriptor.withLock { _ = Console.write(Array((Console.printable(line) + "\n").utf8), to: $0) }
    }

    /// If that is not possible, the file from before goes on.
    func reopen() {
        let file = Self.open(path)
        guard file >= 0 else { return }
        descriptor.withLock {
            close($0)
            $0 = file
        }
    }

    private static func open(_ path: String) -> CInt {
        #if canImport(Glibc)
        Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        #elseif canImport(Musl)
        Musl.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        #else
        Darwin.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        #endif
    }
}
