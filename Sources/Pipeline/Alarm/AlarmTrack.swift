internal import Sensing
internal import Units

/// An alarm's condition in one channel of its sensor, with its delays.
struct AlarmTrack: Sendable {
    /// Nil too for one that stands in for channels that are not known yet.
    let channel: String?
    /// Whether it is that of a sensor that failed before it said which channels it has: each that comes begins with it.
    let isStandIn: Bool
    /// Whether the condition holds, after its delays.
    private(set) var isActive: Bool
    /// Since when the condition is other than `isActive` says.
    private(set) var since: Timestamp?
    /// False while it is not known whether it still is, and so time alone decides nothing.
    private(set) var isObserved = false
    /// Whether it is a missing value that it was told of last.
    private(set) var isFailing = false
    private(set) var latest: (value: Reading.Value, unit: String?)?
    /// What it was before its sensor failed as a whole; nil while that does not.
    private var before: (isActive: Bool, since: Timestamp?)?

    init(_ channel: String?, isStandIn: Bool = false, isActive: Bool = false, since: Timestamp? = nil) {
        self.channel = channel
        self.isStandIn = isStandIn
        self.isActive = isActive
        self.since = since
    }

    /// Whether another one that was never told of anything would do as well.
    var isIdle: Bool { !isActive && since == nil }

    /// When ``turn(at:_:)`` has something to do.
    func due(_ rule: AlarmRule) -> Timestamp? { isObserved ? since.map { $0 + delay(rule) } : nil }

    private func delay(_ rule: AlarmRule) -> Duration { isActive ? rule.clearDelay : rule.raiseDelay }

    // Each of these returns whether it has turned active, or no longer is.

    /// Takes a value, of which is known whether the condition holds for it.
    mutating func take(_ reading: Reading, holds: Bool, at now: Timestamp, _ rule: AlarmRule) -> Bool {
        isFailing = false
        before = nil
        latest = (reading.value, reading.unit)
        return observe(holds, at: now, rule)
    }

    /// Takes that there is no value.
    ///
    /// - Parameter isWhole: whether it is the sensor that has none, whatever the channel.
    mutating func fail(isWhole: Bool, at now: Timestamp, _ rule: AlarmRule) -> Bool {
        latest = nil
        guard rule.condition.includesFailure else {
            isObserved = false
            return false
        }
        isFailing = true
        before = isWhole ? before ?? (isActive, since) : nil
        return observe(true, at: now, rule)
    }

    /// Takes that there is a value of which nobody knows when it was right: what it was before is over, or may be, and what
    /// it is now is not known.
    mutating func forgetPresent() {
        if isFailing, !isActive { since = nil }
        (isObserved, isFailing, latest) = (false, false, nil)
    }

    /// Takes that the sensor that failed as a whole has values of other channels again: this one may have gone for good, and
    /// is what it was before.
    mutating func forgetFailure() -> Bool {
        guard let before else { return false }
        defer { (isActive, since) = before }
        (isObserved, isFailing) = (false, false)
        self.before = nil
        return isActive != before.isActive
    }

    private mutating func observe(_ holds: Bool, at now: Timestamp, _ rule: AlarmRule) -> Bool {
        isObserved = true
        if holds == isActive {
            since = nil
            return false
        }
        if since == nil { since = now }
        return turn(at: now, rule)
    }

    /// Lets time pass.
    mutating func turn(at now: Timestamp, _ rule: AlarmRule) -> Bool {
        guard let begin = since?.asBegin(at: now) else { return false }
        since = begin
        guard isObserved, now - begin >= delay(rule) else { return false }
        since = nil
        isActive.toggle()
        return true
    }

    mutating func retime(_ corrected: (Timestamp) -> Timestamp) { since = since.map(corrected) }

    /// With the same condition and delay, but for a channel that has come.
    func standing(for channel: String?) -> AlarmTrack {
        var track = AlarmTrack(channel, isActive: isActive, since: since)
        (track.isObserved, track.isFailing, track.before) = (isObserved, isFailing, before)
        return track
    }

    // MARK: State

    var state: JSON {
        .members([
            "channel": channel.map(JSON.string), "standIn": isStandIn ? true : nil, "active": .boolean(isActive),
            "since": since.map { JSON($0) }, "before": before.map { .boolean($0.isActive) },
        ]) ?? .null
    }

    init?(_ state: JSON) {
        guard let isActive = state["active"]?.boolean else { return nil }
        self.init(
            state["channel"]?.string, isStandIn: state["standIn"]?.boolean ?? false, isActive: isActive,
            since: state["since"]?.time?.bounded)
        if isIdle { return nil }
        before = state["before"]?.boolean.map { ($0, nil) }
    }
}

extension Timestamp {
    /// So far from the ends of its range that durations can be added: 285,000 years.
    private static let limit: Int64 = 1 << 53

    var bounded: Timestamp { Timestamp(milliseconds: min(max(milliseconds, -Self.limit), Self.limit)) }

    /// When something that began at this time has begun as a clock sees it that was set back since, or set at all.
    func asBegin(at now: Timestamp) -> Timestamp { now < self || (now.isPlausible && !isPlausible) ? now : self }
}
