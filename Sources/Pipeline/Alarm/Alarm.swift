public import Sensing
public import Units

/// One alarm: values, failures and the time go in, its changes come out.
///
///     cleared ──condition holds──▶ raised ──acknowledge──▶ acknowledged
///        ▲                           │ condition over           │ condition over
///        ├───────────────────────────┘ (latched: acknowledge)   │
///        └──────────────────────────────────────────────────────┘
///
/// Where the rule names no channel, each of the sensor's has the condition by itself, with its thresholds and delays; the
/// alarm's holds while that of any of them does, and is over with the last one's. A channel of which nothing more comes
/// keeps what it had.
///
/// A sensor without a value neither raises nor clears, unless the rule says that this is what it looks for. What must
/// hold for some time is held by the values around a gap: it is decided by the first one behind it.
///
/// Times may jump: then a delay that is running begins anew where the clock was set back, or set for the first time. But for
/// that, no change is told with an earlier time than the one before, also where a value is that was taken earlier.
public struct Alarm: Sendable {
    /// How many channels of one sensor are told apart: beyond them come those in whose place one is forgotten for which
    /// the condition does not hold.
    public static let maximumChannels = Pipeline.maximumChannels

    public let rule: AlarmRule
    /// Why its sensor has no value; nil while it has one, and before anything is known.
    public private(set) var failure: String?

    /// How often what ``report`` says has changed.
    private(set) var changes = 0

    var phase = AlarmState.cleared
    /// Whether anything was reported, so that the world need not be told that it is clear.
    var isKnown = false
    /// That of the value, where the rule names none.
    var channel: String?
    var value: Reading.Value?
    var unit: String?
    var changedAt = Timestamp(milliseconds: 0)
    var raisedAt: Timestamp?
    var acknowledgedBy: String?
    var repeatedAt = Timestamp(milliseconds: 0)
    var tracks: [AlarmTrack] = []
    /// Whether the condition holds, after its delays. Acknowledged: always; raised: unless it is latched; cleared: never.
    var isActive = false

    /// - Parameter state: what ``state`` was when the agent ended; what is no such thing, or is of another sensor, channel or
    ///   condition, counts as none.
    public init(_ rule: AlarmRule, state: JSON? = nil) {
        self.rule = rule
        if let state { restore(state) }
    }

    /// The present state, as the latest change reported it; nil until the first value.
    public var report: AlarmReport? { isKnown ? report(value, unit, of: channel, at: changedAt) : nil }

    /// When ``advance(to:)`` has something to do, if nothing comes before.
    public var due: Timestamp? {
        let again = phase == .raised ? rule.repeatInterval.map { repeatedAt + $0 } : nil
        return tracks.reduce(again) { earliest($0, $1.due(rule)) }
    }

    /// Takes a value; those of other sensors and channels do not matter.
    ///
    /// - Parameter now: what the clock says; nil: the value's time.
    /// - Returns: what has changed. The first value of all tells that the alarm is clear, if it is.
    public mutating func accept(_ reading: Reading, at now: Timestamp? = nil) -> AlarmReport? {
        accept(CollectionOfOne(reading), at: now)
    }

    /// Takes values that were taken together, each of another channel, as one: the alarm is not cleared by the one of them
    /// and raised by the next.
    mutating func accept(_ readings: some Collection<Reading>, at now: Timestamp? = nil) -> AlarmReport? {
        let standIn = tracks.first(where: \.isStandIn)
        var turned: [(track: Int, time: Timestamp)] = []
        var first: (track: Int, time: Timestamp)?
        var heard: Set<Int> = []
        for reading in readings
        where reading.sensor == rule.sensor && (rule.channel == nil || rule.channel == reading.channel) {
            guard !reading.isImplausible, let index = track(of: reading.channel, standIn) else { continue }
            let time = moment(of: reading, tracks[index], now: now)
            heard.insert(index)
            switch reading.quality {
            case .outOfRange: break
            case .undated: tracks[index].forgetPresent()
            case .stale(let reason):
                failure = reason
                if tracks[index].fail(isWhole: false, at: time, rule) { turned.append((index, time)) }
            case .good:
                guard let holds = rule.condition.holds(reading.value, isActive: tracks[index].isActive) else { break }
                failure = nil
                if tracks[index].take(reading, holds: holds, at: time, rule) { turned.append((index, time)) }
                first = first ?? (index, time)
            }
        }
        if let first {
            for index in tracks.indices where !heard.contains(index) && !tracks[index].isStandIn {
                if tracks[index].forgetFailure() { turned.append((index, first.time)) }
            }
        }
        if let report = change(by: turned) { return forgettingStandIn(report) }
        guard !isKnown, let (index, time) = first else { return forgettingStandIn(nil) }
        return forgettingStandIn(changed(by: tracks[index], at: time))
    }

    /// Takes that its sensor has no value, or one channel of it; those of other channels do not matter.
    public mutating func fail(channel: String? = nil, reason: String, at time: Timestamp) -> AlarmReport? {
        if let channel { return fail(channel, reason: reason, at: time.bounded) }
        failure = reason
        if tracks.isEmpty, rule.condition.includesFailure { tracks = [AlarmTrack(nil, isStandIn: true)] }
        let now = time.bounded
        let turned = tracks.indices.filter { tracks[$0].fail(isWhole: true, at: now, rule) }
        return change(by: turned.map { ($0, now) })
    }

    /// The other channels' values neither hide it, nor are they unknown.
    private mutating func fail(_ channel: String, reason: String, at now: Timestamp) -> AlarmReport? {
        guard rule.channel == nil || rule.channel == channel else { return nil }
        let isKnown = tracks.contains { $0.channel == channel && !$0.isStandIn }
        guard isKnown || rule.condition.includesFailure,
            let index = track(of: channel, tracks.first(where: \.isStandIn))
        else { return nil }
        failure = reason
        let hasTurned = tracks[index].fail(isWhole: false, at: now, rule)
        return forgettingStandIn(hasTurned ? change(by: [(index, now)]) : nil)
    }

    /// Lets time pass: to be called at ``due``, and may be at any time.
    public mutating func advance(to time: Timestamp) -> AlarmReport? {
        let now = time.bounded
        let turned = tracks.indices.filter { tracks[$0].turn(at: now, rule) }
        if let report = change(by: turned.map { ($0, now) }) { return report }
        guard phase == .raised, let interval = rule.repeatInterval else { return nil }
        repeatedAt = repeatedAt.asBegin(at: now)
        guard now - repeatedAt >= interval else { return nil }
        repeatedAt = now
        let own =
            tracks.first { $0.channel == channel && ($0.isActive || !isActive) } ?? tracks.first(where: \.isActive)
        guard let own, let latest = own.latest else { return report(value, unit, of: channel, at: now) }
        return report(latest.value, latest.unit, of: own.channel, at: now)
    }

    /// Takes that it was another time than the clock has said, since the clock was not set then.
    public mutating func retime(_ corrected: (Timestamp) -> Timestamp) {
        func times() -> [Timestamp?] { [changedAt, raisedAt, repeatedAt] + tracks.map(\.since) }
        let former = times()
        func change(_ time: Timestamp) -> Timestamp { corrected(time).bounded }
        for index in tracks.indices { tracks[index].retime(change) }
        raisedAt = raisedAt.map(change)
        (changedAt, repeatedAt) = (change(changedAt), change(repeatedAt))
        if former != times() { changes += 1 }
    }

    /// Takes that somebody knows of it.
    ///
    /// - Returns: nil if it is not raised, or acknowledged already.
    public mutating func acknowledge(by name: String?, at time: Timestamp) -> AlarmReport? {
        guard phase == .raised else { return nil }
        acknowledgedBy = name
        phase = isActive ? .acknowledged : .cleared
        if phase == .cleared { raisedAt = nil }
        return changed(nil, nil, of: channel, at: time.bounded)
    }

    // MARK: -

    /// - Parameter standIn: what a channel that is new begins with.
    /// - Returns: nil where there are too many in each of which the condition holds, or is about to.
    private mutating func track(of channel: String?, _ standIn: AlarmTrack?) -> Int? {
        if let known = tracks.firstIndex(where: { $0.channel == channel && !$0.isStandIn }) { return known }
        let track = standIn?.standing(for: channel) ?? AlarmTrack(channel)
        if tracks.count >= Self.maximumChannels {
            guard let idle = tracks.firstIndex(where: { $0.isIdle && !$0.isStandIn }) else { return nil }
            // Its place is that of others now, but not of those in this round.
            tracks[idle] = track
            return idle
        }
        tracks.append(track)
        return tracks.count - 1
    }

    /// When a reading counts: never before what is known already, unless that is of a time to come.
    private func moment(of reading: Reading, _ track: AlarmTrack, now: Timestamp?) -> Timestamp {
        guard let now = now?.bounded else { return reading.time.bounded }
        let known = [isKnown ? changedAt : nil, track.since].compactMap(\.self).filter { $0 <= now }
        return known.reduce(min(reading.time.bounded, now), max)
    }

    /// Channels have come for which it stood.
    private mutating func forgettingStandIn(_ report: AlarmReport?) -> AlarmReport? {
        if tracks.count > 1 { tracks.removeAll(where: \.isStandIn) }
        return report
    }

    /// Makes the alarm active, or no longer so, if these tracks have brought that about.
    private mutating func change(by turned: [(track: Int, time: Timestamp)]) -> AlarmReport? {
        let isStandInOver = tracks.contains { !$0.isStandIn }
        let holds = tracks.contains { $0.isActive && !($0.isStandIn && isStandInOver) }
        guard holds != isActive else { return nil }
        isActive = holds
        // Who was the first to raise it, and the last to let go.
        let cause =
            holds
            ? turned.first { tracks[$0.track].isActive } : turned.last { tracks[$0.track].latest != nil } ?? turned.last
        let now = cause?.time ?? changedAt
        if isActive, phase == .cleared {
            phase = .raised
            raisedAt = now
            acknowledgedBy = nil
        } else if !isActive, phase == .acknowledged || !rule.isLatched {
            phase = .cleared
            raisedAt = nil
        }
        return changed(by: cause.map { tracks[$0.track] }, at: now)
    }

    private mutating func changed(by track: AlarmTrack?, at now: Timestamp) -> AlarmReport {
        // Of a failure, it is the sensor's.
        changed(track?.latest?.value, track?.latest?.unit, of: track?.latest == nil ? nil : track?.channel, at: now)
    }

    private mutating func changed(
        _ value: Reading.Value?, _ unit: String?, of channel: String?, at now: Timestamp
    ) -> AlarmReport {
        changes += 1
        isKnown = true
        (self.value, self.unit, self.channel) = (value, unit, channel)
        changedAt = now
        repeatedAt = now
        return report(value, unit, of: channel, at: now)
    }

    private func report(
        _ value: Reading.Value?, _ unit: String?, of channel: String?, at time: Timestamp
    ) -> AlarmReport {
        AlarmReport(
            alarm: rule.name, sensor: rule.sensor, channel: rule.channel ?? channel, state: phase, isActive: isActive,
            severity: rule.severity, value: value, unit: unit, time: time, raisedAt: raisedAt,
            acknowledgedBy: acknowledgedBy)
    }
}

extension Reading {
    fileprivate var isImplausible: Bool { if case .outOfRange = quality { true } else { false } }
}
