internal import Units

/// Gives edges, which are stamped with a clock that nobody sets, their wall-clock time.
///
/// By how much the wall clock is ahead is told anew whenever edges are received, so that it may be set at any time; but not
/// exactly: it is read in whole milliseconds, and a busy board may let time pass between the reading of one clock and of the
/// other. Both make the lead seem smaller, so the largest counts, as far as a clock that is only slewed (by 0.05 % at most,
/// adjtimex(2)) may have it.
struct EdgeClock: Sendable {
    /// In nanoseconds; what differs by more was set.
    private static let largestError: UInt64 = 200_000_000

    /// In nanoseconds, and when this was known.
    private var lead: (value: Int64, at: UInt64)?
    private var last: Int64 = .min

    /// The wall clock said `now` when the kernel's said `monotonic`, in nanoseconds, or a little earlier.
    mutating func tell(monotonic: UInt64, now: Timestamp) {
        let seen = now.milliseconds &* 1_000_000 &- Int64(truncatingIfNeeded: monotonic)
        defer { lead?.at = monotonic }
        guard let lead, (seen &- lead.value).magnitude <= Self.largestError else {
            lead = (seen, monotonic)
            last = .min
            return
        }
        let slewed = Int64(clamping: (monotonic > lead.at ? monotonic - lead.at : 0) / 1000)
        self.lead?.value = max(seen, lead.value &- slewed)
    }

    /// When an edge was that has this time stamp, in nanoseconds. Times never fall, unless the wall clock was set.
    mutating func wallTime(of time: UInt64) -> Timestamp {
        let wall = Int64(truncatingIfNeeded: time) &+ (lead?.value ?? 0)
        last = max(last, wall / 1_000_000 - (wall % 1_000_000 < 0 ? 1 : 0))
        return Timestamp(milliseconds: last)
    }
}
