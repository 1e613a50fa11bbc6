public import MQTT
public import Pipeline
internal import Sensing
public import Units

/// Tells of some sensors only, and of their alarms.
public struct SelectiveProfile: Profile {
    private let profile: any Profile
    private let sensors: Set<String>

    public init(_ profile: any Profile, sensors: Set<String>) {
        self.profile = profile
        self.sensors = sensors
    }

    public func messages(for report: Report, sequence: Int64) throws -> [Message] {
        // An alarm that the configuration has no more names no sensor.
        guard let sensor = report.sensor, sensors.contains(sensor) || sensor.isEmpty else { return [] }
        return try profile.messages(for: report, sequence: sequence)
    }
}

/// Tells of no alarm whose state is older than this: for platforms where each telling is an event. Elsewhere an alarm's state
/// is told again at each start, so that what is retained of it is right.
public struct NewAlarmsProfile: Profile {
    private let profile: any Profile
    private let start: Timestamp

    /// - Parameter start: when this run has begun.
    public init(_ profile: any Profile, since start: Timestamp) {
        self.profile = profile
        self.start = start
    }

    public func messages(for report: Report, sequence: Int64) throws -> [Message] {
        if case .alarm(let alarm) = report, alarm.time < start { return [] }
        return try profile.messages(for: report, sequence: sequence)
    }
}

extension Report {
    /// Whose it is; nil for readings of none.
    public var sensor: String? {
        switch self {
        case .readings(let readings): readings.first?.sensor
        case .failure(let sensor, _, _): sensor
        case .alarm(let alarm): alarm.sensor
        }
    }
}
