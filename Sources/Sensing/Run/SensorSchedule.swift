/// When one sensor is read, and what of its failures is told: a value without clock or task.
///
/// Reads fall on a grid, `start + k * every`, so that a slow read does not shift those after it. After failures the
/// sensor is read at every second, fourth, eighth … point of the grid, but at least every ``retryLimit``. A sensor that
/// is read more rarely than that is retried after ``retryLimit``, off the grid, so that one bad read does not cost an
/// hour. Grid points that pass while a read (or the acceptance of its values) is under way are left out and counted.
///
///     begin → succeeded or failed → end → begin → …
///
/// Times are durations since any one instant of a clock that is never set.
public struct SensorSchedule: Sendable {
    /// A failure that is worth a line in the log.
    public struct Failure: Sendable, Hashable {
        /// How many reads have failed in a row.
        public var count: Int
        public var retryIn: Duration
    }

    /// The end of a row of failures.
    public struct Recovery: Sendable, Hashable {
        public var failures: Int
        /// Since the first of them.
        public var after: Duration
    }

    /// The longest time between two tries of a sensor that fails.
    public static let retryLimit = Duration.seconds(300)
    /// Of failures that say nothing new each so many-th is told: about once an hour, at the longest wait.
    public static let reminder = 12

    /// When the next read is due.
    public var due: Duration { .nanoseconds(dueTime) }
    /// How many grid points passed unread because something took too long.
    public private(set) var overruns: UInt64 = 0
    public private(set) var isReading = false

    // In nanoseconds.
    private let start: Int64
    private let every: Int64
    private var dueTime: Int64

    private var failures = 0
    private var failingSince: Duration = .zero
    private var lastError: SensorError?

    /// The first read is due at once.
    public init(every: Duration, start: Duration) {
        self.every = max(every.nanoseconds, 1)
        self.start = start.nanoseconds
        dueTime = self.start
    }

    /// A read begins; none may be under way.
    public mutating func begin() {
        precondition(!isReading, "two reads of one sensor at once")
        isReading = true
    }

    /// All channels gave values.
    public mutating func succeeded(at now: Duration) -> Recovery? {
        plan(skipping: 1)
        defer {
            failures = 0
            lastError = nil
        }
        return failures == 0 ? nil : Recovery(failures: failures, after: now - failingSince)
    }

    /// The read failed; or only some channels did, and the sensor keeps its pace.
    /// - Returns: nil if there is nothing new to tell.
    public mutating func failed(_ error: SensorError, partly: Bool = false, at now: Duration) -> Failure? {
        if failures == 0 { failingSince = now }
        failures += 1
        if partly {
            plan(skipping: 1)
        } else {
            let limit = Self.retryLimit.nanoseconds
            if every > limit {
                dueTime = min(point(after: dueTime), now.nanoseconds + limit)
            } else {
                plan(skipping: min(1 << Int64(min(failures - 1, 40)), limit / every))
            }
        }
        let isNew = lastError.map { !$0.isSameTrouble(as: error) } ?? true
        lastError = error
        guard isNew || failures.isMultiple(of: Self.reminder) else { return nil }
        return Failure(count: failures, retryIn: max(due - now, .zero))
    }

    /// The values are accepted, or the failure is told: the next read may come.
    public mutating func end(at now: Duration) {
        precondition(isReading, "the end of a read that never began")
        isReading = false
        let now = now.nanoseconds
        let next = point(after: now - 1)
        let missed = (next - point(after: dueTime - 1)) / every
        guard missed > 0 else { return }
        overruns += UInt64(missed)
        dueTime = next
    }

    private mutating func plan(skipping points: Int64) {
        dueTime = point(after: dueTime) + (points - 1) * every
    }

    /// The first point of the grid that is later than `time`.
    private func point(after time: Int64) -> Int64 { start + ((time - start) / every + 1) * every }
}

extension Duration {
    fileprivate var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
