import NIOCore
import Sensing
import TestSupport
import Testing
import Units
import Uplink

@testable import FieldpostAgent

@Suite struct CommandTextTests {
    static let now = Timestamp(milliseconds: 1_800_000_000_000)

    static func read(_ text: String, _ name: String? = nil) throws(CommandError) -> CommandText {
        try CommandText(ByteBuffer(string: text), named: name, at: now)
    }

    @Test(
        arguments: [
            (#"{"sensor":"fill"}"#, "read", RemoteCommand.read(sensor: "fill")),
            ("", "read", .read(sensor: nil)),
            ("fill", "read", .read(sensor: "fill")),
            (#""fill""#, "read", .read(sensor: "fill")),
            (#"{"command":"read","sensor":"fill"}"#, nil, .read(sensor: "fill")),
            ("status", nil, .status),
            // The topic has the last word.
            (#"{"command":"reload"}"#, "status", .status),
            (#"{"sensor":"gate","value":true}"#, "set", .set(sensor: "gate", channel: nil, value: .boolean(true))),
            (#"{"sensor":"gate","value":1}"#, "set", .set(sensor: "gate", channel: nil, value: .number(1))),
            (#"{"sensor":"g","channel":"2","value":"on"}"#, "set", .set(sensor: "g", channel: "2", value: .text("on"))),
            (#"{"sensor":"fill","every":"1m30s"}"#, "interval", .interval(sensor: "fill", every: .seconds(90))),
            (#"{"sensor":"fill","every":null}"#, "interval", .interval(sensor: "fill", every: nil)),
            (#"{"sensor":"fill","to":20.5}"#, "calibrate", .calibrate(sensor: "fill", channel: nil, to: 20.5)),
            (#"{"sensor":"fill","to":null}"#, "calibrate", .calibrate(sensor: "fill", channel: nil, to: nil)),
            ("full", "acknowledge", .acknowledge(alarm: "full", by: nil)),
            (#"{"alarm":"full","by":"anna"}"#, "acknowledge", .acknowledge(alarm: "full", by: "anna")),
            ("restart", "run", .run(program: "restart", arguments: [])),
            (#"{"program":"x","arguments":["-a","b"]}"#, "run", .run(program: "x", arguments: ["-a", "b"])),
        ] as [(String, String?, RemoteCommand)])
    func `A command is read from its payload`(_ text: String, _ name: String?, _ command: RemoteCommand) throws {
        #expect(try Self.read(text, name).command == command)
    }

    @Test(
        arguments: [
            ("", nil, .malformed), ("{}", nil, .malformed), ("open", nil, .unknown), ("{}", "open", .unknown),
            ("{", "read", .malformed), ("[]", "read", .malformed), ("17", "read", .malformed),
            ("true", "set", .malformed),
            ("gate", "set", .malformed), (#"{"sensor":"gate"}"#, "set", .malformed),
            (#"{"sensor":"gate","value":null}"#, "set", .malformed),
            (#"{"sensor":"g","value":[1]}"#, "set", .malformed),
            (#"{"value":1}"#, "set", .malformed), (#"{"sensor":7,"value":1}"#, "set", .malformed),
            (#"{"sensor":"f","every":"1ms"}"#, "interval", .malformed),
            (#"{"sensor":"f","every":"400d"}"#, "interval", .malformed),
            (#"{"sensor":"f","every":10}"#, "interval", .malformed),
            (#"{"sensor":"f"}"#, "interval", .malformed), (#"{"sensor":"f"}"#, "calibrate", .malformed),
            (#"{"sensor":"f","evry":"2s"}"#, "interval", .malformed),
            (#"{"sensor":"f","value":0.3}"#, "calibrate", .malformed),
            (#"{"sensor":"f","value":1,"deadlin":"1ms"}"#, "set", .malformed),
            (#"{"sensors":"f"}"#, "read", .malformed), (#"{"now":true}"#, "reload", .malformed),
            (#"{"sensor":"f","to":"20"}"#, "calibrate", .malformed),
            (#"{"program":"x","arguments":"foo"}"#, "run", .malformed),
            (#"{"program":"x","arguments":{"a":1}}"#, "run", .malformed),
            (#"{"sensor":"f","to":1e999}"#, "calibrate", .malformed),
            (#"{"by":"anna"}"#, "acknowledge", .malformed), (#"{"program":"x","arguments":[1]}"#, "run", .malformed),
            (#"{"deadline":"soon"}"#, "status", .malformed), (#"{"id":true}"#, "status", .malformed),
            (#"{"id":"\#(String(repeating: "x", count: 257))"}"#, "status", .malformed),
            (#"{"sensor":"\#(String(repeating: "x", count: 1025))"}"#, "read", .malformed),
            (String(repeating: "[", count: 60_000), "read", .malformed),
            (String(repeating: " ", count: 64 * 1024 + 1), "read", .malformed),
        ] as [(String, String?, CommandError.Kind)])
    func `What is no command is refused with a reason`(_ text: String, _ name: String?, _ kind: CommandError.Kind) {
        let error = #expect(throws: CommandError.self) { try Self.read(text, name) }
        #expect(error?.kind == kind)
        #expect((1..<300).contains(error?.message.utf8.count ?? 0))
    }

    @Test func `Bytes that are no text are refused`() {
        #expect(throws: CommandError.self) {
            try CommandText(ByteBuffer(bytes: [0xFF, 0xFE]), named: "read", at: Self.now)
        }
    }

    @Test func `An id may be a number, and an empty one is none`() throws {
        #expect(try Self.read(#"{"id":17}"#, "status").id == "17")
        #expect(try Self.read(#"{"id":"17"}"#, "status").id == "17")
        #expect(try Self.read(#"{"id":""}"#, "status").id == nil)
        #expect(try Self.read(#"{"id":null}"#, "status").id == nil)
    }

    @Test func `A deadline is a time, or counts from now`() throws {
        #expect(try Self.read(#"{"deadline":"5s"}"#, "status").deadline == Self.now + .seconds(5))
        let time = try Self.read(#"{"deadline":"2026-11-20T21:00:05Z"}"#, "status").deadline
        #expect(time?.iso8601 == "2026-11-20T21:00:05.000Z")
    }

    @Test func `No bytes trap`() {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SplitMix64(seed: seed)
        let words = [
            "{", "}", "[", "]", "\"", ":", ",", "id", "sensor", "value", "1e9", "-", "null", "\\u", "read", " ",
        ]
        for _ in 0..<2000 {
            let text = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                words.randomElement(using: &generator) ?? ""
            }.joined()
            let name = RemoteCommand.Name.allCases.randomElement(using: &generator)?.rawValue
            let result = Result { () throws(CommandError) in try Self.read(text, name) }
            if case .failure(let error) = result { #expect(!error.message.isEmpty, "seed \(seed): \(text)") }
        }
    }
}
