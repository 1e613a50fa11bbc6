/// Notices by the kernel's numbers that edges are missing.
///
/// When the buffer of a line is full the kernel drops the oldest edge in it, so the first one that is read after that
/// tells how many there were.
struct EdgeSequence: Sendable {
    /// How many are missing in all.
    private(set) var lost: UInt64 = 0
    private var next: UInt32 = 1

    /// - Returns: how many are missing between the edge before and this one.
    mutating func take(_ number: UInt32) -> UInt64 {
        let missing = number &- next
        next = number &+ 1
        // Backwards: the kernel has begun anew, and nothing is known.
        guard missing < UInt32.max / 2 else { return 0 }
        lost += UInt64(missing)
        return UInt64(missing)
    }

    /// The line was requested anew.
    mutating func restart() { next = 1 }
}
