internal import NIOCore
internal import Units

/// An instant on both clocks: the one that deadlines are told in, which begins anew with each start of the board, and
/// the one on the wall, which goes on and may be set.
struct Moment {
    var now: NIODeadline
    var wall: Timestamp

    /// A deadline as it stands in a file: milliseconds of the wall clock, and those that were left when it was written.
    struct Ending: Hashable {
        var wall: Int64
        var remaining: Int64
    }

    /// Milliseconds: about a hundred years.
    private static let longest: Int64 = 100 * 366 * 86_400_000

    func ending(_ deadline: NIODeadline) -> Ending {
        // Rounded up: nothing ends early.
        let remaining = ((deadline - now).nanoseconds.clamped(to: 0...Self.longest * 1_000_000) + 999_999) / 1_000_000
        return Ending(wall: wall.milliseconds + remaining, remaining: remaining)
    }

    /// What is left of it. A board without a clock may wake up earlier than it went to sleep: never more than there was.
    /// Nor is anything known when only one of the two clocks had been set: then nothing counts as passed.
    func deadline(_ ending: Ending) -> NIODeadline {
        let interval = ending.remaining.clamped(to: 0...Self.longest)
        // Wrapping, since a damaged file may say anything.
        let isKnown = Timestamp(milliseconds: ending.wall &- interval).isPlausible == wall.isPlausible
        let remaining = isKnown ? (ending.wall &- wall.milliseconds).clamped(to: 0...interval) : interval
        return now + .milliseconds(remaining)
    }
}

extension Int64 {
    func clamped(to range: ClosedRange<Int64>) -> Int64 {
        Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
    }
}
