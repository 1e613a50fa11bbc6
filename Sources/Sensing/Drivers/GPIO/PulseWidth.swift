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
    private var isNew = false

    init(isActive: Bool) { self.isActive = isActive }

    var hasPulse: Bool { newest != nil }

    mutating func take(_ event: LineEvent, lost: UInt64) {
        // The edge that is missing may have been the end of one pulse and the beginning of another.
        if lost > 0 { start = nil }
        if event.isRising == isActive {
            start = event.time
        } else if let begin = start {
            start = nil
            guard event.time >= begin else { return }
            newest = Pulse(width: event.time - begin, end: event.time)
            isNew = true
        }
    }

    /// The newest pulse, and whether it has ended since the last call; nil if there was none yet.
    mutating func read() -> (pulse: Pulse, isNew: Bool)? {
        defer { isNew = false }
        return newest.map { ($0, isNew) }
    }

    /// The line was requested anew.
    mutating func restart() { start = nil }
}
