import Glibc
import MQTT
import MQTTWire
import NIOCore
import NIOPosix
import Relay
import Synchronization
import TestSupport
import Testing
import Units

/// Devices that know only the gateway, and a far broker that knows only the gateway.
@Suite(.timeLimit(.minutes(3))) struct BridgeTests {
    // MARK: What a gateway promises

    /// Four devices publish while the line to the far broker is mostly cut and the gateway is killed again and again. Each
    /// knows what was acknowledged to it: all of it arrives, at QoS 2 once, in order, dated when it was accepted.
    @Test func D1_D3_D4_T1_whatAGatewayHasAcknowledgedArrivesWhateverIsKilled() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix64(seed: seed)
        // Without a bound to those under way: behind a subscriber that is slow, Mosquitto 2.0.11 now and then sends a new
        // message ahead of those that it has queued for it.
        let lines = ["max_queued_messages 0", "max_inflight_messages 0"]
        try await withMosquitto(lines: lines) { upstream in
            let subscriber = try await MosquittoSub.start(port: upstream.port, ["site/gw/sensors/#"])
            let relay = try await TCPRelay.start(port: upstream.port)
            let gateway = try BridgeStation(
                upstream: relay.port,
                rules: """
                    [[bridge]]
                    topics = ["sensors/#"]
                    remote_prefix = "site/{device}/"
                    qos = 2
                    stamp = "payload"
                    """)
            await relay.cut()
            let isOver = Flag()
            var agent = try await gateway.run()
            let acknowledged = try await withThrowingTaskGroup(of: [Taken].self) { devices in
                // Somebody else's client, which gives up at once, and ours, which do not.
                devices.addTask {
                    try await publish("a", qos: 1, until: isOver) { number in
                        try await isTaken(port: gateway.port, "sensors/a", "\(number)", qos: 1, version: .v3)
                    }
                }
                for (device, version, qos) in [
                    ("b", ProtocolVersion.v5, QoS.exactlyOnce), ("c", .v3_1_1, .exactlyOnce), ("d", .v5, .atLeastOnce),
                ] {
                    devices.addTask {
                        try await withDevice(device, version, port: gateway.port) { client in
                            let topic = try TopicName("sensors/\(device)")
                            return try await publish(device, qos: Int(qos.rawValue), until: isOver) { number in
                                let payload = ByteBuffer(string: "\(number)")
                                try await client.publish(
                                    Message(topic: topic, payload: payload, qos: qos), until: .acknowledged)
                                return true
                            }
                        }
                    }
                }
                for round in 1...15 {
                    if round.isMultiple(of: 3) { try await relay.mend() }
                    try await Task.sleep(for: .milliseconds(Int.random(in: 100...900, using: &generator)))
                    await agent.kill()
                    await relay.cut()
                    agent = try await gateway.run()
                }
                await agent.kill()
                isOver.raise()
                try await relay.mend()
                agent = try await gateway.run()
                return try await devices.reduce(into: []) { $0 += $1 }
            }
            #expect(acknowledged.count > 50, "otherwise this has shown nothing")

            // What takes a whole exchange at QoS 2 comes behind whatever was sent before, at any QoS.
            for device in ["a", "b", "c", "d"] {
                try await mosquittoPub(port: gateway.port, "sensors/\(device)", "\"last\"", qos: 2)
            }
            let lines = try await subscriber.wait(for: "the last ones", timeout: .seconds(30)) { lines in
                lines.count { $0.contains("last") } == 4
            }
            #expect(try await gateway.stop(agent) == .exited(0))
            await subscriber.kill()
            await relay.stop()
            try check(lines.filter { !$0.contains("last") }, against: acknowledged, seed: seed)
        }
    }

    /// Counts up until it is over.
    ///
    /// - Parameter send: says whether the message was acknowledged.
    /// - Returns: what was acknowledged.
    private func publish(
        _ device: String, qos: Int, until isOver: Flag, _ send: (Int) async throws -> Bool
    ) async throws -> [Taken] {
        var taken: [Taken] = []
        var number = 0
        while !isOver.isRaised {
            number += 1
            let before = Timestamp.now()
            if try await send(number) {
                taken.append(Taken(device: device, number: number, qos: qos, from: before, to: .now()))
            }
            try await Task.sleep(for: .milliseconds(2))
        }
        return taken
    }

    /// A client of ours whose session outlives connections, so that QoS 2 is exact.
    private func withDevice(
        _ name: String, _ version: ProtocolVersion, port: Int, _ body: (MQTTClient) async throws -> [Taken]
    ) async throws -> [Taken] {
        var configuration = ClientConfiguration(
            endpoints: [Endpoint(host: "127.0.0.1", port: port)], version: version, clientIdentifier: name)
        configuration.backoff = Backoff(base: .milliseconds(10), cap: .milliseconds(50))
        let client = MQTTClient(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let running = Task { await client.run() }
        let taken = try await body(client)
        await client.disconnect()
        await running.value
        return taken
    }

    private final class Flag: Sendable {
        private let state = Mutex(false)
        var isRaised: Bool { state.withLock { $0 } }
        func raise() { state.withLock { $0 = true } }
    }

    private struct Taken: Sendable {
        var device: String
        var number: Int
        var qos: Int
        var from: Timestamp
        var to: Timestamp
    }

    private func check(_ lines: [String], against acknowledged: [Taken], seed: UInt64) throws {
        var arrived: [String: [(number: Int, time: Timestamp)]] = [:]
        for line in lines {
            let device = line.prefix { $0 != " " }.suffix(1)
            let number = try #require(Int("value".value(in: line) ?? ""), "\(line)")
            let time = try #require("time".value(in: line).flatMap(Timestamp.init(iso8601:)), "\(line)")
            arrived[String(device), default: []].append((number, time))
        }
        for (device, all) in arrived {
            var seen: Set<Int> = []
            let firsts = all.map(\.number).filter { seen.insert($0).inserted }
            #expect(firsts == firsts.sorted(), "seed \(seed): \(device) is out of order (D4)")
            guard ["b", "c"].contains(device) else { continue }
            #expect(firsts.count == all.count, "seed \(seed): something of \(device) came twice (D3)")
        }
        for taken in acknowledged {
            let all = arrived[taken.device, default: []].filter { $0.number == taken.number }
            #expect(!all.isEmpty, "seed \(seed): \(taken.device) \(taken.number) is lost (D1)")
            for one in all {
                #expect(
                    taken.from <= one.time && one.time <= taken.to,
                    "seed \(seed): \(taken) is dated \(one.time.iso8601)")
            }
        }
    }

    @Test func aBurstLargerThanAnyQueueOfTheBrokerInsideIsCarriedWhole() async throws {
        // As above: Mosquitto itself does not always keep the order of what waits for a slow subscriber.
        try await withMosquitto(lines: ["max_queued_messages 0", "max_inflight_messages 0"]) { upstream in
            let subscriber = try await MosquittoSub.start(port: upstream.port, ["burst"], format: "%p")
            let gateway = try BridgeStation(
                upstream: upstream.port, rules: "[[bridge]]\ntopics = [\"burst\"]")
            let agent = try await gateway.run()
            let burst = try await runProgram(
                systemProgram("sh"),
                ["-c", "seq 1 5000 | mosquitto_pub -h 127.0.0.1 -p \(gateway.port) -t burst -q 1 -l"],
                timeout: .seconds(60))
            #expect(burst.ending == .exited(0))
            let lines = try await subscriber.wait(timeout: .seconds(60)) { $0.contains("5000") }
            #expect(lines == (1...5_000).map(String.init))
            #expect(try await gateway.stop(agent) == .exited(0))
            await subscriber.kill()
        }
    }

    @Test func whatIsRetainedHereIsRetainedThereAndForgottenThere() async throws {
        try await withMosquitto { upstream in
            let gateway = try BridgeStation(
                upstream: upstream.port, rules: "[[bridge]]\ntopics = [\"door\"]\nremote_prefix = \"site/\"")
            let agent = try await gateway.run()
            try await mosquittoPub(port: gateway.port, "door", "open", retain: true, version: .v3)
            try await eventually("the retained message") {
                try await retained(port: upstream.port, "site/door") == "open"
            }
            try await mosquittoPub(port: gateway.port, "door", nil, retain: true, version: .v3)
            try await eventually("its end") { try await retained(port: upstream.port, "site/door") == nil }
            #expect(try await gateway.stop(agent) == .exited(0))
        }
    }

    @Test func T1_theTimeAndOtherPropertiesTravelUnderVersion5AndTheStatusCounts() async throws {
        try await withMosquitto { upstream in
            let subscriber = try await MosquittoSub.start(
                port: upstream.port, ["t"], version: .v5, format: "%P %C %E %p")
            let status = try await MosquittoSub.start(port: upstream.port, ["fieldpost/gw/status"])
            let gateway = try BridgeStation(upstream: upstream.port, rules: "[[bridge]]\ntopics = [\"t\"]")
            let agent = try await gateway.run()
            let before = Timestamp.now()
            try await mosquittoPub(
                port: gateway.port, "t", "x",
                extra: [
                    "-D", "publish", "content-type", "text/plain", "-D", "publish", "user-property", "who", "me", "-D",
                    "publish", "message-expiry-interval", "100",
                ])
            let line = try await subscriber.next()
            #expect(line.hasPrefix("who:me time:"))
            #expect(line.contains(" fieldpost-path:gw text/plain "))
            let time = line.split(separator: " ").first { $0.hasPrefix("time:") }
            let stamp = try #require(time.flatMap { Timestamp(iso8601: String($0.dropFirst(5))) })
            #expect(before <= stamp && stamp <= .now())
            #expect(try #require(line.split(separator: " ").dropLast().last.flatMap { Int($0) }) <= 100)
            try await status.wait(for: "the count") {
                $0.contains { $0.contains(#""bridge":{"out":1,"in":0,"dropped":0}"#) }
            }
            #expect(try await gateway.stop(agent) == .exited(0))
            for program in [subscriber, status] { await program.kill() }
        }
    }

    // MARK: In

    @Test(arguments: ["5", "3.1.1"])
    func settingsComeInAndStay(version: String) async throws {
        try await withMosquitto { upstream in
            try await mosquittoPub(port: upstream.port, "site/gw/config/rate", "10", retain: true)
            let gateway = try BridgeStation(
                upstream: upstream.port, version: version,
                rules: """
                    [[bridge]]
                    topics = ["config/#"]
                    direction = "in"
                    remote_prefix = "site/{device}/"
                    """)
            var agent = try await gateway.run()
            try await eventually("the retained setting") {
                try await retained(port: gateway.port, "config/rate") == "10"
            }
            let device = try await MosquittoSub.start(port: gateway.port, ["config/#"])
            try await device.wait { $0 == ["config/rate 1 1 10"] }
            try await mosquittoPub(port: upstream.port, "site/gw/config/rate", "20", qos: 2, retain: true)
            try await device.wait { $0.last == "config/rate 1 0 20" }
            await device.kill()
            // The gateway's devices still have it when the far broker is gone and the gateway comes back.
            await agent.kill()
            await upstream.kill()
            agent = try await gateway.run()
            // 3.1.1 does not say of what is published now that it is retained.
            #expect(
                try await retained(port: gateway.port, "config/rate", seconds: 10) == (version == "5" ? "20" : "10"))
            #expect(try await gateway.stop(agent) == .exited(0))
        }
    }

    /// The far broker keeps what comes while the gateway is dead.
    @Test func D1_whatTheFarBrokerHasForAGatewayThatWasKilledReachesItsDevices() async throws {
        try await withMosquitto { upstream in
            let gateway = try BridgeStation(
                upstream: upstream.port, rules: "[[bridge]]\ntopics = [\"command\"]\ndirection = \"in\"")
            var agent = try await gateway.runSubscribed(to: "command", at: upstream)
            let device = try await MosquittoSub.start(port: gateway.port, ["command"], clientID: "gate")
            try await mosquittoPub(port: upstream.port, "command", "0")
            try await device.wait { $0.count == 1 }
            for number in 1...20 {
                if number.isMultiple(of: 5) {
                    await agent.kill()
                    try await mosquittoPub(port: upstream.port, "command", "\(number)")
                    agent = try await gateway.run()
                } else {
                    try await mosquittoPub(port: upstream.port, "command", "\(number)")
                }
            }
            let lines = try await device.wait(timeout: .seconds(20)) { $0.contains { $0.hasSuffix(" 20") } }
            var seen: Set<String> = []
            #expect(
                lines.filter { seen.insert($0).inserted } == (0...20).map { "command 1 0 \($0)" },
                "each at least once, and in order")
            #expect(try await gateway.stop(agent) == .exited(0))
            await device.kill()
        }
    }

    // MARK: Questions and answers

    /// A device of 3.1.1 behind the gateway is asked from beyond it, by topics.
    @Test func aGateBehindTheGatewayAnswers() async throws {
        try await withMosquitto { upstream in
            let gateway = try BridgeStation(
                upstream: upstream.port,
                rules: """
                    [[bridge]]
                    topics = ["detrd/+/response/#"]
                    stamp = "none"
                    [[bridge]]
                    topics = ["detrd/+/request/#"]
                    direction = "in"
                    """)
            let agent = try await gateway.run()
            let gate = try await MosquittoSub.start(port: gateway.port, ["detrd/status/request/+"], format: "%t %p")
            let asker = try await MosquittoSub.start(port: upstream.port, ["detrd/status/response/+"], format: "%t %p")
            for id in ["7", "8"] {
                // Until the gateway has subscribed, nobody hears the question.
                try await eventually("the question") {
                    try await mosquittoPub(port: upstream.port, "detrd/status/request/\(id)", "state?", version: .v3)
                    return try await runs {
                        try await gate.wait(timeout: .seconds(1)) {
                            $0.contains("detrd/status/request/\(id) state?")
                        }
                    }
                }
                try await mosquittoPub(port: gateway.port, "detrd/status/response/\(id)", "closed", version: .v3)
                try await asker.wait { $0.last == "detrd/status/response/\(id) closed" }
            }
            #expect(try await gateway.stop(agent) == .exited(0))
            for program in [gate, asker] { await program.kill() }
        }
    }

    private func runs(_ body: () async throws -> Void) async throws -> Bool {
        do {
            try await body()
            return true
        } catch is TimedOut {
            return false
        }
    }

    /// Under 5.0 the topic for the answer stands in the question, and has another name at the gateway.
    @Test func responseTopicsAreCalledByTheirNamesOnEitherSide() async throws {
        try await withMosquitto { upstream in
            let gateway = try BridgeStation(
                upstream: upstream.port,
                rules: """
                    [[bridge]]
                    topics = ["gate/+"]
                    direction = "both"
                    remote_prefix = "site/{device}/"
                    """)
            let agent = try await gateway.run()
            let gate = try await MosquittoSub.start(
                port: gateway.port, ["gate/request"], version: .v5, format: "%R %D %p")
            let asker = try await MosquittoSub.start(
                port: upstream.port, ["site/gw/gate/answer"], version: .v5, format: "%D %p")
            try await eventually("the question") {
                try await mosquittoPub(
                    port: upstream.port, "site/gw/gate/request", "open",
                    extra: [
                        "-D", "publish", "response-topic", "site/gw/gate/answer", "-D", "publish", "correlation-data",
                        "c7",
                    ])
                return try await runs { try await gate.wait(timeout: .seconds(1)) { !$0.isEmpty } }
            }
            #expect(try await gate.next() == "gate/answer c7 open")
            try await mosquittoPub(
                port: gateway.port, "gate/answer", "done", extra: ["-D", "publish", "correlation-data", "c7"])
            #expect(try await asker.next() == "c7 done")
            #expect(try await gateway.stop(agent) == .exited(0))
            for program in [gate, asker] { await program.kill() }
        }
    }
}
