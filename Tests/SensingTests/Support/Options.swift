import Sensing
public import Settings
import Testing
import Units

/// What a configuration's lines `key = value` stand for.
typealias Options = KeyValuePairs<String, Value.Kind>

extension Value.Kind: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByUnicodeScalarLiteral,
    ExpressibleByExtendedGraphemeClusterLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
    public init(arrayLiteral elements: Value.Kind...) {
        self = .array(elements.map { Value($0, at: SourcePosition(line: 1, column: 1)) })
    }
}

func reader(_ options: Options) -> SettingsReader {
    let entries = options.enumerated().map { index, option in
        Table.Entry(
            key: option.key, keyPosition: SourcePosition(line: index + 2, column: 1),
            value: Value(option.value, at: SourcePosition(line: index + 2, column: option.key.utf8.count + 4)))
    }
    return SettingsReader(
        Table(entries), keyPath: "sensor[1]", position: SourcePosition(line: 1, column: 1), problems: Problems())
}

/// The printed problems of a driver's options, unknown ones included.
func problems<Driver: SensorDriver>(of driver: Driver.Type, _ options: Options) -> [String] {
    let settings = reader(options)
    let made = Driver(settings, context: DriverContext(sensor: "s"))
    settings.finish()
    let problems = settings.problems.all.map(\.description)
    if made == nil { #expect(!problems.isEmpty, "no driver, and no problem told") }
    return problems
}

/// A driver whose options are good.
func make<Driver: SensorDriver>(
    _ driver: Driver.Type, _ options: Options, in tree: FakeTree? = nil, root: String? = nil, sensor: String = "s"
) throws -> Probe<Driver> {
    let settings = reader(options)
    let made = Driver(settings, context: DriverContext(sensor: sensor, root: root ?? tree?.root ?? "/"))
    settings.finish()
    #expect(settings.problems.all == [])
    return Probe(try #require(made), in: tree)
}

let noon = Timestamp(milliseconds: 1_767_268_800_000)

/// A driver that can be read inside `#expect`, which takes no mutating calls.
final class Probe<Driver: SensorDriver> {
    var driver: Driver
    /// Kept until the last read.
    private let tree: FakeTree?

    init(_ driver: Driver, in tree: FakeTree? = nil) {
        self.driver = driver
        self.tree = tree
    }

    func read(at time: Timestamp) throws(SensorError) -> [Measurement] { try driver.read(at: time) }

    /// Values by channel ("" for none), as text with their unit.
    func values(at time: Timestamp = noon) throws -> [String: String] {
        Dictionary(uniqueKeysWithValues: try read(at: time).map { ($0.channel ?? "", $0.text) })
    }

    func failure(at time: Timestamp = noon) -> SensorError? {
        do throws(SensorError) {
            _ = try read(at: time)
            return nil
        } catch {
            return error
        }
    }
}

extension Probe where Driver: OutputDriver {
    /// Sets a channel; the state that this brings about, as ``values(at:)`` gives it.
    func set(_ value: Reading.Value, channel: String? = nil) throws -> [String: String] {
        let measured = try driver.set(value, channel: channel, at: noon)
        return Dictionary(uniqueKeysWithValues: measured.map { ($0.channel ?? "", $0.text) })
    }

    /// Why something cannot be set.
    func refusal(_ value: Reading.Value, channel: String? = nil) -> SensorError? {
        do throws(SensorError) {
            _ = try driver.set(value, channel: channel, at: noon)
            return nil
        } catch {
            return error
        }
    }

    func stop() { driver.stop(at: noon) }
}

extension Measurement {
    var text: String {
        let value =
            switch value {
            case .number(let number): "\(number)"
            case .boolean(let boolean): "\(boolean)"
            case .text(let text): text
            }
        return value + (unit.map { " \($0)" } ?? "")
    }

    var number: Double? { if case .number(let number) = value { number } else { nil } }
}

extension SensorError {
    /// The message, with a fake tree's root taken away.
    func text(in tree: FakeTree) -> String { text(under: tree.root) }

    /// The message, with a root taken away.
    func text(under root: String) -> String {
        var rest = description[...]
        var text = ""
        while let index = rest.indices.first(where: { rest[$0...].hasPrefix(root) }) {
            text += rest[..<index]
            rest = rest[index...].dropFirst(root.count)
        }
        return text + rest
    }
}
