import MQTT
import MQTTWire
import NIOCore
import Pipeline
import Sensing
import Testing
import Units

@testable import Uplink

@Suite struct PlainFormatTests {
    private static let time = Timestamp(milliseconds: 1_763_672_400_123)
    private let fill = Reading(sensor: "fill", value: .number(83.25), unit: "%", time: time)

    private func payload(_ format: String, _ reading: Reading) throws -> String {
        let route = Route(topic: .reading, format: try PlainFormat(parsing: format))
        let messages = try PlainProfile(device: "bin-0427", routes: [reading.sensor: route])
            .messages(for: .readings([reading]), sequence: 1)
        return messages.map { String(buffer: $0.payload) }.joined(separator: "|")
    }

    @Test(
        arguments: [
            ("json", #"{"time":"2025-11-20T21:00:00.123Z","value":83.25,"unit":"%"}"#),
            ("number", "83.25"),
            ("{value} {unit}", "83.25 %"),
            ("{value:.1}", "83.3"),
            ("{value:.0}", "83"),
            ("{value:.4}", "83.2500"),
            ("{device}/{sensor}: {value:json} at {time}", "bin-0427/fill: 83.25 at 2025-11-20T21:00:00.123Z"),
            ("{seconds} {seconds:.0} {quality}", "1763672400.123 1763672400 good"),
            ("{channel:json} {channel}", "null"),
            (#"{"v":{value},"u":{unit},"c":{channel}}"#, #"{"v":83.25,"u":"%","c":null}"#),
            (#"{"text":"{value:.1} {unit}\"","t":{seconds:.0}}"#, #"{"text":"83.3 %\"","t":1763672400}"#),
            ("[{seconds},{value:.1}]", "[1763672400.123,83.3]"),
            ("<{value}> {} {-}", "<83.25> {} {-}"),
        ])
    func aFormatIsFilled(format: String, payload: String) throws {
        #expect(try self.payload(format, fill) == payload)
    }

    @Test func textsAreEscapedWhereTheTemplateIsJSON() throws {
        let said = Reading(sensor: "fill", value: .text("a\"b\\\n"), time: Self.time)
        #expect(try payload(#"{"v":{value},"s":"<{value}>"}"#, said) == #"{"v":"a\"b\\\n","s":"<a\"b\\\n>"}"#)
        #expect(try payload("{value}", said) == "a\"b\\\n")
        #expect(try payload("{value:json}", said) == #""a\"b\\\n""#)
        let lid = Reading(sensor: "fill", value: .boolean(true), time: Self.time)
        #expect(try payload("number", lid) == "true")
        #expect(try payload("{value:.1} {unit}", lid) == "true")
    }

    @Test(
        arguments: [
            ("nubmer", #""nubmer" is no format: possible are json, number, or a template such as "{value} {unit}""#),
            (
                "{valeu} {unit}",
                "the format has the unknown placeholder {valeu}: did you mean {value}? (possible are {value}, {unit}, {time}, {seconds}, {device}, {sensor}, {channel}, {quality})"
            ),
            ("{value:.12}", "{value:.12} has an unknown option: write {value:.1}, or {value:json}"),
            ("{unit:.1}", "{unit:.1} is no number to be rounded: write {unit}"),
            ("{unit:upper}", "{unit:upper} has an unknown option: write {unit} or {unit:json}"),
            (
                #"{"v":"{value:json}"}"#,
                "{value:json} stands inside quotes: leave out the quotes, which it brings along"
            ),
            (#"{"v":1}"#, #""{"v":1}" says nothing of the reading: write {value} where the value belongs"#),
            (
                #"{"v":{value}"#,
                #"the format begins as JSON but is no JSON: no comma or brace at byte 10: write it as in {"value":{value},"unit":{unit}}"#
            ),
        ])
    func mistakesAreNamed(format: String, problem: String) {
        #expect { try PlainFormat(parsing: format) } throws: { "\($0)" == problem }
    }

    @Test(
        arguments: [
            (
                "json",
                #"{"time":"2025-11-20T21:00:00.123Z","value":null,"quality":"sensor error","reason":"no answer"}"#
            ),
            ("number", nil), ("{value} {unit}", nil), (#"{"v":"{value}"}"#, nil),
            (#"{"v":{value},"q":"{quality}"}"#, #"{"v":null,"q":"sensor error"}"#),
            ("{sensor}: {quality}", "fill: sensor error"),
        ] as [(String, String?)])
    func aFailureIsToldWhereItCanBeSaid(format: String, payload: String?) throws {
        let route = Route(topic: .reading, format: try PlainFormat(parsing: format))
        let messages = try PlainProfile(device: "b", defaultRoute: route)
            .messages(for: .failure(sensor: "fill", reason: "no answer", time: Self.time), sequence: 1)
        #expect(messages.map { String(buffer: $0.payload) } == (payload.map { [$0] } ?? []))
    }

    @Test(
        arguments: [
            (
                "{sensor}", "json",
                #"{"time":"2025-11-20T21:00:00.123Z","channel":"a","value":null,"quality":"sensor error","reason":"gone"}"#
            ),
            (
                "{sensor}/{channel}", "json",
                #"{"time":"2025-11-20T21:00:00.123Z","value":null,"quality":"sensor error","reason":"gone"}"#
            ),
            ("{sensor}", "{sensor}.{channel}: {quality}", "fill.a: sensor error"),
        ])
    func aChannelThatFailsIsNamed(topic: String, format: String, payload: String) throws {
        let route = Route(topic: try TopicTemplate(parsing: topic), format: try PlainFormat(parsing: format))
        let messages = try PlainProfile(device: "b", defaultRoute: route)
            .messages(for: .failure(sensor: "fill", channel: "a", reason: "gone", time: Self.time), sequence: 1)
        #expect(messages.map(\.topic.string) == [topic.contains("channel") ? "fill/a" : "fill"])
        #expect(messages.map { String(buffer: $0.payload) } == [payload])
    }

    @Test(
        arguments: [
            (0.05, 1, "0.1"), (-0.04, 1, "0.0"), (-1.25, 1, "-1.3"), (999.95, 1, "1000.0"), (1e20, 2, "1e+20"),
            (0.000_001, 9, "0.000001000"), (12, 0, "12"), (-0.5, 0, "-1"),
        ] as [(Double, Int, String)])
    func digitsAreRounded(value: Double, places: Int, text: String) {
        #expect(value.text(places: places) == text)
    }
}

@Suite struct PlainReportTests {
    private let time = Timestamp(milliseconds: 1_763_672_400_123)

    @Test func eachReadingIsAMessageByItsSensorsRouteWithItsOwnNumber() throws {
        let route = Route(topic: try TopicTemplate(parsing: "own/{channel}"), qos: .atMostOnce, includesSequence: true)
        let profile = PlainProfile(device: "b", routes: ["cpu": route])
        let readings = ["a", "b"].map { Reading(sensor: "cpu", channel: $0, value: .number(1), time: time) }
        let messages = try profile.messages(for: .readings(readings), sequence: 7)
        #expect(messages.map(\.topic.string) == ["own/a", "own/b"])
        #expect(messages.map(\.qos) == [.atMostOnce, .atMostOnce])
        #expect(messages.map { String(buffer: $0.payload).suffix(8) } == [#""seq":7}"#, #""seq":8}"#])
        let other = try profile.messages(
            for: .readings([Reading(sensor: "fill", value: .number(1), time: time)]), sequence: 1)
        #expect(other.map(\.topic.string) == ["fieldpost/b/fill"])
    }

    @Test func aRaisedAlarmTellsWhatAndWhere() throws {
        let profile = PlainProfile(
            device: "bin-0427", alarmMessages: ["full": "empty it"],
            position: Position(latitude: 31.7036, longitude: 119.9372))
        let message = try #require(
            try profile.messages(
                for: .alarm(
                    AlarmReport(
                        alarm: "full", sensor: "fill", state: .raised, isActive: true, severity: .warning,
                        value: .number(91.2), unit: "%", time: time, raisedAt: time)), sequence: 1
            ).first)
        #expect(message.topic.string == "fieldpost/bin-0427/alarm/full")
        #expect(message.retain && message.qos == .atLeastOnce && message.priority == .high)
        #expect(
            String(buffer: message.payload)
                == #"{"state":"raised","active":true,"severity":"warning","sensor":"fill","value":91.2,"unit":"%","#
                + #""time":"2025-11-20T21:00:00.123Z","raised":"2025-11-20T21:00:00.123Z","message":"empty it","#
                + #""position":{"latitude":31.7036,"longitude":119.9372}}"#)
    }

    @Test func anAlarmTellsOnlyWhatIsKnown() throws {
        let message = try #require(
            try PlainProfile(device: "b").messages(
                for: .alarm(
                    AlarmReport(
                        alarm: "full", sensor: "cpu", channel: "core0", state: .acknowledged, isActive: false,
                        severity: .critical, time: Timestamp(milliseconds: 5), acknowledgedBy: "Ann")), sequence: 1
            ).first)
        #expect(
            String(buffer: message.payload)
                == #"{"state":"acknowledged","active":false,"severity":"critical","sensor":"cpu","channel":"core0","#
                + #""time":"1970-01-01T00:00:00.005Z","clock":"unsynced","by":"Ann"}"#)
    }

    @Test func alarmTopicsHaveAPlaceForTheAlarmAndReadingTopicsHaveNone() throws {
        let template = try TopicTemplate(parsing: "a/{sensor}/{alarm}", allowed: TopicTemplate.Placeholder.ofAlarms)
        #expect(try template.topic(device: "d", sensor: "s", alarm: "x/y").string == "a/s/x-y")
        #expect(throws: InvalidText.self) { try TopicTemplate(parsing: "a/{alarm}") }
    }
}
