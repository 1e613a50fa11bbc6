import MQTT
import MQTTWire
import Pipeline
import Sensing
import Settings
import Testing
import Units

@testable import Uplink

@Suite struct SparkplugSettingsTests {
    private static let place = SourcePosition(line: 1, column: 1)

    private func table(_ entries: KeyValuePairs<String, Value.Kind>) -> Table {
        Table(
            entries.map {
                Table.Entry(key: $0.key, keyPosition: Self.place, value: Value($0.value, at: Self.place))
            })
    }

    private func sensors(_ names: String...) -> Value.Kind {
        .array(names.map { Value(.string($0), at: Self.place) })
    }

    private func read(_ entries: KeyValuePairs<String, Value.Kind>) -> (SparkplugSettings?, [String]) {
        let problems = Problems()
        let reader = SettingsReader(table(entries), keyPath: "uplink[1]", position: Self.place, problems: problems)
        let settings = SparkplugSettings(reader, device: "press-7")
        reader.finish()
        return (settings, problems.errors.map(\.message))
    }

    @Test func aGroupIsEnough() throws {
        let (settings, problems) = read(["group": .string("Plant 1")])
        #expect(problems.isEmpty)
        let expected = try SparkplugSettings(group: "Plant 1", node: "press-7")
        #expect(settings == expected)
        #expect(try expected.topic(.data).string == "spBv1.0/Plant 1/NDATA/press-7")
    }

    @Test func allCanBeSaid() throws {
        let (settings, problems) = read([
            "group": .string("g"), "node": .string("n"), "primary_host": .string("scada"),
            "rebirth_wait": .string("10s"), "maximum_metrics": .integer(100),
            "devices": .table(table(["boiler": sensors("temp", "pressure"), "pump": .string("flow")])),
        ])
        #expect(problems.isEmpty)
        let expected = try SparkplugSettings(
            group: "g", node: "n", devices: ["boiler": ["temp", "pressure"], "pump": ["flow"]], primaryHost: "scada",
            rebirthWait: .seconds(10), maximumMetrics: 100)
        #expect(settings == expected)
        #expect(expected.device(of: "flow") == "pump")
        #expect(expected.device(of: "cpu") == nil)
        #expect(expected.owner(ofMetric: "temp/core/0") == ("temp", "boiler"))
        #expect(expected.stateTopic == "spBv1.0/STATE/scada")
        #expect(expected.sensorsOfDevices == ["flow", "pressure", "temp"])
        #expect(try expected.topic(.death, device: "pump").string == "spBv1.0/g/DDEATH/n/pump")
    }

    @Test func oneDeviceCanHaveAll() throws {
        let (settings, problems) = read(["group": .string("g"), "device": .string("d")])
        #expect(problems.isEmpty)
        #expect(settings?.device(of: "anything") == "d")
        #expect(try #require(settings).owner(ofMetric: "Alarms/full/State").device == nil)
    }

    @Test(
        arguments: [
            ("missing", "is missing"), ("a/b", "\"a/b\" holds \"/\""), ("+", "\"+\" holds \"+\""), ("", "is empty"),
            ("STATE", "\"STATE\" is no name for a group"), ("a\u{7}", "holds a control character"),
        ])
    func groupsThatMakeNoTopicAreRefused(group: String, problem: String) {
        let (settings, problems) = read(group == "missing" ? [:] : ["group": .string(group)])
        #expect(settings == nil)
        #expect(problems == [problem])
    }

    @Test func devicesMustMakeSense() {
        #expect(
            read([
                "group": .string("g"), "devices": .table(table(["a": sensors("s"), "b": sensors("s")])),
            ]).0 == nil)
        #expect(
            read(["group": .string("g"), "devices": .table(table(["a+": sensors("s")]))]).1 == [#""a+" holds "+""#])
        #expect(
            read(["group": .string("g"), "devices": .table(table(["a": .integer(1)]))]).1
                == [#""a" has something else than names of sensors"#])
        #expect(
            read(["group": .string("g"), "device": .string("d"), "devices": .table(table([:]))]).1
                == ["stands beside devices"])
    }
}

@Suite struct SparkplugProfileTests {
    private let time = Timestamp(milliseconds: 1_763_672_400_123)

    private func metrics(_ report: Report) throws -> (String, [SparkplugMetric]) {
        let settings = try SparkplugSettings(group: "g", node: "n", devices: ["d": ["power"]])
        let messages = try SparkplugProfile(settings).messages(for: report, sequence: 1)
        let message = try #require(messages.first)
        #expect(messages.count == 1 && message.qos == .atMostOnce && !message.retain)
        return (message.topic.string, try SparkplugPayload(decoding: message.payload).metrics)
    }

    @Test func readingsAreMetricsWithTheirTypesUnitsAndTimes() throws {
        let (topic, metrics) = try metrics(
            .readings([
                Reading(sensor: "power", channel: "L1", value: .number(230.5), unit: "V", time: time),
                Reading(sensor: "power", channel: "on", value: .boolean(true), time: time, quality: .stale("old")),
                Reading(sensor: "power", channel: "mode", value: .text("eco"), time: time, quality: .outOfRange("x")),
            ]))
        #expect(topic == "spBv1.0/g/DDATA/n/d")
        #expect(
            metrics == [
                SparkplugMetric("power/L1", .double(230.5), type: .double, time: time, unit: "V"),
                SparkplugMetric("power/on", .boolean(true), type: .boolean, time: time, quality: .stale),
                SparkplugMetric("power/mode", .string("eco"), type: .string, time: time, quality: .bad),
            ])
    }

    @Test func alarmsAreMetricsOfTheNode() throws {
        let (topic, metrics) = try metrics(
            .alarm(
                AlarmReport(
                    alarm: "full", sensor: "power", state: .acknowledged, isActive: true, severity: .serious, time: time
                )))
        #expect(topic == "spBv1.0/g/NDATA/n")
        #expect(metrics.map(\.name) == ["Alarms/full/State", "Alarms/full/Active", "Alarms/full/Severity"])
        #expect(metrics.map(\.value) == [.string("acknowledged"), .boolean(true), .string("serious")])
    }

    @Test func aFailureHasNoValue() throws {
        let (topic, metrics) = try metrics(.failure(sensor: "power", reason: "gone", time: time))
        #expect(topic == "spBv1.0/g/DDATA/n/d")
        #expect(metrics == [SparkplugMetric("power", nil, time: time, quality: .bad)])
    }
}
