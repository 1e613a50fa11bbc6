/// How long a line stays active, or inactive: the newest pulse that was seen from its beginning to its end.
struct PulseWidth: Sendable {
    struct Pulse: Sendable, Hashable {
        /// In nanoseconds.
        var width: UInt64
        /// Of its end, by the kernel's clock.
        var end: UInt64
    }

    /// Which level a pulse has.
    private let isActive: Bool
    private var start: UInt64?
    private var newest: Pulse?

    init(isActive: Bool) { self.isActive = isActive }

    var hasPulse: Bool { newest != nil }

    mutating func take(_ event: LineEvent, lost: UInt64) {
        // The edge that is missing may have been the end of one pulse and the beginning of another.
        if lost > 0 { start = nil }
        if event.isRising == isActive {
            start = event.time
        } else if let begin = start {
            start = nil
            if event.time >= begin { newest = Pulse(width: event.time - begin, end: event.time) }
        }
    }

    /// The newest pulse since the last call; nil if none has ended since.
    mutating func read() -> Pulse? { newest.take() }

    /// The line was requested anew.
    mutating func restart() { start = nil }
}
