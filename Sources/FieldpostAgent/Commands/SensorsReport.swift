public import Sensing
internal import Settings
internal import Units
internal import Uplink

/// What `fieldpost sensors` says: what this board has, what it says at present, and why something that is there cannot be
/// read.
public struct SensorsReport: Sendable {
    public let found: [FoundSensor]
    public let interfaces: [BoardInterface]

    public init(_ found: [FoundSensor], _ interfaces: [BoardInterface] = []) {
        self.found = found
        self.interfaces = interfaces
    }

    /// Looks around on this board, and reads each sensor once.
    public static func look() async -> SensorsReport {
        SensorsReport(
            await SensorDiscovery(finders: AgentDrivers.finders, registry: AgentDrivers.registry).run(),
            BoardInterface.find())
    }

    /// A table, below it what cannot be read, and then where more may be connected.
    public var lines: [String] {
        let places = interfaces.flatMap(Self.lines(of:))
        return sensorLines + (places.isEmpty ? [] : ["", "Where more may be connected:"] + places)
    }

    private static func lines(of interface: BoardInterface) -> [String] {
        var options = "driver = \"\(interface.driver)\""
        switch interface.driver {
        case "gpio": options += ", chip = \"\(interface.name)\""
        case "i2c": options += ", bus = \"\(interface.name)\""
        default: options += ", device = \"\(interface.name)\""
        }
        var lines = ["\(interface.place): " + (interface.obstacle.map { "\($0)" } ?? options)]
        for (title, names) in [("free", interface.free), ("used", interface.used)] where !names.isEmpty {
            lines += wrapped(names).enumerated().map { "    \($0 == 0 ? title : "    ")  \($1)" }
        }
        return lines
    }

    private static func wrapped(_ names: [String]) -> [String] {
        var lines: [String] = []
        for (index, name) in names.enumerated() {
            let text = index + 1 < names.count ? name + "," : name
            if let last = lines.last, last.count + text.count < 90 {
                lines[lines.count - 1] = "\(last) \(text)"
            } else {
                lines.append(text)
            }
        }
        return lines
    }

    private var sensorLines: [String] {
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

    /// One object for each sensor, and then for each place where more may be connected.
    public var jsonLines: [String] {
        sensorObjects
            + interfaces.map { interface in
                var members = [
                    JSON.Member("interface", .string(interface.driver)), .init("name", .string(interface.name)),
                    .init("place", .string(interface.place)), .init("free", .array(interface.free.map(JSON.string))),
                    .init("used", .array(interface.used.map(JSON.string))),
                ]
                if let obstacle = interface.obstacle { members.append(.init("error", .string("\(obstacle)"))) }
                return JSON.object(members).text
            }
    }

    private var sensorObjects: [String] {
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
        // Only its owner knows what is connected there.
        for interface in interfaces {
            lines += [""] + Self.lines(of: interface).map(Self.comment)
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
            case .number(let number): Self.text(of: number)
            case .boolean(let value): "\(value)"
            case .text(let text): text
            }
        return text + (unit.map { " \($0)" } ?? "")
    }

    /// Three digits behind the point, and none if they are noughts.
    private static func text(of number: Double) -> String {
        let rounded = (number * 1000).rounded() / 1000
        return Int64(exactly: rounded).map { "\($0)" } ?? "\(rounded)"
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
