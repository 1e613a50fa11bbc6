internal import CLinux
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Waits for any number of descriptors on one thread, which sleeps until one of them is readable.
///
/// The thread is started with the first descriptor, and ends with the watch.
final class DescriptorWatch: Sendable {
    private let core = Mutex<Core?>(nil)

    deinit { core.withLock { $0?.end() } }

    /// Calls `body` once, when the descriptor is readable or has lost its other end, on the watch's thread. What was
    /// asked for the same descriptor before is forgotten.
    ///
    /// - Throws: when this descriptor cannot be waited for.
    func wait(for descriptor: Int32, _ body: @escaping @Sendable () -> Void) throws(SensorError) {
        let code = core.withLock { core -> Int32 in
            if core == nil { core = Core() }
            guard let core else { return EMFILE }
            return core.wait(for: descriptor, body)
        }
        if code != 0 { throw SensorError.system(code, reading: "descriptor \(descriptor)") }
    }

    /// Whether it is now.
    static func isReadable(_ descriptor: Int32) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) > 0
    }

    func forget(_ descriptor: Int32) {
        core.withLock { $0?.forget(descriptor) }
    }
}

/// What the watch and its thread share; the thread keeps it alive.
private final class Core: Sendable {
    private let waiting = Mutex<[Int32: @Sendable () -> Void]>([:])
    private let queue: Int32
    /// Readable when the thread is to end.
    private let bell: Int32

    init?() {
        queue = clinux_make_set()
        bell = clinux_make_event()
        guard queue >= 0, bell >= 0, clinux_add_to_set(queue, bell) == 0, WorkerThread.start({ [self] in run() }) else {
            return nil
        }
    }

    deinit {
        if queue >= 0 { close(queue) }
        if bell >= 0 { close(bell) }
    }

    func end() {
        var one: UInt64 = 1
        _ = write(bell, &one, 8)
    }

    func wait(for descriptor: Int32, _ body: @escaping @Sendable () -> Void) -> Int32 {
        waiting.withLock { $0[descriptor] = body }
        let code = clinux_add_to_set_once(queue, descriptor) == 0 ? 0 : errno
        if code != 0 { forget(descriptor) }
        return code
    }

    /// The kernel goes on watching it, and may report it once more; nobody is told.
    func forget(_ descriptor: Int32) { waiting.withLock { $0[descriptor] = nil } }

    private func run() {
        var ready = [Int32](repeating: -1, count: 16)
        while true {
            let count = clinux_wait_for_set(queue, &ready, Int32(ready.count))
            guard count >= 0 || errno == EINTR else { return }
            for descriptor in ready.prefix(max(Int(count), 0)) {
                if descriptor == bell { return }
                let body = waiting.withLock { $0.removeValue(forKey: descriptor) }
                body?()
            }
        }
    }
}
