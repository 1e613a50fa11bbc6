import MQTT
import MQTTWire
import NIOCore
import TestSupport
import Testing

/// `fieldpost request`, and devices that answer.
@Suite(.timeLimit(.minutes(3))) struct PubSubRequestTests {
    /// A gate, made with our client: it answers in whatever way a request tells.
    private func withGate(_ broker: Mosquitto, _ version: ProtocolVersion, _ body: () async throws -> Void) async throws
    {
        try await withClient(of: broker, version) { client in
            let answering = Task {
                for await message in client.messages {
                    let text = ByteBuffer(string: "\(String(buffer: message.payload)): done")
                    if let answer = message.answer(text) { try await client.publishNow(answer) }
                }
            }
            defer { answering.cancel() }
            try await client.subscribe([Subscription(filter: TopicFilter("gate/7/request/#"))])
            try await body()
        }
    }

    @Test(arguments: [
        ([], ProtocolVersion.v5), (["-V", "5", "-q", "0"], .v5), (["-V", "311"], .v3_1_1), (["-V", "311"], .v5),
        (["--by-topics", "-q", "2"], .v3_1_1),
    ])
    func aGateAnswers(arguments: [String], version: ProtocolVersion) async throws {
        try await withMosquitto { broker in
            try await withGate(broker, version) {
                let result = try await fieldpost(
                    "request", port: broker.port, ["-t", "gate/7/request", "-m", "open"] + arguments)
                #expect(result.ending == .exited(0) && result.errors.isEmpty, "\(result.errors)")
                #expect(result.output == ["open: done"])
            }
        }
    }

    @Test(arguments: ["311", "5"])
    func anyMessageOnTheGivenTopicIsTheAnswer(version: String) async throws {
        try await withMosquitto { broker in
            try await mosquittoPub(port: broker.port, "answers", "an old one", retain: true)
            let device = try await MosquittoSub.start(
                port: broker.port, ["radar"], version: .v5, format: "%t %R %p")
            async let asked = fieldpost(
                "request", port: broker.port, ["-V", version, "-t", "radar", "-e", "answers", "-m", "level?", "-v"])
            #expect(try await device.next() == (version == "5" ? "radar answers level?" : "radar  level?"))
            try await mosquittoPub(port: broker.port, "answers", "2.41 m")
            let result = try await asked
            #expect(result.ending == .exited(0) && result.output == ["answers 2.41 m"], "\(result)")
        }
    }

    @Test func aDeviceAnswersAsMosquittoRRWantsIt() async throws {
        try await withMosquitto { broker in
            let options = ["-t", "radar", "-e", "answers", "-m", "level?", "-D", "publish", "correlation-data", "c7"]
            let device = try await MosquittoSub.start(port: broker.port, ["radar"], version: .v5, format: "%R %D %p")
            async let theirs = runProgram(
                systemProgram("mosquitto_rr"), ["-h", "127.0.0.1", "-p", "\(broker.port)", "-V", "5"] + options)
            let question = try await device.next()
            try await mosquittoPub(port: broker.port, "answers", "2.41 m")
            let expected = try await theirs
            async let ours = fieldpost("request", port: broker.port, options)
            #expect(try await device.next() == question)
            // To somebody else's question, which the topic alone does not show.
            try await mosquittoPub(
                port: broker.port, "answers", "9 m", extra: ["-D", "publish", "correlation-data", "c8"])
            try await mosquittoPub(port: broker.port, "answers", "2.41 m")
            #expect(try await ours.output == expected.output)
        }
    }

    @Test func nobodyAnswers() async throws {
        try await withMosquitto { broker in
            let options = ["-t", "gate/7/request", "-m", "open", "-W"]
            let nobody = try await fieldpost("request", port: broker.port, options + ["20"])
            #expect(nobody.ending == .exited(1))
            #expect(nobody.errors == ["gate/7/request: nobody listens there"])
            // 3.1.1 does not say so, and a listener need not answer.
            let device = try await MosquittoSub.start(port: broker.port, ["gate/7/request/#"])
            for way in [["-V", "311"], ["-V", "5"], ["-e", "answers"]] {
                let silent = try await fieldpost("request", port: broker.port, options + ["1"] + way)
                #expect(silent.ending == .exited(27))
                #expect(silent.errors == ["gate/7/request: no answer within 1s"])
            }
            await device.kill()
        }
    }

    @Test func aRequestThatMayNotBePublished() async throws {
        let directory = try TemporaryDirectory()
        let rules = try directory.write("topic read #\n", to: "rules")
        try await withMosquitto(lines: ["acl_file \(rules)"]) { broker in
            let result = try await fieldpost("request", port: broker.port, ["-V", "5", "-t", "a", "-m", "x"])
            #expect(result.ending == .exited(1))
            #expect(result.errors.first?.hasPrefix("a: refused by the broker: ") == true, "\(result.errors)")
        }
        withExtendedLifetime(directory) {}
    }
}
