#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A thread that nobody waits for.
enum WorkerThread {
    private final class Start: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Enough for a driver's read, and little enough for a board; the default would be 8 MB of address space.
    private static let stackSize = 512 * 1024

    /// Runs `body` on a new thread, called "fieldpost-read" in `top -H`; false if the system gives none.
    static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        var attributes = pthread_attr_t()
        guard pthread_attr_init(&attributes) == 0 else { return false }
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSize)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))

        let argument = Unmanaged.passRetained(Start(body)).toOpaque()
        var thread = pthread_t()
        guard pthread_create(&thread, &attributes, enter, argument) == 0 else {
            Unmanaged<Start>.fromOpaque(argument).release()
            return false
        }
        return true
    }

    private static let enter: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
        // Signals are the main thread's: here they would only interrupt reads.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
        setName("fieldpost-read")
        if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
    }

    /// As `pthread_setname_np` does, which Swift does not see.
    private static func setName(_ name: String) {
        let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        defer { close(file) }
        _ = name.withCString { write(file, $0, strlen($0)) }
    }
}
