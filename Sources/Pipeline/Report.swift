public import Sensing
public import Units

/// What the pipeline makes of what sensors say, and what uplinks tell the world.
public enum Report: Sendable, Hashable {
    /// Values of one sensor that were taken together, at least one.
    case readings([Reading])
    /// A sensor, or one channel of it, has begun to have no value.
    case failure(sensor: String, channel: String? = nil, reason: String, time: Timestamp)
    /// An alarm's state has changed.
    case alarm(AlarmReport)
}

/// An alarm's state, and what brought it about.
public struct AlarmReport: Sendable, Hashable {
    /// The alarm's name in the configuration.
    public var alarm: String
    public var sensor: String
    public var channel: String?
    public var state: AlarmState
    /// Whether the condition holds. One that is latched stays raised without it until it is acknowledged.
    public var isActive: Bool
    public var severity: AlarmSeverity
    /// The value that changed the state, or the latest one where time did; nil where none had to do with it.
    public var value: Reading.Value?
    public var unit: String?
    /// When the state changed.
    public var time: Timestamp
    /// When it was raised; nil if it is cleared.
    public var raisedAt: Timestamp?
    /// Who acknowledged it, where that was told.
    public var acknowledgedBy: String?
    /// Whether nothing has changed: it is told again after a restart, so that what is retained of it is right.
    public var isRetold = false

    public init(
        alarm: String, sensor: String, channel: String? = nil, state: AlarmState, isActive: Bool,
        severity: AlarmSeverity, value: Reading.Value? = nil, unit: String? = nil, time: Timestamp,
        raisedAt: Timestamp? = nil, acknowledgedBy: String? = nil
    ) {
        self.alarm = alarm
        self.sensor = sensor
        self.channel = channel
        self.state = state
        self.isActive = isActive
        self.severity = severity
        self.value = value
        self.unit = unit
        self.time = time
        self.raisedAt = raisedAt
        self.acknowledgedBy = acknowledgedBy
    }
}

/// The states of an alarm, as payloads name them.
public enum AlarmState: String, Sendable, Hashable, CaseIterable {
    case cleared, raised, acknowledged
}

/// How much an alarm matters, from the least on.
public enum AlarmSeverity: String, Sendable, Hashable, CaseIterable, Comparable {
    case info, warning, serious, critical

    public static func < (left: Self, right: Self) -> Bool {
        (allCases.firstIndex(of: left) ?? 0) < (allCases.firstIndex(of: right) ?? 0)
    }
}
