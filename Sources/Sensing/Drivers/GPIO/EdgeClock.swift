internal import Units

/// Gives edges, which are stamped with a clock that nobody sets, their wall-clock time.
///
/// It is counted back from the time at which they were received, so the wall clock may have been set since.
struct EdgeClock: Sendable {
    /// The wall clock is known in whole milliseconds only: by so much may edges that are received one after the other
    /// seem to change places.
    private static let jitter: Int64 = 2

    private var last: Int64 = .min

    /// - Parameters:
    ///   - time: the edge's, in nanoseconds.
    ///   - monotonic: the same clock's, at `now`.
    mutating func wallTime(of time: UInt64, monotonic: UInt64, now: Timestamp) -> Timestamp {
        let age = Int64(truncatingIfNeeded: monotonic &- time)
        // Rounded to the past, as the wall clock's own milliseconds are.
        var wall = now.milliseconds &- (age / 1_000_000 &+ (age % 1_000_000 > 0 ? 1 : 0))
        if wall < last, last &- wall <= Self.jitter { wall = last }
        last = wall
        return Timestamp(milliseconds: wall)
    }
}
