#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Holds `{queue}.lock` for as long as it lives, so that two agents never share one queue. The kernel lets go of it
/// when the process dies, however it dies.
struct QueueLock: ~Copyable {
    private let descriptor: Int32

    /// - Throws: ``OutboxError/inUse(path:pid:)`` when somebody else holds it, ``OutboxError/notAccessible(path:reason:)``
    ///   when the place is wrong, ``QueueLock/Unavailable`` when the disk fails.
    init(queue path: String) throws {
        // Becomes `self.descriptor` at the end only: what is thrown behind that would close it a second time.
        let descriptor = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            switch errno {
            case ENOENT, ENOTDIR, EACCES, EISDIR, ENAMETOOLONG:
                throw OutboxError.notAccessible(path: path + ".lock", reason: String(cString: strerror(errno)))
            default: throw Unavailable(reason: "\(path).lock: \(String(cString: strerror(errno)))")
            }
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let pid = Self.readPID(descriptor)
            close(descriptor)
            if code == EWOULDBLOCK { throw OutboxError.inUse(path: path, pid: pid) }
            throw Unavailable(reason: "\(path).lock: \(String(cString: strerror(code)))")
        }
        // Only for the next one's error message: a full disk does not matter here.
        ftruncate(descriptor, 0)
        var text = "\(getpid())\n"
        text.withUTF8 { _ = pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        self.descriptor = descriptor
    }

    deinit {
        // Not by closing alone: a child process that is just being started holds a copy of the descriptor until it
        // becomes its program, and with it the lock.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }

    /// The disk does not let the lock be taken.
    struct Unavailable: Error {
        var reason: String
    }

    private static func readPID(_ descriptor: Int32) -> Int32 {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { buffer in
            let count = pread(descriptor, buffer.baseAddress, buffer.count, 0)
            guard count > 0 else { return 0 }
            return Int32(String(decoding: buffer.prefix(count).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) ?? 0
        }
    }
}
