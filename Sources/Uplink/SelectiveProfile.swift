public import MQTT
public import Pipeline
internal import Sensing

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

/// Tells an alarm's state once: for platforms where each telling is an event. Elsewhere it is told again at each start, so
/// that what is retained of it is right.
public struct NewAlarmsProfile: Profile {
    private let profile: any Profile

    public init(_ profile: any Profile) { self.profile = profile }

    public func messages(for report: Report, sequence: Int64) throws -> [Message] {
        if case .alarm(let alarm) = report, alarm.isRetold { return [] }
        return try profile.messages(for: report, sequence: sequence)
    }
}

extension Report {
    /// Whose it is; nil for readings of none.
    public var sensor: String? {
        switch self {
        case .readings(let readings): readings.first?.sensor
        case .failure(let sensor, _, _, _): sensor
        case .alarm(let alarm): alarm.sensor
        }
    }
}
