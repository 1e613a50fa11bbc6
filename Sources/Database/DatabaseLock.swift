#if canImport(Glibc)
package import Glibc
#elseif canImport(Musl)
package import Musl
#endif

/// Holds `{database}.lock` for as long as it lives, so that two processes never share one database. The kernel lets go of it
/// when the process dies, however it dies.
package struct DatabaseLock: ~Copyable {
    private let descriptor: Int32

    package enum Failure: Error {
        /// Another process holds it; 0: unknown which.
        case inUse(pid: Int32)
        /// The lock's file cannot be made or locked.
        case system(code: Int32, path: String)
    }

    /// - Parameter mode: of the lock's file, before the umask.
    package init(database: String, mode: mode_t) throws(Failure) {
        let path = database + ".lock"
        // Becomes `self.descriptor` at the end only: what is thrown behind that would close it a second time.
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw .system(code: errno, path: path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let pid = Self.readPID(descriptor)
            close(descriptor)
            throw code == EWOULDBLOCK ? .inUse(pid: pid) : .system(code: code, path: path)
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

    private static func readPID(_ descriptor: Int32) -> Int32 {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { buffer in
            let count = pread(descriptor, buffer.baseAddress, buffer.count, 0)
            guard count > 0 else { return 0 }
            return Int32(String(decoding: buffer.prefix(count).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) ?? 0
        }
    }
}
