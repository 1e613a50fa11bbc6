import Glibc
import MQTT
import MQTTWire
import NIOCore
import TestSupport
import Testing

/// What `fieldpost sub` prints and deletes, and what standard input and output may do to it.
@Suite(.timeLimit(.minutes(3))) struct PubSubOutputTests {
    private func shell(_ port: Int, _ line: (_ program: String) -> String) async throws -> Outcome {
        let program = try Program.built("fieldpost")
        return try await runProgram(
            "/bin/sh", ["-c", line("'\(program)'").replacing("PORT", with: "-h 127.0.0.1 -p \(port)")],
            timeout: .seconds(30))
    }

    /// What mosquitto_sub and `fieldpost sub` make of the same retained messages.
    private func both(port: Int, _ arguments: [String]) async throws -> (theirs: Outcome, ours: Outcome) {
        let theirs = try await runProgram(
            systemProgram("mosquitto_sub"), ["-h", "127.0.0.1", "-p", "\(port)"] + arguments, timeout: .seconds(10))
        return (theirs, try await fieldpost("sub", port: port, arguments))
    }

    @Test(arguments: [
        ["-F", "%J"], ["-F", "%J", "--pretty"], ["-F", "%j", "--pretty", "-V", "5"], ["-v", "-N"], ["-v"],
        ["-F", "%05t|%050p|%50.1p|%3q|%3r|%5.2l|%.2t|%.t|"],
    ])
    func itPrintsWhatMosquittoSubPrints(arguments: [String]) async throws {
        try await withMosquitto { broker in
            for (number, payload) in [#"{"a" : [1, {"b":null}, [] ], "c":"ä"}"#, "[]", "7"].enumerated() {
                try await mosquittoPub(port: broker.port, "j/\(number)", payload, retain: true)
            }
            let (theirs, ours) = try await both(port: broker.port, ["-t", "j/#", "-C", "3", "-W", "5"] + arguments)
            // The time apart: it is the first member, on a line of its own with --pretty.
            func comparable(_ outcome: Outcome) -> [String] {
                outcome.output.compactMap { line in
                    guard line.contains("\"tst\"") else { return line }
                    return line.firstRange(of: "\"topic\"").map { String(line[$0.lowerBound...]) }
                }
            }
            #expect(comparable(ours) == comparable(theirs))
            #expect(ours.ending == .exited(0) && theirs.ending == .exited(0))
        }
    }

    @Test func aPayloadThatIsNoJSONIsSaidAndPassedOver() async throws {
        try await withMosquitto { broker in
            try await mosquittoPub(port: broker.port, "j", "{", retain: true)
            let result = try await fieldpost("sub", port: broker.port, ["-t", "j", "-F", "%J", "-C", "1", "-W", "5"])
            #expect(result.ending == .exited(0) && result.output.isEmpty)
            #expect(result.errors == ["j: a payload that is no JSON"])
        }
    }

    @Test func aMessageWithoutAPayloadIsNothing() async throws {
        try await withMosquitto { broker in
            try await broker.settleLog()
            let count = await broker.log.lines.count { $0.contains("Sending SUBACK") }
            let result = try await withThrowingTaskGroup(of: Outcome?.self) { group in
                group.addTask { try await fieldpost("sub", port: broker.port, ["-t", "a", "-v", "-N", "-C", "3"]) }
                try await broker.log.wait(for: "a SUBACK") { $0.count { $0.contains("Sending SUBACK") } > count }
                for payload in ["x", nil, "y"] { try await mosquittoPub(port: broker.port, "a", payload) }
                return try await group.next() ?? nil
            }
            #expect(result?.output == ["a xa y"])
        }
    }

    @Test(arguments: ["311", "5"])
    func retainedMessagesAreDeletedApartFromThoseFilteredOut(version: String) async throws {
        try await withMosquitto { broker in
            // More than may be under way at once.
            for topic in ["kept"] + (1...30).map({ "\($0)" }) {
                try await mosquittoPub(port: broker.port, "r/\(topic)", "old", qos: 0, retain: true)
            }
            let result = try await fieldpost(
                "sub", port: broker.port,
                ["-V", version, "-t", "r/#", "-T", "r/kept", "--remove-retained", "-R", "-W", "3"])
            #expect(result.ending == .exited(27) && !result.output.contains("old"))
            let left = try await startSub(broker, ["-t", "r/#", "-v", "--retained-only"])
            try await mosquittoPub(port: broker.port, "r/new", "ends it")
            #expect(try await left.wait() == .exited(0))
            #expect(await left.output.lines == ["r/kept old"])
        }
    }

    /// The broker's Nagle and our system's late acknowledgements would make it four seconds: 40 ms for every 20 messages.
    @Test(arguments: ["311", "5"])
    func manyRetainedMessagesAreDeletedQuickly(version: String) async throws {
        try await withMosquitto(lines: ["set_tcp_nodelay false"]) { broker in
            try await withClient(of: broker) { client in
                for number in 1...2000 {
                    let message = try Message(
                        topic: TopicName("r/\(number)"), payload: ByteBuffer(string: "old"), retain: true)
                    try await client.publish(message, until: .acknowledged)
                }
                let began = ContinuousClock.now
                async let deleting = fieldpost(
                    "sub", port: broker.port,
                    ["-V", version, "-t", "r/#", "-t", "end", "--remove-retained", "--retained-only"])
                let ending = Task {
                    while !Task.isCancelled {
                        try await client.publish(Message(topic: TopicName("end"), payload: ByteBuffer()))
                        try await Task.sleep(for: .milliseconds(50))
                    }
                }
                let result = try await deleting
                ending.cancel()
                #expect(ContinuousClock.now - began < .seconds(3))
                #expect(result.ending == .exited(0) && result.output.count == 2000)
            }
            let left = try await fieldpost("sub", port: broker.port, ["-t", "r/#", "-C", "1", "-W", "1"])
            #expect(left.ending == .exited(27))
        }
    }

    @Test func theRetainFlagAsPublished() async throws {
        try await withMosquitto { broker in
            for (arguments, flag) in [([], "0"), (["--retain-as-published"], "1")] {
                try await broker.settleLog()
                let count = await broker.log.lines.count { $0.contains("Sending SUBACK") }
                let sub = try await Program.start(
                    Program.built("fieldpost"),
                    [
                        "sub", "-h", "127.0.0.1", "-p", "\(broker.port)", "-V", "5", "-t", "new\(flag)", "-F", "%r",
                        "-C", "1",
                    ]
                        + arguments)
                try await broker.log.wait(for: "a SUBACK") { $0.count { $0.contains("Sending SUBACK") } > count }
                try await mosquittoPub(port: broker.port, "new\(flag)", "x", retain: true)
                #expect(try await sub.wait() == .exited(0))
                #expect(await sub.output.lines == [flag])
            }
        }
    }

    @Test func standardInputThatIsEmptyOrClosedIsNoMessage() async throws {
        try await withMosquitto { broker in
            try await mosquittoPub(port: broker.port, "a", "kept", retain: true)
            let empty = try await shell(broker.port) { "\($0) pub PORT -t a -r -s </dev/null" }
            #expect(empty.ending == .exited(74))
            #expect(empty.errors == ["standard input is empty; -n publishes an empty message"])
            for option in ["-s", "-l"] {
                let closed = try await shell(broker.port) { "\($0) pub PORT -t a -r \(option) <&-" }
                #expect(closed.ending == .exited(74) && closed.errors == ["standard input is closed"])
            }
            #expect(try await retained(port: broker.port, "a", seconds: 10) == "kept")
        }
    }

    @Test func standardOutputThatIsClosedOrFullIsAFailure() async throws {
        try await withMosquitto { broker in
            try await mosquittoPub(port: broker.port, "a", "a message", retain: true)
            let closed = try await shell(broker.port) { "\($0) sub PORT -t a -C 1 -W 5 >&-" }
            #expect(closed.ending == .exited(74) && closed.errors == ["standard output is closed"])
            let full = try await shell(broker.port) { "\($0) sub PORT -t a -C 1 -W 5 >/dev/full" }
            #expect(full.ending == .exited(74))
            #expect(full.errors == ["standard output: No space left on device"])
        }
    }

    @Test func aBrokerThatTakesConnectionsAndSaysNothingIsLeftOnInterrupt() async throws {
        let server = try await ScriptedServer.start([.receive(1)])
        let sub = try await Program.start(
            Program.built("fieldpost"), ["sub", "-h", "127.0.0.1", "-p", "\(server.port)", "-t", "a"])
        try await eventually("a CONNECT") { server.received.first.map { !$0.isEmpty } ?? false }
        sub.send(SIGINT)
        #expect(try await sub.wait() == .exited(0))
    }
}
