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
        queue = epoll_create1(clinux_epoll_cloexec)
        bell = eventfd(0, clinux_eventfd_flags)
        guard queue >= 0, bell >= 0, add(bell, clinux_epoll_in) == 0, WorkerThread.start({ [self] in run() }) else {
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
        let code = add(descriptor, clinux_epoll_in_once)
        if code != 0 { forget(descriptor) }
        return code
    }

    /// The kernel goes on watching it, and may report it once more; nobody is told.
    func forget(_ descriptor: Int32) { waiting.withLock { $0[descriptor] = nil } }

    /// A descriptor that was closed is no longer known to the queue; its number may be another's by now.
    private func add(_ descriptor: Int32, _ events: UInt32) -> Int32 {
        var event = epoll_event(events: events, data: epoll_data(fd: descriptor))
        if epoll_ctl(queue, EPOLL_CTL_MOD, descriptor, &event) == 0 { return 0 }
        guard errno == ENOENT else { return errno }
        return epoll_ctl(queue, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : errno
    }

    private func run() {
        var events = [epoll_event](repeating: epoll_event(), count: 16)
        while true {
            let count = epoll_wait(queue, &events, Int32(events.count), -1)
            guard count >= 0 || errno == EINTR else { return }
            for event in events.prefix(max(Int(count), 0)) {
                if event.data.fd == bell { return }
                let body = waiting.withLock { $0.removeValue(forKey: event.data.fd) }
                body?()
            }
        }
    }
}
