public import MQTT
internal import MQTTWire
public import Pipeline
internal import Sensing
internal import Units

/// What is reported, as Sparkplug B data messages that wait to be sent: ``SparkplugStore`` gives them their sequence
/// numbers, and tells the node's births before them.
///
/// A sensor's value is the metric `sensor`, one of several `sensor/channel`: numbers are of type Double, booleans Boolean,
/// texts String, each with the time at which it was taken, its unit as the property `engUnit`, and as the property
/// `Quality` 192 (good), 500 (stale) or 0 (out of range). When a sensor fails, all of its metrics become null, with
/// quality 0; when a channel does, the one. An alarm is three metrics of the node: `Alarms/{name}/State` (`cleared`, `raised`, `acknowledged`),
/// `Alarms/{name}/Active` and `Alarms/{name}/Severity`.
public struct SparkplugProfile: Profile {
    public let settings: SparkplugSettings

    public init(_ settings: SparkplugSettings) { self.settings = settings }

    public func messages(for report: Report, sequence: Int64) throws -> [Message] {
        switch report {
        case .readings(let readings):
            guard let sensor = readings.first?.sensor else { return [] }
            return [try message(readings.map(Self.metric(of:)), device: settings.device(of: sensor))]
        case .failure(let sensor, let channel, _, let time):
            // Without a type: it stands for all of the sensor's metrics, which only the store knows, or for the channel's.
            let name = channel.map { "\(sensor)/\($0)" } ?? sensor
            let metric = SparkplugMetric(name, nil, time: time, quality: .bad)
            return [try message([metric], device: settings.device(of: sensor))]
        case .alarm(let alarm):
            return [try message(Self.metrics(of: alarm), device: nil, priority: .high)]
        }
    }

    private func message(
        _ metrics: [SparkplugMetric], device: String?, priority: Priority = .normal
    ) throws(TopicError) -> Message {
        let payload = SparkplugPayload(time: metrics.compactMap(\.time).max(), metrics: metrics)
        return Message(
            topic: try settings.topic(.data, device: device), payload: payload.encoded, qos: .atMostOnce,
            priority: priority)
    }

    static func metric(of reading: Reading) -> SparkplugMetric {
        let quality = SparkplugQuality(reading.quality)
        return SparkplugMetric(
            reading.channel.map { "\(reading.sensor)/\($0)" } ?? reading.sensor, SparkplugValue(reading.value),
            type: SparkplugType(of: reading.value), time: reading.time, quality: quality == .good ? nil : quality,
            unit: reading.unit)
    }

    static func metrics(of alarm: AlarmReport) -> [SparkplugMetric] {
        func metric(_ name: String, _ value: SparkplugValue, _ type: SparkplugType) -> SparkplugMetric {
            SparkplugMetric("Alarms/\(alarm.alarm)/\(name)", value, type: type, time: alarm.time)
        }
        return [
            metric("State", .string(alarm.state.rawValue), .string),
            metric("Active", .boolean(alarm.isActive), .boolean),
            metric("Severity", .string(alarm.severity.rawValue), .string),
        ]
    }
}
