import MQTT
import MQTTWire
import NIOCore
import Pipeline
import Sensing
import Settings
import TestSupport
import Testing
import Units

@testable import Uplink

@Suite struct SenMLProfileTests {
    private let time = Timestamp(milliseconds: 1_795_208_400_123)

    private func profile(_ encoding: SenMLProfile.Encoding = .json) throws -> SenMLProfile {
        SenMLProfile(
            device: "shed-3", encoding: encoding, route: Route(topic: try TopicTemplate(parsing: "f/{device}/senml")))
    }

    private func text(_ report: Report) throws -> String {
        let messages = try profile().messages(for: report, sequence: 1)
        #expect(messages.map(\.topic.string) == ["f/shed-3/senml"])
        return messages.map { String(buffer: $0.payload) }.joined()
    }

    private func reading(
        _ value: Reading.Value, _ unit: String? = nil, channel: String? = nil, quality: Quality = .good
    ) -> Reading {
        Reading(sensor: "climate", channel: channel, value: value, unit: unit, time: time, quality: quality)
    }

    @Test func whatWasTakenTogetherIsOnePack() throws {
        var pressure = reading(.number(1013.25), "hPa", channel: "pressure")
        pressure.time = time + .milliseconds(250)
        let text = try text(
            .readings([
                reading(.number(21.4), "°C", channel: "temperature"), reading(.number(48.2), "%", channel: "humidity"),
                pressure,
            ]))
        #expect(
            text == #"[{"bn":"shed-3/","bt":1795208400.123,"n":"climate/temperature","u":"Cel","v":21.4},"#
                + #"{"n":"climate/humidity","u":"%RH","v":48.2},"#
                + #"{"n":"climate/pressure","u":"Pa","v":101325,"t":0.25}]"#)
        #expect(
            try SenMLResolver.records(text).map(\.time) == [
                1_795_208_400_123, 1_795_208_400_123, 1_795_208_400_373,
            ])
    }

    @Test(
        arguments: [
            ("°C", 21.5, "Cel", 21.5), ("°F", 212, "Cel", 100), ("%", 83.2, "/", 0.832),
            ("hPa", 1013.25, "Pa", 101_325),
            ("mm", 1250, "m", 1.25), ("mV", 3300, "V", 3.3), ("Wh", 1.5, "J", 5400), ("kWh", 2, "J", 7.2e6),
            ("dBm", -67, "dBW", -97), ("rpm", 1500, "1/s", 25), ("B/s", 1000, "bit/s", 8000), ("Ah", 2, "C", 7200),
            ("µg/m³", 12, "kg/m3", 12e-9), ("ms", 20, "s", 0.02), ("lx", 300, "lx", 300), ("V", 5.1, "V", 5.1),
            ("MHz", 1500, "Hz", 1.5e9), ("km/h", 36, "m/s", 10),
            ("L/min", 60, "m3/s", 0.001), ("psi", 1, "Pa", 6894.75729317), ("C", 21.5, "Cel", 21.5),
            ("mL", 250, "m3", 25e-5),
            ("MΩ", 1.5, "Ohm", 1.5e6), ("ft", 10, "m", 3.048), ("lb", 1, "kg", 0.45359237), ("TB", 1, "B", 1e12),
            ("furlong", 3, nil, 3),
        ] as [(String, Double, String?, Double)])
    func unitsAreTheRegistrysOwn(unit: String, value: Double, symbol: String?, converted: Double) throws {
        let record = try SenMLResolver.records(try text(.readings([reading(.number(value), unit)])))[0]
        #expect(record.unit == symbol)
        #expect(record.value == .number(converted))
    }

    /// RFC 8428 §12.1 and RFC 8798 §2, without those that are not recommended.
    @Test func noUnitIsWrittenThatTheRegistryLacksOrAdvisesAgainst() {
        let written = SenMLUnit.known.values.map(\.symbol) + SenMLUnit.registered
        #expect(Set(written).isSubset(of: SenMLUnit.registered))
        for symbol in ["%", "g", "l", "l/s", "1/min", "beat/min", "beats", "deg", "Bspl", "hPa", "Wh", "ppm", "dBm"] {
            #expect(!SenMLUnit.registered.contains(symbol))
        }
        for (unit, known) in SenMLUnit.known { #expect(known.scale > 0 && known.scale.isFinite, "\(unit)") }
    }

    @Test func eachKindOfValueHasItsOwnField() throws {
        #expect(try text(.readings([reading(.boolean(false))])).hasSuffix(#""n":"climate","vb":false}]"#))
        #expect(try text(.readings([reading(.text("ajar"))])).hasSuffix(#""n":"climate","vs":"ajar"}]"#))
    }

    @Test func aValueThatIsNotSimplyGoodSaysSo() throws {
        let records = try SenMLResolver.records(
            try text(.readings([reading(.number(4), "m", quality: .outOfRange("beyond 4 m"))])))
        #expect(records.map(\.name) == ["shed-3/climate", "shed-3/climate/quality", "shed-3/climate/reason"])
        #expect(records.map(\.value) == [.number(4), "out of range", "beyond 4 m"])
    }

    @Test func aFailureIsAQualityWithoutAValue() throws {
        let records = try SenMLResolver.records(try text(.failure(sensor: "climate", reason: "no answer", time: time)))
        #expect(records.map(\.name) == ["shed-3/climate/quality", "shed-3/climate/reason"])
        #expect(records.map(\.value) == ["sensor error", "no answer"])
        #expect(records.allSatisfy { $0.time == time.milliseconds })
        let channel = Report.failure(sensor: "climate", channel: "dew point", reason: "no answer", time: time)
        #expect(
            try SenMLResolver.records(try text(channel)).map(\.name) == [
                "shed-3/climate/dew_point/quality", "shed-3/climate/dew_point/reason",
            ])
    }

    @Test func anAlarmIsAFewRecordsAheadOfReadings() throws {
        let report = Report.alarm(
            AlarmReport(
                alarm: "full", sensor: "fill", state: .acknowledged, isActive: true, severity: .warning,
                value: .number(91.2), unit: "%", time: time, raisedAt: time, acknowledgedBy: "Ann"))
        let records = try SenMLResolver.records(try text(report))
        #expect(
            records.map(\.name) == ["state", "active", "severity", "value", "by"].map { "shed-3/alarm/full/\($0)" })
        #expect(records.map(\.value) == ["acknowledged", true, "warning", .number(0.912), "Ann"])
        #expect(try profile().messages(for: report, sequence: 1).map(\.priority) == [.high])
    }

    @Test func T2_aTimeThatTheBoardCannotHaveKnownIsLeftOutAndMarked() throws {
        var late = reading(.number(1))
        late.time = Timestamp(milliseconds: 61_000)
        let text = try text(.readings([late]))
        #expect(text == #"[{"bn":"shed-3/","n":"climate","v":1},{"n":"clock","vs":"unsynced"}]"#)
    }

    @Test func namesHoldOnlyWhatSenMLAllows() throws {
        let records = try SenMLResolver.records(try text(.readings([reading(.number(1), channel: "Core 0/µ")])))
        #expect(records[0].name == "shed-3/climate/Core_0__")
        #expect(SenMLProfile(device: "_a b", route: Route(topic: .reading)).baseName == "d_a_b/")
    }

    // MARK: Independent decoders

    @Test func anIndependentDecoderReadsTheSameFromJSONAndFromCBOR() async throws {
        let units = [nil, "°C", "%", "hPa", "mm", "Wh", "dBm", "µg/m³", "°", "bits", "furlong"]
        var generator = SplitMix64(seed: .random(in: 0...(.max)))
        let seed = generator.seed
        var lines: [String] = []
        var expected: [[SenMLResolver.Record]] = []
        for _ in 0..<200 {
            let count = Int.random(in: 1...5, using: &generator)
            let readings = (0..<count).map { index in
                let value: Reading.Value =
                    switch Int.random(in: 0..<4, using: &generator) {
                    case 0: .boolean(Bool.random(using: &generator))
                    case 1: .text("open \"\\\n ü😀")
                    case 2: .number(Double.random(in: -1e6...1e6, using: &generator))
                    default: .number(Double(Int.random(in: -100_000...100_000, using: &generator)) / 8)
                    }
                return Reading(
                    sensor: "s", channel: index == 0 ? nil : "c\(index)", value: value,
                    unit: units.randomElement(using: &generator) ?? nil,
                    time: time + .milliseconds(Int.random(in: -5000...5000, using: &generator)))
            }
            for encoding in SenMLProfile.Encoding.allCases {
                let message = try #require(try profile(encoding).messages(for: .readings(readings), sequence: 1).first)
                let bytes = message.payload.readableBytesView
                if encoding == .json {
                    lines.append("json \(String(decoding: bytes, as: UTF8.self))")
                    expected.append(try SenMLResolver.records(String(decoding: bytes, as: UTF8.self)))
                } else {
                    lines.append("cbor " + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
                    expected.append(expected[expected.count - 1])
                }
            }
        }
        let answers = try await python("senml.py", lines)
        try #require(answers.count == lines.count, "seed \(seed)")
        for (answer, records) in zip(answers, expected) {
            let read = (answer.array ?? []).map { record in
                SenMLResolver.Record(
                    name: record["n"]?.string ?? "", unit: record["u"]?.string,
                    value: record["v"] ?? record["vs"] ?? record["vb"],
                    time: record["t"]?.number.map { Int64(($0 * 1000).rounded()) })
            }
            #expect(read == records, "seed \(seed)")
        }
    }

    // MARK: Settings

    @Test func settingsAreReadAndMistakesNamed() throws {
        let good = settingsTable([
            "encoding": .string("cbor"), "base_name": .string("urn:dev:mac:0024befffe804ff1:"), "qos": .integer(2),
        ])
        let profile = try #require(SenMLProfile(good, device: "shed-3"))
        #expect(good.finished() == [])
        #expect(profile.encoding == .cbor && profile.baseName == "urn:dev:mac:0024befffe804ff1:")
        #expect(profile.route.qos == .exactlyOnce)
        #expect(try profile.route.topic.topic(device: "shed-3").string == "fieldpost/shed-3/senml")

        let bad = settingsTable([
            "encoding": .string("xml"), "base_name": .string("/{device}"), "topic": .string("a/{channel}"),
            "qos": .integer(3),
        ])
        _ = SenMLProfile(bad, device: "shed-3")
        #expect(
            bad.finished() == [
                "uplink[1].encoding: \"xml\" is not possible: possible are json, cbor",
                "uplink[1].base_name: \"/{device}\" begins no SenML name: begin with a letter or a digit, as in \"urn:dev:…:\" or \"{device}/\"",
                "uplink[1].topic: \"a/{channel}\" has the unknown placeholder {channel}: possible here: {device}, {sensor}",
                "uplink[1].qos: 3 is out of range: allowed is 0 to 2",
            ])
    }
}
