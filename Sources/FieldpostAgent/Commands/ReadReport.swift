internal import Pipeline
internal import Sensing
internal import Units
internal import Uplink

/// What the sensors said when they were read once, as alarms and uplinks would see it: behind scale, units, ranges and
/// expressions, and before windows and reports by exception, which keep back what is no news.
public struct ReadReport: Sendable {
    struct Entry: Sendable {
        let sensor: String
        var readings: [Reading] = []
        var failure: String?

        /// Why there is neither: what a rate or an implausible value leaves.
        static let silence = "nothing yet: its filters want a second value, or have left this one out"
    }

    let entries: [Entry]

    /// No sensor failed.
    public var isComplete: Bool { entries.allSatisfy { $0.failure == nil } }

    public func lines(asJSON: Bool) -> [String] {
        asJSON ? entries.flatMap { jsonLines($0) } : textLines
    }

    private func jsonLines(_ entry: Entry) -> [String] {
        var lines = entry.readings.map { reading in
            var members = [JSON.Member("sensor", .string(reading.sensor))]
            if let channel = reading.channel { members.append(JSON.Member("channel", .string(channel))) }
            members.append(JSON.Member("time", .string(reading.time.iso8601)))
            members.append(JSON.Member("value", reading.value.json))
            if let unit = reading.unit { members.append(JSON.Member("unit", .string(unit))) }
            if let reason = reading.quality.reason {
                members += [.init("quality", .string(reading.quality.name)), .init("reason", .string(reason))]
            }
            return JSON.object(members).text
        }
        if let failure = entry.failure {
            let json: JSON = ["sensor": .string(entry.sensor), "error": .string(failure)]
            lines.append(json.text)
        } else if lines.isEmpty {
            let json: JSON = ["sensor": .string(entry.sensor), "value": .null, "reason": .string(Entry.silence)]
            lines.append(json.text)
        }
        return lines
    }

    private var textLines: [String] {
        let rows = entries.flatMap { entry -> [(name: String, value: String)] in
            var rows = entry.readings.map { reading in
                (
                    reading.sensor + (reading.channel.map { " \($0)" } ?? ""),
                    reading.value.text + (reading.unit.map { " \($0)" } ?? "")
                        + (reading.quality.reason.map { " (\(reading.quality.name): \($0))" } ?? "")
                )
            }
            if let failure = entry.failure {
                rows.append((entry.sensor, "failed: \(failure)"))
            } else if rows.isEmpty {
                rows.append((entry.sensor, Entry.silence))
            }
            return rows
        }
        let width = rows.map(\.name.count).max() ?? 0
        return rows.map { $0.name + String(repeating: " ", count: width - $0.name.count + 2) + $0.value }
    }
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
    /// Reads these sensors, all at the same time, and what they are derived from; in the order of the configuration.
    public func readOnce(_ names: [String]) async -> ReadReport {
        let processing = sensors.map(\.processing)
        let needed = Pipeline.inputs(of: names, among: processing)
        let read = sensors.filter { needed.contains($0.name) }
        let units = Dictionary(
            read.compactMap { sensor in sensor.unit.map { (sensor.name, $0) } }, uniquingKeysWith: { first, _ in first }
        )
        var pipeline = Pipeline(sensors: processing)
        var entries = Dictionary(
            names.map { ($0, ReadReport.Entry(sensor: $0)) }, uniquingKeysWith: { first, _ in first })
        func take(_ output: PipelineOutput) {
            for value in output.values {
                // One that is derived from several is worked out anew for each of them; the last one knows them all.
                entries[value.sensor]?.readings.removeAll { $0.channel == value.channel }
                entries[value.sensor]?.readings.append(value)
            }
            for case .failure(let sensor, nil, let reason, _) in output.reports { entries[sensor]?.failure = reason }
        }
        for result in await SensorRunner(read.compactMap(\.source)).readOnce() {
            let readings = result.readings.map { reading in
                var reading = reading
                reading.unit = units[reading.sensor] ?? reading.unit
                return reading
            }
            for (channel, reason) in result.error?.failing ?? [:] where !readings.isEmpty {
                take(pipeline.fail(result.sensor, channel: channel, reason: reason, at: .now()))
            }
            if !readings.isEmpty { take(pipeline.accept(readings, at: .now())) }
            guard let error = result.error else { continue }
            // As in the agent: where some channels fail the others go on to say what they measure.
            if readings.isEmpty { take(pipeline.fail(result.sensor, reason: "\(error)", at: .now())) }
            entries[result.sensor]?.failure = "\(error)"
        }
        return ReadReport(entries: sensors.compactMap { entries[$0.name] })
    }
}
