internal import CLinux

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A descriptor of ours, closed with the last reference.
final class Descriptor: Sendable {
    let number: Int32

    init(_ number: Int32) { self.number = number }

    deinit { close(number) }

    /// Both ends of a pipe, closed on exec; nil with `errno` set.
    static func pipe() -> (reading: Descriptor, writing: Descriptor)? {
        var ends: [Int32] = [-1, -1]
        guard clinux_pipe(&ends) == 0 else { return nil }
        return (Descriptor(ends[0]), Descriptor(ends[1]))
    }

    /// Where nothing comes from; nil with `errno` set.
    static func nothing() -> Descriptor? {
        let file = open("/dev/null", O_RDWR | O_CLOEXEC)
        return file < 0 ? nil : Descriptor(file)
    }

    /// From now on, a call that would wait fails. For our end only: the other one has a description of its own.
    func makeNonblocking() { _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK) }

    enum Chunk {
        case bytes(Int)
        case nothingYet
        case end
    }

    /// Reads what is there, without waiting.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Chunk {
        while true {
            #if canImport(Glibc)
            let count = Glibc.read(number, buffer.baseAddress, buffer.count)
            #else
            let count = Musl.read(number, buffer.baseAddress, buffer.count)
            #endif
            if count > 0 { return .bytes(count) }
            if count == 0 { return .end }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .nothingYet
            default: return .end
            }
        }
    }

    /// Writes all of it, waiting at most until `deadline`. False if that was too short, or nobody reads any more.
    func write(_ bytes: [UInt8], until deadline: ContinuousClock.Instant) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let (count, code) = writeSome(rest)
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if code == EAGAIN {
                guard ContinuousClock.now < deadline else { return false }
                _ = Descriptor.wait(for: [(number, POLLOUT)], until: deadline)
            } else if code != EINTR {
                return false
            }
        }
        return true
    }

    /// Whoever closed the other end sends us a SIGPIPE, which would end a process that does not ignore it: it is kept
    /// from this thread and taken away.
    private func writeSome(_ bytes: ArraySlice<UInt8>) -> (count: Int, code: Int32) {
        var pipe = sigset_t()
        var before = sigset_t()
        var pending = sigset_t()
        sigemptyset(&pipe)
        sigaddset(&pipe, SIGPIPE)
        sigpending(&pending)
        let wasPending = sigismember(&pending, SIGPIPE) == 1
        pthread_sigmask(SIG_BLOCK, &pipe, &before)
        let (count, code) = bytes.withUnsafeBytes { buffer in
            #if canImport(Glibc)
            (Glibc.write(number, buffer.baseAddress, buffer.count), errno)
            #else
            (Musl.write(number, buffer.baseAddress, buffer.count), errno)
            #endif
        }
        if count < 0, code == EPIPE, !wasPending {
            var none = timespec()
            while sigtimedwait(&pipe, nil, &none) < 0, errno == EINTR {}
        }
        pthread_sigmask(SIG_SETMASK, &before, nil)
        return (count, code)
    }

    /// Waits until one of the descriptors is ready, at most until `deadline`; those that are, by their place.
    ///
    /// A negative one is never ready. An end, or an error, counts as ready.
    static func wait(
        for descriptors: [(number: Int32, events: Int32)], until deadline: ContinuousClock.Instant
    ) -> [Bool] {
        var polled = descriptors.map { pollfd(fd: $0.number, events: Int16(truncatingIfNeeded: $0.events), revents: 0) }
        let rest = max(ContinuousClock.now.duration(to: deadline), .zero)
        // Rounded up, so that nobody wakes a moment too early and tries again.
        let milliseconds = min(Int32.max.milliseconds, rest + .microseconds(999)) / .milliseconds(1)
        let count = poll(&polled, nfds_t(polled.count), Int32(milliseconds))
        return polled.map { count > 0 && $0.revents != 0 }
    }
}

extension Int32 {
    fileprivate var milliseconds: Duration { .milliseconds(Int64(self)) }
}
