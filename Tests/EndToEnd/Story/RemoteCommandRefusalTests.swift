import Glibc
import MQTT
import MQTTWire
import NIOCore
import NIOPosix
import TestSupport
import Testing

/// What a board does not do, and says so.
@Suite(.timeLimit(.minutes(2))) struct RemoteCommandRefusalTests {
    private static func error(_ kind: String, _ message: String) -> String {
        #"{"ok":false,"error":"\#(kind)","message":"\#(message)"}"#
    }

    @Test func whatIsNotAllowedIsForbidden() async throws {
        try await CommandedBoard.with(allow: #"["read", "set"]"#, commands: #"outputs = ["lamp"]"#) { station in
            let agent = try await station.run()
            for (command, payload) in [
                ("run", "note"), ("reload", ""), ("status", ""), ("interval", #"{"sensor":"gate","every":"1s"}"#),
                ("calibrate", #"{"sensor":"distance","to":1}"#), ("acknowledge", "full"),
            ] {
                #expect(
                    try await station.ask(command, payload)
                        == Self.error(
                            "forbidden", #"\"\#(command)\" is not among the commands that [commands] allows"#))
            }
            #expect(
                try await station.ask("set", #"{"sensor":"gate","value":true}"#)
                    == Self.error("forbidden", #"sensor \"gate\" is not among the outputs that [commands] names"#))
            #expect(try station.board.shows("gate") == "0")
            #expect(try station.notes == 0)
            #expect(try await station.ask("set", #"{"sensor":"lamp","value":1}"#).hasPrefix(#"{"ok":true"#))
            await agent.kill()
        }
    }

    @Test func whatMakesNoSenseIsAnsweredWithWhatDoes() async throws {
        try await CommandedBoard.with { station in
            let agent = try await station.run()
            for (command, payload, kind, words) in [
                ("open", "", "unknown", #"there is no command \"open\"; there are read, set, "#),
                ("read", "distence", "unknown", #"there is no sensor \"distence\"; did you mean \"distance\"?"#),
                ("set", #"{"sensor":"distance","value":1}"#, "malformed", "it is no output"),
                ("set", #"{"sensor":"gate"}"#, "malformed", #"{\"sensor\":\"gate\",\"value\":true}"#),
                ("set", #"{"sensor":"gate","value":true"#, "malformed", "the payload "),
                ("set", #"["gate",true]"#, "malformed", "is no JSON object"),
                ("set", #"{"sensor":7,"value":true}"#, "malformed", #"\"sensor\" is"#),
                ("set", #"{"sensor":"gate","value":{"a":1}}"#, "malformed", #"\"value\""#),
                ("set", #"{"sensor":"lamp","value":1,"channel":"x"}"#, "malformed", "has no channels"),
                ("interval", #"{"sensor":"distance","every":"0s"}"#, "malformed", "10ms to 30d"),
                ("interval", #"{"sensor":"distance","every":"5"}"#, "malformed", "has no unit"),
                ("calibrate", #"{"sensor":"gate","to":1}"#, "failed", "no good number"),
                ("calibrate", #"{"sensor":"distance","to":"1"}"#, "malformed", #"\"to\""#),
                ("run", #"{"program":"say","arguments":[1]}"#, "malformed", "strings are wanted"),
                ("run", #"{"program":"say","deadline":"soon"}"#, "malformed", #"\"deadline\""#),
            ] {
                let answer = try await station.ask(command, payload)
                #expect(
                    answer.hasPrefix(#"{"ok":false,"error":"\#(kind)","message":""#) && answer.contains(words),
                    "\(command) \(payload): \(answer)")
            }
            #expect(try station.board.shows("gate") == "0" && station.board.shows("lamp") == "0")
            #expect(await agent.errors.lines.contains { $0.contains("a command was not done") })
            await agent.kill()
        }
    }

    @Test func whatComesAfterItsDeadlineIsNotDone() async throws {
        try await CommandedBoard.with { station in
            let agent = try await station.run()
            let late = try await station.ask("run", #"{"program":"note","deadline":"2026-01-01T00:00:00Z"}"#)
            #expect(late.hasPrefix(#"{"ok":false,"error":""#) && late.contains("after its deadline"), "\(late)")
            #expect(try station.notes == 0)
            #expect(
                try await station.ask("run", #"{"program":"note","deadline":"2099-01-01T00:00:00Z"}"#)
                    == #"{"ok":true,"output":"noted\n"}"#)
            await agent.kill()
        }
    }

    /// Nobody knows how old they are: a board that starts would open its gate for somebody who has long gone.
    @Test(arguments: ["3.1.1", "5"]) func whatIsRetainedIsNoCommand(version: String) async throws {
        try await CommandedBoard.with(version: version) { station in
            try await mosquittoPub(
                port: station.asker.port, "fieldpost/board/command/run", "note", retain: true)
            try await mosquittoPub(
                port: station.asker.port, "fieldpost/board/command/run/request/1", "note", retain: true)
            let agent = try await station.run()
            if version == "3.1.1" { try await agent.errors.line(containing: "a retained message is no command") }
            // What comes now is one, and comes after them.
            try await station.asker.ask(by: "run/request/2", "say")
            #expect(
                try await station.asker.answer(on: "fieldpost/board/command/run/response/2").hasPrefix(#"{"ok":true"#))
            #expect(try station.notes == 0)
            #expect(await station.asker.answers(on: "fieldpost/board/command/run/response") == 0)
            await agent.kill()
        }
    }

    @Test func ofAHundredAtOnceEachIsDoneOrRefused() async throws {
        try await CommandedBoard.with { station in
            let agent = try await station.run()
            let client = MQTTClient(
                ClientConfiguration(endpoints: [Endpoint(host: "127.0.0.1", port: station.asker.port)], version: .v5),
                eventLoop: MultiThreadedEventLoopGroup.singleton.next())
            let running = Task { await client.run() }
            let topic = try TopicName("fieldpost/board/command/run")
            for number in 1...100 {
                var message = Message(topic: topic, payload: ByteBuffer(string: "slow-note"), qos: .atMostOnce)
                message.properties.responseTopic = try TopicName("answers/flood/\(number)")
                try await client.publish(message)
            }
            var (done, busy) = (0, 0)
            for number in 1...100 {
                let answer = try await station.asker.answer(on: "answers/flood/\(number)")
                if answer.hasPrefix(#"{"ok":true"#) {
                    done += 1
                } else if answer.hasPrefix(#"{"ok":false,"error":"busy""#) {
                    busy += 1
                } else {
                    Issue.record("\(answer)")
                }
            }
            #expect(done > 0 && busy > 0 && done + busy == 100)
            #expect(try station.notes == done)
            // And then it is at rest again.
            #expect(try await station.ask("run", "note").hasPrefix(#"{"ok":true"#))
            await client.disconnect()
            await running.value
            await agent.kill()
        }
    }

    @Test func garbageDoesNoHarm() async throws {
        try await CommandedBoard.with { station in
            let agent = try await station.run()
            let garbage: [(String, [UInt8])] = [
                ("huge", Array(repeating: UInt8(ascii: "x"), count: 200_000)),
                (
                    "huge object",
                    Array(#"{"sensor":""#.utf8) + Array(repeating: 0x20, count: 200_000) + Array(#""}"#.utf8)
                ),
                ("deep", Array(repeating: UInt8(ascii: "["), count: 60_000)),
                ("no UTF-8", [0xFF, 0xFE, 0x00, 0x80]), ("zeros", Array(repeating: 0, count: 1000)),
                ("number", Array("1e999".utf8)), ("long word", Array(repeating: UInt8(ascii: "a"), count: 30_000)),
            ]
            for (index, (name, bytes)) in garbage.enumerated() {
                let file = try station.board.directory.write(bytes, to: "payload")
                for command in ["read", "set", "run"] {
                    let topic = "answers/garbage/\(command)/\(index)"
                    let result = try await runProgram(
                        systemProgram("mosquitto_pub"),
                        [
                            "-h", "127.0.0.1", "-p", "\(station.asker.port)", "-V", "5", "-q", "1", "-f", file, "-t",
                            "fieldpost/board/command/\(command)", "-D", "publish", "response-topic", topic,
                        ])
                    #expect(result.ending == .exited(0))
                    let answer = try await station.asker.answer(on: topic)
                    #expect(
                        answer.hasPrefix(#"{"ok":false,"error":""#) && answer.utf8.count < 4096, "\(name): \(answer)")
                }
            }
            // Names and ids that are none, on topics that look like commands.
            for way in ["", "run/request/", "run/request/a/b", "run/response", "run/request", "/", "ünknown"] {
                try await mosquittoPub(port: station.asker.port, "fieldpost/board/command/\(way)", "note")
            }
            #expect(try await station.ask("run", #"{"program":"say"}"#).hasPrefix(#"{"ok":true"#))
            #expect(try station.board.shows("gate") == "0")
            await agent.kill()
        }
    }

    @Test func aBrokerThatDoesNotLetCommandsThroughIsNamedInTheLog() async throws {
        let folder = try TemporaryDirectory()
        try folder.write("topic readwrite fieldpost/board/status\ntopic write fieldpost/#\n", to: "acl")
        let file = try folder.write(
            """
            [server]
            allow_anonymous = true
            acl_file = "acl"
            [[listener]]
            bind = "127.0.0.1"
            port = 0
            """, to: "broker.toml")
        let broker = try await RunningCommand.start(["--config", file])
        let board = try Board("board", port: broker.port) { _ in
            """
            [commands]
            allow = ["status"]
            \(Station.sensors(1, every: "1h"))
            """
        }
        let agent = try await board.run()
        let line = try await agent.errors.line(
            containing: "the broker refuses a subscription: commands do not come", timeout: .seconds(10))
        #expect(line.contains("fieldpost/board/command/+"), "\(line)")
        agent.send(SIGTERM)
        #expect(try await agent.wait() == .exited(0))
        #expect(try await broker.stop() == .exited(0))
    }
}
