public import Sensing
internal import Settings
internal import Uplink

/// What `fieldpost sensors` says: what this board has, what it says at present, and why something that is there cannot be
/// read.
public struct SensorsReport: Sendable {
    public let found: [FoundSensor]

    public init(_ found: [FoundSensor]) { self.found = found }

    /// Looks around on this board, and reads each sensor once.
    public static func look() async -> SensorsReport {
        SensorsReport(await SensorDiscovery(finders: AgentDrivers.finders, registry: AgentDrivers.registry).run())
    }

    /// A table, and below it what cannot be read.
    public var lines: [String] {
        if found.isEmpty { return ["no sensor was found that the drivers can read"] }
        var table = TextTable("sensor", "driver", "says", "is")
        for sensor in found where !sensor.readings.isEmpty || sensor.error == nil {
            table.add(sensor.candidate.name, sensor.candidate.driver, sensor.presentValue, sensor.candidate.summary)
        }
        let troubles = found.compactMap { sensor in
            sensor.error.map { "\(sensor.candidate.name) (\(sensor.candidate.driver)): \($0)" }
        }
        return table.lines + (troubles.isEmpty ? [] : ["", "There, but not to be read now:"] + troubles)
    }

    /// One object for each sensor.
    public var jsonLines: [String] {
        found.map { sensor in
            var members = [
                JSON.Member("name", .string(sensor.candidate.name)),
                JSON.Member("driver", .string(sensor.candidate.driver)),
                JSON.Member("options", .object(sensor.candidate.options.map { .init($0.key, $0.value.json) })),
                JSON.Member("summary", .string(sensor.candidate.summary)),
                JSON.Member(
                    "readings",
                    .array(
                        sensor.readings.map { reading in
                            var members: [JSON.Member] = []
                            if let channel = reading.channel { members.append(.init("channel", .string(channel))) }
                            members.append(.init("value", reading.value.json))
                            if let unit = reading.unit { members.append(.init("unit", .string(unit))) }
                            return .object(members)
                        })),
            ]
            if let error = sensor.error { members.append(.init("error", .string("\(error)"))) }
            return JSON.object(members).text
        }
    }

    /// Tables for a configuration; what cannot be read now stands there as comment, with the reason.
    public var toml: [String] {
        var lines = [
            "# What `fieldpost sensors --toml` found. Names are yours to change; `fieldpost check` finds what is wrong.",
            "", "# The board is its own broker; or name another one: [broker], and servers = [\"mqtt://HOST\"].",
            "[server]", #"store = { path = "broker.db" }"#,
        ]
        if found.isEmpty { lines.append("# No sensor was found that the drivers can read.") }
        for sensor in found {
            var text = TOMLText()
            text.write(sensor.candidate)
            if sensor.readings.isEmpty, let error = sensor.error {
                lines += ["", Self.comment("\(sensor.candidate.summary): \(error)")]
                lines += text.lines.filter { !$0.isEmpty }.map { "# \($0)" }
            } else {
                lines += ["", Self.comment("\(sensor.candidate.summary): \(sensor.presentValue)")]
                lines += text.lines.filter { !$0.isEmpty }
            }
        }
        return lines
    }

    private static func comment(_ text: String) -> String {
        "# \(Console.printable(String(text.map { $0.isNewline ? " " : $0 })))"
    }
}

extension FoundSensor {
    /// The first few values, for a line of text.
    var presentValue: String {
        guard !readings.isEmpty else { return error.map { "no value: \($0)" } ?? "no value" }
        let values = readings.prefix(3).map { reading in
            (reading.channel.map { "\($0) " } ?? "") + reading.text
        }
        return values.joined(separator: ", ") + (readings.count > 3 ? ", …" : "")
    }
}

extension Reading {
    fileprivate var text: String {
        let text =
            switch value {
            case .number(let number): "\((number * 1000).rounded() / 1000)"
            case .boolean(let value): "\(value)"
            case .text(let text): text
            }
        return text + (unit.map { " \($0)" } ?? "")
    }
}

extension Value.Kind {
    fileprivate var json: JSON {
        switch self {
        case .string(let text): .string(text)
        case .integer(let number): .integer(number)
        case .number(let number): .number(number)
        case .boolean(let boolean): .boolean(boolean)
        case .array(let values): .array(values.map(\.kind.json))
        // No option of a driver is one of these.
        case .table, .date: .null
        }
    }
}
