import Glibc
import TestSupport
import Testing

/// Rules in both directions carry each message as often as it was published.
@Suite(.timeLimit(.minutes(2))) struct BridgeLoopTests {
    private static let both = "[[bridge]]\ntopics = [\"chat/#\"]\ndirection = \"both\"\nqos = 2"

    /// The far broker's subscription stands when something of it arrives.
    private func waitUntilCarried(from port: Int, to subscriber: MosquittoSub, _ name: String) async throws {
        try await eventually("\(name) to be carried") {
            try await mosquittoPub(port: port, "chat/probe", name)
            do {
                try await subscriber.wait(timeout: .seconds(1)) { $0.contains { $0.hasSuffix(" " + name) } }
                return true
            } catch is TimedOut {
                return false
            }
        }
    }

    /// How often each text has come, but for probes.
    private func counts(_ lines: [String]) -> [String: Int] {
        Dictionary(
            lines.filter { !$0.hasPrefix("chat/probe ") }.map { ($0, 1) }, uniquingKeysWith: +)
    }

    private func watch(_ port: Int) async throws -> MosquittoSub {
        try await MosquittoSub.start(port: port, ["chat/#"], format: "%t %p")
    }

    @Test(arguments: ["5", "3.1.1"])
    func aMessageIsNotGivenBack(version: String) async throws {
        try await withMosquitto { upstream in
            let gateway = try BridgeStation(upstream: upstream.port, version: version, rules: Self.both)
            let agent = try await gateway.run()
            let (here, there) = (try await watch(gateway.port), try await watch(upstream.port))
            try await waitUntilCarried(from: upstream.port, to: here, "down")
            try await waitUntilCarried(from: gateway.port, to: there, "up")
            var expected: [String: Int] = [:]
            for round in 1...15 {
                // The same words again and again, from both sides.
                for (port, text) in [(gateway.port, "same"), (upstream.port, "same"), (gateway.port, "h\(round)")] {
                    try await mosquittoPub(port: port, "chat/a", text, qos: round % 3)
                    expected["chat/a \(text)", default: 0] += 1
                }
            }
            // Last words have gone every way that a message can go. At QoS 2 they come behind whatever was sent before.
            try await mosquittoPub(port: gateway.port, "chat/a", "last up", qos: 2)
            try await there.wait { $0.contains("chat/a last up") }
            try await mosquittoPub(port: upstream.port, "chat/a", "last down", qos: 2)
            try await here.wait { $0.contains("chat/a last down") }
            try await mosquittoPub(port: gateway.port, "chat/a", "end", qos: 2)
            try await there.wait { $0.contains("chat/a end") }
            for text in ["last up", "last down", "end"] { expected["chat/a \(text)"] = 1 }
            #expect(counts(try await here.wait { $0.contains("chat/a end") }) == expected)
            #expect(counts(try await there.wait { $0.contains("chat/a end") }) == expected)
            #expect(try await gateway.stop(agent) == .exited(0))
            for program in [here, there] { await program.kill() }
        }
    }

    @Test(arguments: ["5", "3.1.1"])
    func twoGatewaysOfOneBrokerCarryEachMessageOnce(version: String) async throws {
        try await withMosquitto { upstream in
            let one = try BridgeStation("one", upstream: upstream.port, version: version, rules: Self.both)
            let two = try BridgeStation("two", upstream: upstream.port, version: version, rules: Self.both)
            let agents = [try await one.run(), try await two.run()]
            let ports = [one.port, two.port, upstream.port]
            var watchers: [MosquittoSub] = []
            for port in ports { watchers.append(try await watch(port)) }
            for (index, watcher) in watchers.enumerated() {
                for (place, port) in ports.enumerated() where place != index {
                    try await waitUntilCarried(from: port, to: watcher, "probe-\(place)-\(index)")
                }
            }
            for round in 1...10 {
                for port in ports { try await mosquittoPub(port: port, "chat/a", "same", qos: 1 + round % 2) }
            }
            var expected = ["chat/a same": 30]
            for round in 1...2 {
                for (place, port) in ports.enumerated() {
                    let last = "last-\(round)-\(place)"
                    expected["chat/a \(last)"] = 1
                    try await mosquittoPub(port: port, "chat/a", last, qos: 2)
                    for watcher in watchers { try await watcher.wait { $0.contains("chat/a \(last)") } }
                }
            }
            for watcher in watchers {
                #expect(counts(try await watcher.wait { $0.contains("chat/a last-2-2") }) == expected)
                await watcher.kill()
            }
            #expect(try await one.stop(agents[0]) == .exited(0))
            #expect(try await two.stop(agents[1]) == .exited(0))
        }
    }

    /// Two gateways that are each other's far broker. What was here before is not carried on.
    @Test func aRingOfGatewaysEndsWhereItBegan() async throws {
        let ports = (try freePort(), try freePort())
        let rule = "[[bridge]]\ntopics = [\"chat/#\"]"
        let one = try BridgeStation("one", port: ports.0, upstream: ports.1, version: "5", rules: rule)
        let two = try BridgeStation("two", port: ports.1, upstream: ports.0, version: "5", rules: rule)
        let agents = [try await one.run(), try await two.run()]
        let (here, there) = (try await watch(one.port), try await watch(two.port))
        let status = try await MosquittoSub.start(port: two.port, ["fieldpost/one/status"])
        for number in 1...5 { try await mosquittoPub(port: one.port, "chat/a", "\(number)") }
        // Round once: from the device, and back from the other gateway.
        try await here.wait(timeout: .seconds(20)) { $0.count >= 10 }
        try await status.wait(for: "what was stopped", timeout: .seconds(20)) {
            $0.contains { $0.contains(#""looped":5}"#) }
        }
        try await mosquittoPub(port: two.port, "chat/a", "last")
        let lines = try await here.wait { $0.contains("chat/a last") }
        let round = try await there.wait(timeout: .seconds(20)) { $0.count { $0 == "chat/a last" } == 2 }
        #expect(counts(lines) == ["1": 2, "2": 2, "3": 2, "4": 2, "5": 2, "last": 1].mapKeys { "chat/a \($0)" })
        #expect(counts(round) == ["1": 1, "2": 1, "3": 1, "4": 1, "5": 1, "last": 2].mapKeys { "chat/a \($0)" })
        #expect(try await one.stop(agents[0]) == .exited(0))
        #expect(try await two.stop(agents[1]) == .exited(0))
        for program in [here, there, status] { await program.kill() }
    }

    // MARK: Its place in the broker inside

    @Test func S4_nobodyElseIsTheBridge() async throws {
        try await withMosquitto { upstream in
            let gateway = try BridgeStation(upstream: upstream.port, rules: Self.both)
            let agent = try await gateway.run()
            let thief = try await runProgram(
                systemProgram("mosquitto_sub"),
                ["-h", "127.0.0.1", "-p", "\(gateway.port)", "-c", "-i", "$bridge", "-t", "x", "-W", "2"])
            #expect(thief.ending != .exited(0) && thief.ending != .exited(27), "\(thief)")
            #expect(try await mayPublish(port: gateway.port))
            #expect(try await gateway.stop(agent) == .exited(0))
        }
    }

    @Test func otherRulesAfterAReload() async throws {
        try await withMosquitto { upstream in
            let there = try await MosquittoSub.start(port: upstream.port, ["+"], format: "%t %p")
            let gateway = try BridgeStation(upstream: upstream.port, rules: "[[bridge]]\ntopics = [\"a\", \"c\"]")
            let agent = try await gateway.run()
            try await mosquittoPub(port: gateway.port, "a", "1")
            try await there.wait { $0 == ["a 1"] }
            try gateway.write(upstream: upstream.port, rules: "[[bridge]]\ntopics = [\"b\", \"c\"]")
            agent.send(SIGHUP)
            try await agent.errors.wait(for: "the new agent") {
                $0.count { $0.contains(" info connected: broker=") } == 2
            }
            try await eventually("the new rule") {
                try await mosquittoPub(port: gateway.port, "b", "2")
                return await there.received.lines.contains("b 2")
            }
            try await mosquittoPub(port: gateway.port, "a", "3")
            try await mosquittoPub(port: gateway.port, "c", "4")
            let lines = try await there.wait { $0.contains("c 4") }
            #expect(!lines.contains("a 3"))
            #expect(try await gateway.stop(agent) == .exited(0))
            await there.kill()
        }
    }
}

extension Dictionary where Key == String {
    fileprivate func mapKeys(_ transform: (String) -> String) -> [String: Value] {
        Dictionary(uniqueKeysWithValues: map { (transform($0.key), $0.value) })
    }
}
