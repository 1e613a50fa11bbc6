public import Units

/// When one sensor is read, and what of its failures is told: a value without clock or task.
///
/// The first read is due at once; the others fall on a grid, so that a slow read does not shift those after it: every
/// ten seconds means at :00, :10, :20 … of the wall clock, or as much later as the sensor's phase says. Where no wall
/// clock is told, the grid begins with the first read.
///
/// After failures the sensor is read at every second, fourth, eighth … point of the grid, but at least every
/// ``retryLimit``, and ``searchLimit`` while its device is missing or busy. A sensor that is read more rarely than that is
/// retried after these times, off the grid, so that one bad read does not cost an hour. Grid points that pass while a
/// read (or the acceptance of its values) is under way are left out and counted.
///
/// A sensor that speaks for itself may have no grid at all: after the first read nothing is due, until it fails.
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
    /// The same for one whose device is missing, or in other hands: somebody may have plugged it in, or let it go.
    public static let searchLimit = Duration.seconds(30)
    /// Of failures that say nothing new each so many-th is told: about once an hour, at the longest wait.
    public static let reminder = 12

    /// When the next read is due.
    public var due: Duration { .nanoseconds(dueTime) }
    /// How many grid points passed unread because something took too long.
    public private(set) var overruns: UInt64 = 0
    public private(set) var isReading = false

    // In nanoseconds.
    /// Any point of the grid.
    private var start: Int64
    private var every: Int64
    private var phase: Int64
    private var dueTime: Int64
    private var hasGrid: Bool
    /// Whether `dueTime` is a point of the grid.
    private var isOnGrid = true

    private var failures = 0
    private var failingSince: Duration = .zero
    private var lastError: SensorError?
    /// Whether some channels had values all the same.
    private var wasPartly = false

    /// - Parameters:
    ///   - every: from one point of the grid to the next; nil: there is no grid.
    ///   - phase: how much later than the wall clock's round times the grid's points are; less than `every`.
    ///   - start: when the first read is due.
    public init(every: Duration?, phase: Duration = .zero, start: Duration) {
        hasGrid = every != nil
        self.every = every.map { max($0.nanoseconds, 1) } ?? Self.never
        self.phase = phase.nanoseconds
        self.start = start.nanoseconds
        dueTime = self.start
    }

    /// Longer than any board lives: 36 years.
    private static let never: Int64 = 1 << 60

    /// A read begins; none may be under way.
    public mutating func begin() {
        precondition(!isReading, "two reads of one sensor at once")
        isReading = true
    }

    /// Another grid from now on, beginning with a read at once; no read may be under way.
    ///
    /// - Parameter phase: as for ``init(every:phase:start:)``.
    public mutating func change(every: Duration?, phase: Duration, at now: Duration) {
        precondition(!isReading, "another grid while a read is under way")
        var other = SensorSchedule(every: every, phase: phase, start: now)
        (other.overruns, other.failures) = (overruns, failures)
        (other.failingSince, other.lastError) = (failingSince, lastError)
        self = other
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
        countFailure(at: now)
        if partly {
            plan(skipping: 1)
        } else {
            let limit = Self.limit(for: error)
            if !hasGrid || every > limit {
                retry(within: limit, orAt: point(after: dueTime), at: now)
            } else {
                plan(skipping: min(1 << Int64(min(failures - 1, 40)), limit / every))
            }
        }
        return telling(error, partly: partly, at: now)
    }

    /// Something was received that is no read: nothing of the plan changes, but that the sensor is well again.
    public mutating func received(at now: Duration) -> Recovery? {
        guard failures > 0 else { return nil }
        defer {
            failures = 0
            lastError = nil
        }
        // Failures may have put the next read off.
        let next = point(after: max(now.nanoseconds, start))
        dueTime = isOnGrid ? min(dueTime, next) : next
        isOnGrid = true
        return Recovery(failures: failures, after: now - failingSince)
    }

    /// What was to be received was not, or not all of it; `isDeaf`: and nothing will be, before the next read.
    /// - Returns: nil if there is nothing new to tell.
    public mutating func failedToReceive(_ error: SensorError, isDeaf: Bool, at now: Duration) -> Failure? {
        countFailure(at: now)
        if isDeaf { retry(within: Self.limit(for: error), orAt: dueTime, at: now) }
        return telling(error, partly: !error.measured.isEmpty, at: now)
    }

    private static func limit(for error: SensorError) -> Int64 {
        (error.kind == .missing || error.kind == .busy ? searchLimit : retryLimit).nanoseconds
    }

    /// Off the grid, unless its next point comes first. Without a grid, the more failures the later.
    private mutating func retry(within limit: Int64, orAt next: Int64, at now: Duration) {
        let wait = hasGrid ? limit : min(limit, 1_000_000_000 << Int64(min(failures - 1, 20)))
        dueTime = min(next, now.nanoseconds + wait)
        isOnGrid = hasGrid && dueTime == next
    }

    private mutating func countFailure(at now: Duration) {
        if failures == 0 { failingSince = now }
        failures += 1
    }

    private mutating func telling(_ error: SensorError, partly: Bool, at now: Duration) -> Failure? {
        // The same trouble is another one where no channel has a value any more.
        let isNew = lastError.map { !$0.isSameTrouble(as: error) || wasPartly && !partly } ?? true
        (lastError, wasPartly) = (error, partly)
        guard isNew || failures.isMultiple(of: Self.reminder) else { return nil }
        return Failure(count: failures, retryIn: max(due - now, .zero))
    }

    /// The values are accepted, or the failure is told: the next read may come.
    ///
    /// - Parameter wall: what the wall clock says `now`; the grid is laid anew by it, since it may have been set.
    public mutating func end(at now: Duration, wall: Timestamp? = nil) {
        precondition(isReading, "the end of a read that never began")
        isReading = false
        let now = now.nanoseconds
        guard hasGrid else { return dueTime = max(dueTime, now) }
        if let next = pointIfLate(now) { dueTime = next }
        guard let wall else { return }
        start = now - (wall.milliseconds &* 1_000_000 &- phase) % every
        guard isOnGrid else { return }
        // The old grid's point that is nearest to one of the new grid's means the same one.
        let next = point(after: dueTime - 1)
        dueTime = next - dueTime > every / 2 ? next - every : next
        if dueTime <= now { dueTime = point(after: now) }
    }

    /// Counts the points that have passed, if any have.
    private mutating func pointIfLate(_ now: Int64) -> Int64? {
        let next = point(after: now - 1)
        let missed = (next - point(after: dueTime - 1)) / every
        guard missed > 0 else { return nil }
        overruns += UInt64(missed)
        isOnGrid = true
        return next
    }

    private mutating func plan(skipping points: Int64) {
        dueTime = point(after: dueTime) + (points - 1) * every
        isOnGrid = true
    }

    /// The first point of the grid that is later than `time`.
    private func point(after time: Int64) -> Int64 {
        let (steps, rest) = (time - start).quotientAndRemainder(dividingBy: every)
        return start + (rest < 0 ? steps : steps + 1) * every
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
