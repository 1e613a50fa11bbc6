public import Sensing
public import Units

/// One alarm: values, failures and the time go in, its changes come out.
///
///     cleared ──condition holds──▶ raised ──acknowledge──▶ acknowledged
///        ▲                           │ condition over           │ condition over
///        ├───────────────────────────┘ (latched: acknowledge)   │
///        └──────────────────────────────────────────────────────┘
///
/// A sensor without a value neither raises nor clears, unless the rule says that this is what it looks for. What must
/// hold for some time is held by the values around a gap: it is decided by the first one behind it.
///
/// Times may jump: then a delay that is running begins anew where the clock was set back, or set for the first time.
public struct Alarm: Sendable {
    public let rule: AlarmRule
    /// Why its sensor has no value; nil while it has one, and before anything is known.
    public private(set) var failure: String?
    /// Of a rule for all channels, those that have no value while others have.
    private var failing: Set<String> = []

    /// How often what ``report`` says has changed.
    private(set) var changes = 0

    private var phase = AlarmState.cleared
    /// Whether the condition holds, after its delays. Acknowledged: always; raised: unless it is latched; cleared: never.
    private var isActive = false
    /// Whether anything was reported, so that the world need not be told that it is clear.
    private var isKnown = false
    private var value: Reading.Value?
    private var unit: String?
    private var changedAt = Timestamp(milliseconds: 0)
    private var raisedAt: Timestamp?
    private var acknowledgedBy: String?
    private var repeatedAt = Timestamp(milliseconds: 0)

    /// Since when the condition is other than `isActive` says.
    private var since: Timestamp?
    /// False while it is not known whether it still is, and so time alone decides nothing.
    private var isObserved = false
    private var latest: (value: Reading.Value?, unit: String?)?

    /// - Parameter state: what ``state`` was when the agent ended; what is no such thing counts as none.
    public init(_ rule: AlarmRule, state: JSON? = nil) {
        self.rule = rule
        guard let state else { return }
        since = state["since"]?.timestamp
        guard let phase = state["state"]?.string.flatMap(AlarmState.init), let changedAt = state["changed"]?.timestamp,
            let isActive = state["active"]?.boolean
        else { return }
        switch phase {
        case .cleared where !isActive: break
        case .raised where isActive || rule.isLatched: break
        case .acknowledged where isActive: break
        // The rule is not the one that it was: the first value tells what the state is.
        default: return
        }
        self.phase = phase
        self.isActive = isActive
        self.changedAt = changedAt
        isKnown = true
        value = state["value"].flatMap(Reading.Value.init)
        unit = state["unit"]?.string
        raisedAt = phase == .cleared ? nil : state["raised"]?.timestamp ?? changedAt
        acknowledgedBy = state["by"]?.string
        repeatedAt = state["repeated"]?.timestamp ?? changedAt
    }

    /// What is to be kept over a restart. What it holds is this type's own affair.
    public var state: JSON {
        var members: [JSON.Member] = []
        func add(_ name: String, _ value: JSON?) {
            if let value { members.append(JSON.Member(name, value)) }
        }
        if isKnown {
            add("state", .string(phase.rawValue))
            add("active", .boolean(isActive))
            add("changed", .integer(changedAt.milliseconds))
            add("raised", raisedAt.map { .integer($0.milliseconds) })
            add("repeated", phase == .raised ? .integer(repeatedAt.milliseconds) : nil)
            add("by", acknowledgedBy.map(JSON.string))
            add("value", value?.json)
            add("unit", unit.map(JSON.string))
        }
        add("since", since.map { .integer($0.milliseconds) })
        return .object(members)
    }

    /// The present state, as the latest change reported it; nil until the first value.
    public var report: AlarmReport? { isKnown ? report(value, unit, at: changedAt) : nil }

    /// When ``advance(to:)`` has something to do, if nothing comes before.
    public var due: Timestamp? {
        let turn = isObserved ? since.map { $0 + delay } : nil
        let again = phase == .raised ? rule.repeatInterval.map { repeatedAt + $0 } : nil
        return if let turn, let again { min(turn, again) } else { turn ?? again }
    }

    /// Takes a value; those of other sensors and channels do not matter.
    ///
    /// - Returns: what has changed. The first value of all tells that the alarm is clear, if it is.
    public mutating func accept(_ reading: Reading) -> AlarmReport? {
        guard reading.sensor == rule.sensor, rule.channel == nil || rule.channel == reading.channel else { return nil }
        switch reading.quality {
        case .good: break
        case .stale(let reason): return fail(reason: reason, at: reading.time)
        case .outOfRange: return nil
        }
        if let channel = reading.channel { failing.remove(channel) }
        guard let isMet = rule.condition.holds(reading.value, isActive: isActive) else { return nil }
        let holds = isMet || !failing.isEmpty
        let now = reading.time.bounded
        failure = nil
        latest = (reading.value, reading.unit)
        if let report = observe(holds, at: now) { return report }
        return isKnown ? nil : changed(reading.value, reading.unit, at: now)
    }

    /// Takes that its sensor has no value, or one channel of it; those of other channels do not matter.
    public mutating func fail(channel: String? = nil, reason: String, at time: Timestamp) -> AlarmReport? {
        if let channel, rule.channel == nil {
            // The other channels' values neither hide it, nor are they unknown.
            guard rule.condition.includesFailure, failing.count < Pipeline.maximumChannels else { return nil }
            failing.insert(channel)
        } else if let channel, rule.channel != channel {
            return nil
        } else {
            failing = []
        }
        failure = reason
        latest = nil
        guard rule.condition.includesFailure else {
            isObserved = false
            return nil
        }
        return observe(true, at: time.bounded)
    }

    /// Lets time pass: to be called at ``due``, and may be at any time.
    public mutating func advance(to time: Timestamp) -> AlarmReport? {
        let now = time.bounded
        if let report = turn(at: now) { return report }
        guard phase == .raised, let interval = rule.repeatInterval else { return nil }
        repeatedAt = repeatedAt.asBegin(at: now)
        guard now - repeatedAt >= interval else { return nil }
        repeatedAt = now
        let (value, unit) = latest ?? (value, unit)
        return report(value, unit, at: now)
    }

    /// Takes that it was another time than the clock has said, since the clock was not set then.
    public mutating func retime(_ corrected: (Timestamp) -> Timestamp) {
        let former = (since, changedAt, raisedAt, repeatedAt)
        func change(_ time: Timestamp) -> Timestamp { corrected(time).bounded }
        (since, raisedAt) = (since.map(change), raisedAt.map(change))
        (changedAt, repeatedAt) = (change(changedAt), change(repeatedAt))
        if former != (since, changedAt, raisedAt, repeatedAt) { changes += 1 }
    }

    /// Takes that somebody knows of it.
    ///
    /// - Returns: nil if it is not raised, or acknowledged already.
    public mutating func acknowledge(by name: String?, at time: Timestamp) -> AlarmReport? {
        guard phase == .raised else { return nil }
        acknowledgedBy = name
        phase = isActive ? .acknowledged : .cleared
        if phase == .cleared { raisedAt = nil }
        return changed(nil, nil, at: time.bounded)
    }

    // MARK: -

    private var delay: Duration { isActive ? rule.clearDelay : rule.raiseDelay }

    private mutating func observe(_ holds: Bool, at now: Timestamp) -> AlarmReport? {
        isObserved = true
        if holds == isActive {
            since = nil
            return nil
        }
        if since == nil { since = now }
        return turn(at: now)
    }

    /// Makes the alarm active, or no longer so, if that has lasted.
    private mutating func turn(at now: Timestamp) -> AlarmReport? {
        guard let begin = since?.asBegin(at: now) else { return nil }
        since = begin
        guard isObserved, now - begin >= delay else { return nil }
        since = nil
        isActive.toggle()
        if isActive, phase == .cleared {
            phase = .raised
            raisedAt = now
            acknowledgedBy = nil
        } else if !isActive, phase == .acknowledged || !rule.isLatched {
            phase = .cleared
            raisedAt = nil
        }
        return changed(latest?.value, latest?.unit, at: now)
    }

    private mutating func changed(_ value: Reading.Value?, _ unit: String?, at now: Timestamp) -> AlarmReport {
        changes += 1
        isKnown = true
        (self.value, self.unit) = (value, unit)
        changedAt = now
        repeatedAt = now
        return report(value, unit, at: now)
    }

    private func report(_ value: Reading.Value?, _ unit: String?, at time: Timestamp) -> AlarmReport {
        AlarmReport(
            alarm: rule.name, sensor: rule.sensor, channel: rule.channel, state: phase, isActive: isActive,
            severity: rule.severity, value: value, unit: unit, time: time, raisedAt: raisedAt,
            acknowledgedBy: acknowledgedBy)
    }
}

extension Timestamp {
    /// So far from the ends of its range that durations can be added: 285,000 years.
    private static let limit: Int64 = 1 << 53

    fileprivate var bounded: Timestamp {
        Timestamp(milliseconds: min(max(milliseconds, -Self.limit), Self.limit))
    }

    /// When something that began at this time has begun as a clock sees it that was set back since, or set at all.
    fileprivate func asBegin(at now: Timestamp) -> Timestamp {
        now < self || (now.isPlausible && !isPlausible) ? now : self
    }
}

extension JSON {
    fileprivate var timestamp: Timestamp? {
        number.flatMap { Int64(exactly: $0) }.map { Timestamp(milliseconds: $0).bounded }
    }
}

extension Reading.Value {
    fileprivate init?(_ json: JSON) {
        switch json {
        case .boolean(let value): self = .boolean(value)
        case .integer, .number:
            guard let number = json.number else { return nil }
            self = .number(number)
        case .string(let value): self = .text(value)
        case .null, .array, .object: return nil
        }
    }

    fileprivate var json: JSON {
        switch self {
        case .number(let value): .number(value)
        case .boolean(let value): .boolean(value)
        case .text(let value): .string(value)
        }
    }
}
