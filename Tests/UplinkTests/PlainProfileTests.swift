import MQTT
import MQTTWire
import NIOCore
import Sensing
import Testing
import Units

@testable import Uplink

@Suite struct PlainProfileTests {
    private let profile = PlainProfile(device: "bin-0427")
    private let time = Timestamp(milliseconds: 1_763_672_400_123)

    private func payload(_ reading: Reading, topic: String = "f/{device}/{sensor}", sequence: Bool = false) throws
        -> (String, String)
    {
        let route = Route(topic: try TopicTemplate(parsing: topic), includesSequence: sequence)
        let message = try profile.message(for: reading, by: route, sequence: 42)
        return (message.topic.string, String(buffer: message.payload))
    }

    @Test func aReadingSaysWhenWhatAndInWhichUnit() throws {
        let (topic, text) = try payload(Reading(sensor: "fill", value: .number(83.2), unit: "%", time: time))
        #expect(topic == "f/bin-0427/fill")
        #expect(text == #"{"time":"2025-11-20T21:00:00.123Z","value":83.2,"unit":"%"}"#)
    }

    @Test func aChannelStandsInTheTopicOrInThePayload() throws {
        let reading = Reading(sensor: "cpu", channel: "core/0", value: .boolean(true), time: time)
        #expect(try payload(reading).1 == #"{"time":"2025-11-20T21:00:00.123Z","channel":"core/0","value":true}"#)
        let (topic, text) = try payload(reading, topic: "{device}/{sensor}/{channel}")
        #expect(topic == "bin-0427/cpu/core-0")
        #expect(text == #"{"time":"2025-11-20T21:00:00.123Z","value":true}"#)
    }

    @Test func theQueuesNumberIsThereWhenWanted() throws {
        let (_, text) = try payload(Reading(sensor: "s", value: .text("a\"b\n"), time: time), sequence: true)
        #expect(text == #"{"time":"2025-11-20T21:00:00.123Z","value":"a\"b\n","seq":42}"#)
    }

    @Test func T2_aTimeThatTheBoardCannotHaveKnownIsMarked() throws {
        let reading = Reading(sensor: "s", value: .number(1), time: Timestamp(milliseconds: 61_000))
        #expect(try payload(reading).1 == #"{"time":"1970-01-01T00:01:01.000Z","clock":"unsynced","value":1}"#)
    }

    @Test(
        arguments: [
            (25.080000000000002, "25.08"), (0.1 + 0.2, "0.3"), (1e-7 * 3, "3e-07"), (-12345.678, "-12345.678"),
            (0, "0"),
            (100_000, "100000"), (1.0 / 3, "0.333333333333"), (6.02214076e23, "6.02214076e+23"),
        ] as [(Double, String)])
    func numbersAreWrittenAsPeopleReadThem(value: Double, text: String) {
        #expect(JSON.number(Reading.Value.rounded(value)).text == text)
    }

    @Test func roundingKeepsTwelveDigits() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<10_000 {
            let value = Double.random(in: -1e9...1e9, using: &generator)
            let error = abs(Reading.Value.rounded(value) - value)
            #expect(error <= abs(value) * 1e-11, "\(value)")
        }
    }
}

@Suite struct TopicTemplateTests {
    @Test(arguments: [
        (
            "a/{devise}",
            "\"a/{devise}\" has the unknown placeholder {devise}: possible here: {device}, {sensor}, {channel}"
        ),
        ("a/{device", "\"a/{device\" has a brace without its partner: write placeholders as in {device}"),
        ("a/}", "\"a/}\" has a brace without its partner: write placeholders as in {device}"),
    ])
    func mistakesAreNamed(text: String, problem: String) {
        #expect { try TopicTemplate(parsing: text) } throws: { "\($0)" == problem }
    }

    @Test func wildcardsAreRefusedInTheTemplateAndReplacedInNames() throws {
        #expect(throws: InvalidText.self) { try TopicTemplate(parsing: "a/+/{device}") }
        #expect(throws: InvalidText.self) { try TopicTemplate(parsing: "") }
        #expect(try TopicTemplate(parsing: "{device}/{sensor}").topic(device: "a+b", sensor: "c#").string == "a-b/c-")
    }
}

@Suite struct JSONTests {
    @Test func controlCharactersAndQuotesAreEscaped() {
        #expect(JSON.string("\u{1}\"\\\u{7F}ü😀").text == #""\u0001\"\\\u007fü😀""#)
    }

    @Test func nestedValuesKeepTheirOrder() {
        let json: JSON = ["b": [1, true, .null], "a": ["x": "y"], "n": .number(.nan)]
        #expect(json.text == #"{"b":[1,true,null],"a":{"x":"y"},"n":null}"#)
    }
}
