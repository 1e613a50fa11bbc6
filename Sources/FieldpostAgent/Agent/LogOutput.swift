internal import Synchronization
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A descriptor that log lines go to, and that holds nobody up for long: who reads it may have come to a stop, as a pager
/// or a pipe's other end does, and neither the clients of a broker nor a stop shall wait for that.
///
/// A line that cannot be written in time is lost, and so are those behind it until one can be; how many were is told then.
final class LogOutput: Sendable {
    static let standardError = LogOutput(STDERR_FILENO, patience: .milliseconds(200))

    private struct State {
        var missed = 0
        /// A line was begun and could not be ended.
        var isWithinLine = false
    }

    private let descriptor: CInt
    private let patience: Duration
    private let state = Mutex(State())

    /// - Parameter patience: how long a line may take as long as none was lost.
    init(_ descriptor: CInt, patience: Duration) {
        self.descriptor = descriptor
        self.patience = patience
    }

    /// - Parameter note: makes the line that tells of lost ones.
    func write(_ line: String, note: (Int) -> String) {
        state.withLock { state in
            let deadline = ContinuousClock.now + (state.missed == 0 ? patience : .zero)
            if state.missed > 0 {
                guard write((state.isWithinLine ? "\n" : "") + note(state.missed), until: deadline, &state) else {
                    state.missed += 1
                    return
                }
                state.missed = 0
            }
            if !write(line, until: deadline, &state) { state.missed = 1 }
        }
    }

    private func write(_ line: String, until deadline: ContinuousClock.Instant, _ state: inout State) -> Bool {
        var rest = Array((line + "\n").utf8)[...]
        while !rest.isEmpty {
            guard isWritable(until: deadline) else { return false }
            // So much a pipe takes without waiting once it takes anything (pipe(7)).
            if let code = Console.write(Array(rest.prefix(4096)), to: descriptor) {
                // Of a pipe that does not wait, a part may have been written.
                state.isWithinLine = state.isWithinLine || code == EAGAIN
                // Where nothing can be written, not now and not later, nobody will read a count either.
                return code != EAGAIN
            }
            rest = rest.dropFirst(4096)
            state.isWithinLine = !rest.isEmpty
        }
        return true
    }

    private func isWritable(until deadline: ContinuousClock.Instant) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while true {
            let rest = max(ContinuousClock.now.duration(to: deadline), .zero)
            let count = poll(&request, 1, Int32(clamping: rest.milliseconds))
            if count != -1 || errno != EINTR { return count != 0 }
        }
    }
}
