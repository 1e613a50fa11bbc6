import Pipeline
import Sensing
import Settings
import Testing
import Units

let start = Timestamp(milliseconds: 1_795_262_400_000)

/// So many seconds after the start.
func at(_ seconds: Double) -> Timestamp { Timestamp(milliseconds: start.milliseconds + Int64(seconds * 1000)) }

/// What a table of a configuration says, written as JSON.
func sensorTable(_ options: JSON) -> SettingsReader {
    func kind(_ json: JSON) -> Value.Kind {
        switch json {
        case .null: .date("2026-11-21")
        case .boolean(let boolean): .boolean(boolean)
        case .integer(let integer): .integer(integer)
        case .number(let number): Int64(exactly: number).map(Value.Kind.integer) ?? .number(number)
        case .string(let string): .string(string)
        case .array(let elements): .array(elements.map { Value(kind($0), at: place) })
        case .object: .table(table(json))
        }
    }
    func table(_ json: JSON) -> Table {
        Table(
            (json.object ?? []).map {
                Table.Entry(key: $0.name, keyPosition: place, value: Value(kind($0.value), at: place))
            })
    }
    let place = SourcePosition(line: 1, column: 1)
    return SettingsReader(table(options), keyPath: "", position: place, problems: Problems())
}

/// As it comes back from a file.
func stored(_ state: JSON) throws -> JSON { try JSONReader.value(Array(state.text.utf8)[...]) }

/// What is wrong with a table's filters.
func filterProblems(_ options: JSON) -> [String] {
    let settings = sensorTable(options)
    let filters = FilterSettings(settings)
    settings.finish()
    #expect((filters == nil) == settings.problems.errors.contains { $0.message != "unknown key" })
    return settings.problems.all.map { String("\($0)".dropFirst("1:1: ".count)) }
}

func sensor(_ name: String, _ options: JSON = [:]) throws -> PipelineSensor {
    let settings = sensorTable(options)
    let derived = options["expression"] == nil ? nil : DerivedSensor(settings)
    let filters = FilterSettings(settings)
    settings.finish()
    #expect(settings.problems.all == [])
    return PipelineSensor(name: name, filters: try #require(filters), derived: derived)
}

func number(
    _ value: Double, _ time: Timestamp = start, of sensor: String = "s", channel: String? = nil, unit: String? = nil,
    quality: Quality = .good
) -> Reading {
    Reading(sensor: sensor, channel: channel, value: .number(value), unit: unit, time: time, quality: quality)
}

func boolean(_ value: Bool, _ time: Timestamp = start, of sensor: String = "s") -> Reading {
    Reading(sensor: sensor, value: .boolean(value), time: time)
}

extension Pipeline {
    /// One sensor "s".
    init(_ options: JSON) throws { self.init(sensors: [try sensor("s", options)]) }

    /// A number of the sensor "s", which comes at once.
    mutating func accept(_ value: Double, at seconds: Double, unit: String? = nil) -> PipelineOutput {
        accept([number(value, Pipelines.at(seconds), unit: unit)], at: Pipelines.at(seconds))
    }
}

/// Where a method's own name hides the function.
enum Pipelines {
    static func at(_ seconds: Double) -> Timestamp {
        Timestamp(milliseconds: start.milliseconds + Int64(seconds * 1000))
    }
}

extension Reading {
    /// "s.min 3.0 mm", with "?" where it is not good.
    var text: String {
        let value =
            switch value {
            case .number(let number): "\(number)"
            case .boolean(let boolean): "\(boolean)"
            case .text(let text): text
            }
        let name = channel.map { "\(sensor).\($0)" } ?? sensor
        return "\(name) \(value)\(unit.map { " \($0)" } ?? "")\(quality == .good ? "" : " ?")"
    }

    var number: Double? { if case .number(let number) = value { number } else { nil } }
}

extension PipelineOutput {
    /// What uplinks are told.
    var told: [String] {
        reports.flatMap { report -> [String] in
            switch report {
            case .readings(let readings): readings.map(\.text)
            case .failure(let sensor, let channel, let reason, _):
                ["\(sensor)\(channel.map { ".\($0)" } ?? "") fails: \(reason)"]
            case .alarm: []
            }
        }
    }

    var seen: [String] { values.map(\.text) }
    var numbers: [Double] { values.compactMap(\.number) }
}
