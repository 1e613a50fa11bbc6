public import Sensing
internal import Settings
public import Units

/// All alarms of an agent.
///
/// A value goes to the alarms of its sensor only, and the time only to those that wait for it.
public struct AlarmBoard: Sendable {
    /// How often an alarm has changed: when it grows, ``state`` should be kept at once. What else there is in it, such
    /// as the begin of a delay, may be kept now and then.
    public private(set) var stateChanges = 0

    private var alarms: [Alarm]
    private let bySensor: [String: [Int]]
    private let byName: [String: Int]
    /// Which have a time that they are due.
    private var waiting: Set<Int>

    /// - Parameters:
    ///   - rules: each with a name of its own.
    ///   - state: what ``state`` was when the agent ended. What it says of alarms that are no more is forgotten.
    public init(_ rules: [AlarmRule], state: JSON? = nil) {
        let kept = Dictionary((state?.object ?? []).map { ($0.name, $0.value) }) { $1 }
        alarms = rules.map { Alarm($0, state: kept[$0.name]) }
        bySensor = Dictionary(grouping: rules.indices) { rules[$0].sensor }
        byName = Dictionary(rules.indices.map { (rules[$0].name, $0) }) { first, _ in first }
        waiting = []
        for (index, alarm) in alarms.enumerated() where alarm.due != nil { waiting.insert(index) }
    }

    /// What is to be kept over a restart.
    public var state: JSON { .object(alarms.map { JSON.Member($0.rule.name, $0.state) }) }

    /// The present state of each alarm of which there is one.
    public var reports: [AlarmReport] { alarms.compactMap(\.report) }

    /// An alarm with its rule.
    public subscript(name: String) -> Alarm? { byName[name].map { alarms[$0] } }

    /// When ``advance(to:)`` has something to do, if nothing comes before.
    public var due: Timestamp? { waiting.lazy.compactMap { alarms[$0].due }.min() }

    /// Takes values; those of one sensor's channels that stand together as one.
    ///
    /// - Parameter now: what the clock says; nil: what the values' times do.
    /// - Returns: what has changed, in the order of the values and of the rules.
    public mutating func accept(_ values: [Reading], at now: Timestamp? = nil) -> [AlarmReport] {
        var reports: [AlarmReport] = []
        var rest = values[...]
        while let sensor = rest.first?.sensor {
            guard let watchers = bySensor[sensor] else {
                rest = rest.drop { $0.sensor == sensor }
                continue
            }
            var channels: Set<String?> = []
            let round = rest.prefix { $0.sensor == sensor && channels.insert($0.channel).inserted }
            rest = rest[round.endIndex...]
            reports += update(watchers) { $0.accept(round, at: now) }
        }
        return reports
    }

    /// Takes that a sensor has no value, or one of its channels has none.
    public mutating func fail(
        sensor: String, channel: String? = nil, reason: String, at time: Timestamp
    ) -> [AlarmReport] {
        update(bySensor[sensor] ?? []) { $0.fail(channel: channel, reason: reason, at: time) }
    }

    /// Lets time pass: to be called at ``due``, and may be at any time.
    ///
    /// - Returns: what has changed, and what is to be told again.
    public mutating func advance(to time: Timestamp) -> [AlarmReport] {
        update(waiting.sorted()) { $0.advance(to: time) }
    }

    /// Takes that it was another time than the clock has said, since the clock was not set then.
    public mutating func retime(_ corrected: (Timestamp) -> Timestamp) {
        for index in alarms.indices {
            let changes = alarms[index].changes
            alarms[index].retime(corrected)
            stateChanges += alarms[index].changes - changes
        }
    }

    /// Takes that somebody knows of an alarm.
    ///
    /// - Returns: what has changed; nothing if the alarm is not raised, or acknowledged already.
    /// - Throws: ``InvalidText`` if there is no such alarm.
    public mutating func acknowledge(
        _ name: String, by person: String?, at time: Timestamp
    ) throws(InvalidText) -> [AlarmReport] {
        guard let index = byName[name] else {
            throw InvalidText(
                "there is no alarm \"\(name)\"",
                mend: byName.isEmpty ? "none is configured" : byName.keys.sorted().suggestion(for: name))
        }
        return update([index]) { $0.acknowledge(by: person, at: time) }
    }

    private mutating func update(_ indices: [Int], _ body: (inout Alarm) -> AlarmReport?) -> [AlarmReport] {
        indices.compactMap { index in
            let changes = alarms[index].changes
            let report = body(&alarms[index])
            stateChanges += alarms[index].changes - changes
            if alarms[index].due != nil { waiting.insert(index) } else { waiting.remove(index) }
            return report
        }
    }
}
