internal import Units

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// An open device or connection, which is closed when nobody holds it any more.
///
/// It must have been opened without waiting (`O_NONBLOCK`); what waits here, waits until a deadline.
final class Descriptor: Sendable {
    struct Failure: Error {
        /// `errno`; `ETIMEDOUT` when the deadline came first.
        var code: Int32
        var text: String { Self.text(code) }

        /// `strerror` of glibc 2.32 and of musl is safe on any thread.
        static func text(_ code: Int32) -> String { strerror(code).map { String(cString: $0) } ?? "error \(code)" }
    }

    let number: Int32
    private let isSocket: Bool

    init(_ number: Int32, isSocket: Bool = false) {
        self.number = number
        self.isSocket = isSocket
    }

    deinit { close(number) }

    /// Takes what is there, and waits for it if nothing is.
    ///
    /// - Returns: at least a byte; none at the end of what can be read.
    /// - Throws: ``Failure``.
    func read(atMost limit: Int, until deadline: ContinuousClock.Instant) throws(Failure) -> [UInt8] {
        while true {
            if let bytes = try readNow(atMost: limit) { return bytes }
            try wait(for: POLLIN, until: deadline)
        }
    }

    /// Takes what is there: nil if there is nothing now, no bytes at the end.
    func readNow(atMost limit: Int) throws(Failure) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        while true {
            #if canImport(Glibc)
            let count = Glibc.read(number, &bytes, limit)
            #else
            let count = Musl.read(number, &bytes, limit)
            #endif
            if count >= 0 {
                bytes.removeLast(limit - count)
                return bytes
            }
            switch errno {
            case EINTR: continue
            case EAGAIN: return nil
            default: throw Failure(code: errno)
            }
        }
    }

    /// Writes all of it.
    func write(_ bytes: [UInt8], until deadline: ContinuousClock.Instant) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { bytes in
                // Without a signal when the peer has gone.
                if isSocket { return send(number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
                #if canImport(Glibc)
                return Glibc.write(number, bytes.baseAddress, bytes.count)
                #else
                return Musl.write(number, bytes.baseAddress, bytes.count)
                #endif
            }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                try wait(for: POLLOUT, until: deadline)
            } else if errno != EINTR {
                throw Failure(code: errno)
            }
        }
    }

    /// Waits until it can be read or written, or has failed.
    func wait(for events: Int32, until deadline: ContinuousClock.Instant) throws(Failure) {
        while true {
            let rest = ContinuousClock.now.duration(to: deadline)
            guard rest > .zero else { throw Failure(code: ETIMEDOUT) }
            var request = pollfd(fd: number, events: Int16(truncatingIfNeeded: events), revents: 0)
            // Rounded up, so that the last fraction of a millisecond is not spun away.
            let count = poll(&request, 1, Int32(clamping: rest.milliseconds + 1))
            if count > 0 { return }
            if count < 0, errno != EINTR { throw Failure(code: errno) }
        }
    }
}
