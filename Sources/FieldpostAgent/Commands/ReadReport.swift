internal import Sensing
internal import Units
internal import Uplink

/// What the sensors said when they were read once.
public struct ReadReport: Sendable {
    let results: [SensorResult]
    let units: [String: String]

    /// No sensor failed.
    public var isComplete: Bool { results.allSatisfy { $0.error == nil } }

    public func lines(asJSON: Bool) -> [String] {
        asJSON ? results.flatMap { jsonLines($0) } : textLines
    }

    private func jsonLines(_ result: SensorResult) -> [String] {
        var lines = result.readings.map { reading in
            var members = [JSON.Member("sensor", .string(reading.sensor))]
            if let channel = reading.channel { members.append(JSON.Member("channel", .string(channel))) }
            members.append(JSON.Member("time", .string(reading.time.iso8601)))
            members.append(JSON.Member("value", reading.value.json))
            if let unit = unit(of: reading) { members.append(JSON.Member("unit", .string(unit))) }
            if let reason = reading.quality.reason {
                members += [.init("quality", .string(reading.quality.name)), .init("reason", .string(reason))]
            }
            return JSON.object(members).text
        }
        if let error = result.error {
            let json: JSON = ["sensor": .string(result.sensor), "error": .string("\(error)")]
            lines.append(json.text)
        }
        return lines
    }

    private var textLines: [String] {
        let rows = results.flatMap { result -> [(name: String, value: String)] in
            var rows = result.readings.map { reading in
                (
                    reading.sensor + (reading.channel.map { " \($0)" } ?? ""),
                    reading.value.text + (unit(of: reading).map { " \($0)" } ?? "")
                        + (reading.quality.reason.map { " (\(reading.quality.name): \($0))" } ?? "")
                )
            }
            if let error = result.error { rows.append((result.sensor, "failed: \(error)")) }
            return rows
        }
        let width = rows.map(\.name.count).max() ?? 0
        return rows.map { $0.name + String(repeating: " ", count: width - $0.name.count + 2) + $0.value }
    }

    private func unit(of reading: Reading) -> String? { units[reading.sensor] ?? reading.unit }
}

extension Reading.Value {
    fileprivate var text: String {
        switch self {
        case .text(let text): text
        default: json.text
        }
    }
}

extension AgentConfiguration {
    /// Reads these sensors, all at the same time; in the order of the configuration.
    public func readOnce(_ names: [String]) async -> ReadReport {
        let chosen = sensors.filter { names.contains($0.name) }
        return ReadReport(
            results: await SensorRunner(chosen.compactMap(\.source)).readOnce(),
            units: Dictionary(
                chosen.compactMap { sensor in sensor.unit.map { (sensor.name, $0) } },
                uniquingKeysWith: { first, _ in first }))
    }
}
