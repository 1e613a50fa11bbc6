internal import Units

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Lets the sensors of this process use a shared line one after the other, in the order in which they ask.
///
/// A measurement often takes several transactions, and an answer belongs to the question before it: whoever has the
/// turn keeps it until it is done. Nobody waits for longer than it says.
///
/// `@unchecked Sendable`: the pointers never change, and `queues` and `nextTicket` are touched only while the mutex is
/// held.
final class Turns: @unchecked Sendable {
    /// Those of the whole process: what is shared is the hardware.
    static let shared = Turns()

    private struct Place {
        var ticket: UInt64
        var user: String
    }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let change = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// By line; the first of a queue has the turn. At most as many places as there are threads.
    private var queues: [String: [Place]] = [:]
    private var nextTicket: UInt64 = 0

    init() {
        mutex.initialize(to: pthread_mutex_t())
        change.initialize(to: pthread_cond_t())
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // The wall clock may be set while somebody waits.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(change, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(change)
        pthread_mutex_destroy(mutex)
        change.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` when it is `user`'s turn on `line`.
    ///
    /// - Throws: what `body` throws, or an error of kind ``SensorError/Kind/busy`` that names who has the turn.
    func take<Result>(
        _ line: String, for user: String, atMost limit: Duration,
        _ body: () throws(SensorError) -> Result
    ) throws(SensorError) -> Result {
        if let holder = wait(for: line, user, atMost: limit) {
            throw SensorError(
                .busy, line, "was in use by sensor \"\(holder)\" for \(limit.compact)",
                mend: "read its sensors less often, or mend the one that does not let go")
        }
        defer { leave(line) }
        return try body()
    }

    /// - Returns: nil when it is the caller's turn; otherwise who still has it.
    private func wait(for line: String, _ user: String, atMost limit: Duration) -> String? {
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        let (seconds, attoseconds) = limit.components
        deadline.tv_sec += time_t(seconds)
        deadline.tv_nsec += Int(attoseconds / 1_000_000_000)
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }

        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        nextTicket += 1
        let ticket = nextTicket
        queues[line, default: []].append(Place(ticket: ticket, user: user))
        while let first = queues[line]?.first, first.ticket != ticket {
            if pthread_cond_timedwait(change, mutex, &deadline) == ETIMEDOUT, queues[line]?.first?.ticket != ticket {
                queues[line]?.removeAll { $0.ticket == ticket }
                return queues[line]?.first?.user ?? first.user
            }
        }
        return nil
    }

    private func leave(_ line: String) {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        queues[line]?.removeFirst()
        if queues[line]?.isEmpty ?? false { queues[line] = nil }
        pthread_cond_broadcast(change)
    }
}
