import MQTT
import MQTTWire
import NIOCore
import Pipeline
import Sensing
import TestSupport
import Testing
import Units

@testable import Uplink

/// The templates in discovery messages, rendered by Jinja from what the plain profile says.
@Suite struct HomeAssistantTemplateTests {
    private typealias Tests = HomeAssistantTests

    private struct Case {
        var template: String
        var payload: String?
        var value: JSON?
        var result: String

        var line: String {
            var members = [JSON.Member("template", .string(template))]
            if let payload { members.append(JSON.Member("payload", .string(payload))) }
            if let value { members.append(JSON.Member("value", value)) }
            return JSON.object(members).text
        }
    }

    @Test func everyTemplateSaysWhatItShould() async throws {
        var cases: [Case] = []
        let failure = Report.failure(sensor: "s", reason: "no answer", time: Tests.time)
        /// What a sensor's template makes of its own messages.
        func add(
            as format: String = "json", topic: String = "t", _ first: Report, _ rows: [(Report, String)]
        ) throws {
            let sensor = try Tests.sensor("s", topic: topic, format: format)
            var home = try Tests.home([sensor])
            let payload = try #require(try Tests.said(home.observe(first)).first?.payload)
            let template = try #require(payload["value_template"]?.string)
            let plain = PlainProfile(device: "bin-0427", routes: ["s": sensor.route])
            for (report, result) in rows {
                let message = try #require(try plain.messages(for: report, sequence: 1).first)
                cases.append(Case(template: template, payload: String(buffer: message.payload), result: result))
            }
        }
        func say(_ value: Reading.Value, _ channel: String? = nil) -> Report {
            Tests.report("s", value, channel: channel)
        }
        try add(say(.number(83.2)), [(say(.number(83.2)), "83.2"), (say(.number(-4)), "-4"), (failure, "None")])
        try add(say(.boolean(true)), [(say(.boolean(true)), "ON"), (say(.boolean(false)), "OFF"), (failure, "None")])
        try add(
            say(.text("ajar")),
            [
                (say(.text("a \"b\" {{ c }}")), "a \"b\" {{ c }}"), (failure, "unknown"),
                (say(.text(String(repeating: "x", count: 300))), String(repeating: "x", count: 255)),
            ])
        try add(as: "number", say(.number(1)), [(say(.number(83.2)), "83.2")])
        try add(as: "number", say(.boolean(true)), [(say(.boolean(true)), "ON"), (say(.boolean(false)), "OFF")])
        for channel in ["core 0", "+3.3\"V\\", "{{ x }}%}", "µ"] {
            try add(
                say(.number(1), channel),
                [
                    (say(.number(5), channel), "5"), (say(.number(6), "other"), ""), (failure, "None"),
                    (.failure(sensor: "s", channel: channel, reason: "gone", time: Tests.time), "None"),
                    (.failure(sensor: "s", channel: "other", reason: "gone", time: Tests.time), ""),
                ])
            try add(
                say(.text("a"), channel),
                [(say(.text("b"), channel), "b"), (say(.text("c"), "other"), "before"), (failure, "unknown")])
            try add(
                say(.boolean(true), channel),
                [(say(.boolean(false), channel), "OFF"), (say(.boolean(true), "other"), "")])
            try add(topic: "t/{channel}", say(.number(1), channel), [(say(.number(5), channel), "5")])
        }
        try addAttributesCommandsAndAlarms(to: &cases)
        let answers = try await python("homeassistant.py", cases.map(\.line))
        #expect(answers.map(\.string) == cases.map(\.result))
    }

    private func addAttributesCommandsAndAlarms(to cases: inout [Case]) throws {
        var home = try Tests.home(
            [try Tests.sensor("s"), try Tests.sensor("fan \"{{", isOutput: true)], alarms: ["full"])
        let alarm = try #require(try Tests.said(home.begin()).first?.payload)
        let plain = PlainProfile(device: "bin-0427")
        for (state, result) in [(AlarmState.raised, "ON"), (.acknowledged, "ON"), (.cleared, "OFF")] {
            let report = AlarmReport(
                alarm: "full", sensor: "s", state: state, isActive: false, severity: .info, time: Tests.time)
            let message = try #require(try plain.messages(for: .alarm(report), sequence: 1).first)
            cases.append(
                Case(
                    template: alarm["value_template"]?.string ?? "", payload: String(buffer: message.payload),
                    result: result))
        }
        for state in ["online", "offline"] {
            cases.append(
                Case(
                    template: alarm["availability"]?[0]?["value_template"]?.string ?? "",
                    payload: #"{"state":"\#(state)","boot":1}"#, result: state))
        }
        let sensor = try #require(try Tests.said(home.observe(Tests.report("s", .number(1)))).first?.payload)
        let attributes = sensor["json_attributes_template"]?.string ?? ""
        cases.append(
            Case(
                template: attributes, payload: #"{"time":"t","value":1}"#,
                result: #"{"quality": "good", "reason": null, "time": "t"}"#))
        cases.append(
            Case(
                template: attributes, payload: #"{"time":"t","value":null,"quality":"sensor error","reason":"r"}"#,
                result: #"{"quality": "sensor error", "reason": "r", "time": "t"}"#))
        let fan = try #require(
            try Tests.said(home.observe(Tests.report("fan \"{{", .number(1), channel: "a"))).first?.payload)
        cases.append(
            Case(
                template: fan["command_template"]?.string ?? "", value: .number(7.5),
                result: #"{"channel": "a", "sensor": "fan \"{{", "value": 7.5}"#))
    }
}
