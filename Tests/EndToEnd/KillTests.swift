import Glibc
import Relay
import TestSupport
import Testing

/// The agent is killed, the line is cut, and somebody else counts.
@Suite(.timeLimit(.minutes(5))) struct KillTests {
    /// The payloads carry the queue's number of each reading, which goes on behind the last *accepted* one when the
    /// agent starts again. So a subscriber that has every number up to the queue's next has proof that nothing
    /// accepted was lost (D1), and that nothing left the board that was not accepted (D2), whenever the kills came.
    @Test(arguments: ["5", "3.1.1"])
    func D1_D2_D4_fiftyKillsOverAFlappingLineLoseNothing(version: String) async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix64(seed: seed)
        try await withMosquitto(lines: ["max_queued_messages 0", "max_inflight_messages 0"]) { broker in
            let subscriber = try await MosquittoSub.start(port: broker.port, ["fieldpost/station/+"], qos: 1)
            let relay = try await TCPRelay.start(port: broker.port)
            let station = try Station(
                port: relay.port,
                broker: "version = \"\(version)\"\nkeep_alive = \"2s\"\nconnect_timeout = \"500ms\"",
                rest: Station.sensors(3))
            for round in 1...50 {
                let agent = try await station.run()
                // Between a start that is hardly begun and some dozens of readings, of every other one however slow the
                // machine is.
                if round.isMultiple(of: 2) { try await agent.errors.line(containing: "started: ") }
                let life = Int.random(in: 20...400, using: &generator)
                let change = Int.random(in: 0...life, using: &generator)
                try await Task.sleep(for: .milliseconds(change))
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: await relay.cut()
                case 1: await relay.stall()
                case 2: await relay.cut(after: Int.random(in: 1...2000, using: &generator), .toServer)
                default: try await relay.mend()
                }
                try await Task.sleep(for: .milliseconds(life - change))
                await agent.kill()
                if round.isMultiple(of: 3) { try await relay.mend() }
            }
            try await relay.mend()

            // The last one reads so seldom that the queue can be seen empty.
            try station.directory.write(
                Station.text(
                    port: relay.port, broker: "version = \"\(version)\"", rest: Station.sensors(3, every: "1m")),
                to: "station.toml")
            let agent = try await station.run()
            try await agent.errors.line(containing: " info connected: ")
            try await eventually(within: .seconds(60), "an empty queue (seed \(seed))") {
                try await station.queue("messages") == 0
            }
            agent.send(SIGTERM)
            #expect(try await agent.wait() == .exited(0))
            #expect(try await station.queue("messages") == 0, "seed \(seed)")
            let last = try await station.queue("next") - 1
            #expect(last > 200, "otherwise this has shown nothing")

            let lines = try await subscriber.wait(timeout: .seconds(30)) { lines in
                lines.contains { "seq".value(in: $0) == "\(last)" }
            }
            var seen: [Int: String] = [:]
            var highest: [Substring: Int] = [:]
            for line in lines {
                guard let number = Int("seq".value(in: line) ?? "") else { continue }
                if let first = seen[number] {
                    // A number that comes again must be a repetition: had a reading left the board before it was
                    // accepted, and been lost with the agent, its number would have been given to another one.
                    #expect(line == first, "seed \(seed): number \(number) was given twice (D2)")
                    continue
                }
                seen[number] = line
                let topic = line.prefix { $0 != " " }
                #expect(number > highest[topic, default: 0], "seed \(seed): \(topic) out of order")
                highest[topic] = number
            }
            let lost = Set(1...last).subtracting(seen.keys)
            #expect(lost.isEmpty, "seed \(seed): lost \(lost.sorted())")
            #expect(seen.count == last)
            #expect(highest.count == 3)
        }
    }

    /// Two hundred kills of a publishing agent and more, at any instant, over a line that is cut and stalled, to a
    /// broker that keeps the session: every reading arrives, and none arrives twice. Some of them under 3.1.1, where a
    /// session that lasts has to be asked for in another way, and with the version left to the client, which must not
    /// take a cut line for an old broker.
    @Test(arguments: [("auto", 100), ("5", 200), ("3.1.1", 100)])
    func D3_hundredsOfKillsAtQoS2LoseNothingAndRepeatNothing(version: String, kills: Int) async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix64(seed: seed)
        try await withMosquitto(lines: ["max_queued_messages 0", "max_inflight_messages 0"]) { broker in
            let subscriber = try await MosquittoSub.start(port: broker.port, ["fieldpost/station/+"], qos: 2)
            let relay = try await TCPRelay.start(port: broker.port)
            let timing = "version = \"\(version)\"\nkeep_alive = \"2s\"\nconnect_timeout = \"500ms\""
            let station = try Station(
                text: Station.text(port: relay.port, broker: timing, qos: 2, rest: Station.sensors(3)))
            for round in 1...kills {
                let agent = try await station.run()
                if round.isMultiple(of: 2) { try await agent.errors.line(containing: "started: ") }
                let life = Int.random(in: 20...200, using: &generator)
                let change = Int.random(in: 0...life, using: &generator)
                try await Task.sleep(for: .milliseconds(change))
                switch Int.random(in: 0..<8, using: &generator) {
                case 0: await relay.cut()
                case 1: await relay.stall()
                case 2: await relay.stall([.toClient], newcomers: .served)
                case 3: await relay.cut(after: Int.random(in: 1...1000, using: &generator), .toServer)
                case 4: await relay.cut(after: Int.random(in: 1...300, using: &generator), .toClient)
                default: try await relay.mend()
                }
                try await Task.sleep(for: .milliseconds(life - change))
                await agent.kill()
                if round.isMultiple(of: 2) { try await relay.mend() }
            }
            try await relay.mend()
            try station.directory.write(
                Station.text(
                    port: relay.port, broker: "version = \"\(version)\"", qos: 2, rest: Station.sensors(3, every: "1m")),
                to: "station.toml")
            let agent = try await station.run()
            try await agent.errors.line(containing: " info connected: ")
            try await eventually(within: .seconds(60), "an empty queue (seed \(seed))") {
                try await station.queue("messages") == 0
            }
            agent.send(SIGTERM)
            #expect(try await agent.wait() == .exited(0))
            let last = try await station.queue("next") - 1
            #expect(last > 250, "otherwise this has shown nothing")
            let lines = try await subscriber.wait(timeout: .seconds(30)) { lines in
                lines.contains { "seq".value(in: $0) == "\(last)" }
            }
            let numbers = lines.compactMap { Int("seq".value(in: $0) ?? "") }
            let counts = Dictionary(numbers.map { ($0, 1) }, uniquingKeysWith: +)
            let twice = counts.filter { $0.value > 1 }.keys.sorted()
            #expect(twice.isEmpty, "seed \(seed): \(twice.count) of \(last) arrived twice: \(twice.prefix(20))")
            let lost = Set(1...last).subtracting(numbers).sorted()
            #expect(lost.isEmpty, "seed \(seed): lost \(lost.count) of \(last): \(lost.prefix(20))")
        }
    }

    @Test func P1_aKilledAgentIsOfflineByItsWill() async throws {
        try await withMosquitto { broker in
            let station = try Station(port: broker.port)
            let watcher = try await MosquittoSub.start(port: broker.port, [station.statusTopic])
            let agent = try await station.run()
            try await watcher.wait(for: "online") { $0.contains { $0.contains(#""state":"online""#) } }
            await agent.kill()
            let lines = try await watcher.wait(for: "offline") { $0.last?.contains(#""state":"offline""#) == true }
            #expect(
                lines.last?.contains(#"{"state":"offline","reason":"connection lost","boot":1,"connection":1,"#) == true
            )
            let status = try await retained(port: broker.port, station.statusTopic, seconds: 10)
            #expect(status?.contains(#""state":"offline""#) == true)
        }
    }

    @Test func P1_aPulledCableIsOfflineWithinOneAndAHalfKeepAlives() async throws {
        try await withMosquitto { broker in
            let relay = try await TCPRelay.start(port: broker.port)
            let station = try Station(port: relay.port, broker: #"keep_alive = "2s""#)
            let watcher = try await MosquittoSub.start(port: broker.port, [station.statusTopic])
            let agent = try await station.run()
            try await watcher.wait(for: "online") { $0.contains { $0.contains(#""state":"online""#) } }
            await relay.stall()
            // Mosquitto looks for dead connections every five seconds only.
            try await watcher.wait(for: "offline", timeout: .seconds(3 + 5 + 2)) {
                $0.contains { $0.contains(#""state":"offline","reason":"connection lost""#) }
            }
            try await relay.mend()
            try await watcher.wait(for: "online again") {
                $0.last?.contains(#""state":"online","since""#) == true && $0.last?.contains(#""connection":2"#) == true
            }
            await agent.kill()
        }
    }

    @Test(arguments: ["5", "3.1.1"])
    func P2_aWillThatComesLateIsContradicted(version: String) async throws {
        try await withMosquitto { broker in
            let station = try Station(port: broker.port, broker: "version = \"\(version)\"")
            let watcher = try await MosquittoSub.start(port: broker.port, [station.statusTopic])
            let agent = try await station.run()
            try await watcher.wait(for: "online") { $0.contains { $0.contains(#""state":"online""#) } }
            for late in 1...2 {
                try await mosquittoPub(
                    port: broker.port, station.statusTopic,
                    #"{"state":"offline","reason":"connection lost","boot":0,"connection":\#(late)}"#, retain: true)
                try await watcher.wait(for: "the contradiction") { lines in
                    guard let index = lines.lastIndex(where: { $0.contains(#""boot":0,"connection":\#(late)"#) }) else {
                        return false
                    }
                    return lines[index...].contains { $0.contains(#""state":"online""#) }
                }
            }
            agent.send(SIGTERM)
            #expect(try await agent.wait() == .exited(0))
            let status = try await retained(port: broker.port, station.statusTopic, seconds: 10)
            #expect(status?.contains(#""state":"offline","reason":"stopped""#) == true)
        }
    }

    @Test func P1_aStoppedAgentSaysSoAtOnceAndLosesNothing() async throws {
        try await withMosquitto { broker in
            let station = try Station(port: broker.port)
            let watcher = try await MosquittoSub.start(port: broker.port, ["fieldpost/station/+"])
            let agent = try await station.run()
            try await watcher.wait(for: "readings") { $0.count { $0.contains("/s1 ") } >= 20 }
            agent.send(SIGTERM)
            #expect(try await agent.wait(timeout: .seconds(5)) == .exited(0))
            let status = try #require(try await retained(port: broker.port, station.statusTopic, seconds: 10))
            #expect(status.contains(#"{"state":"offline","reason":"stopped","since":"#))
            #expect(try await station.queue("messages") == 0)
            let last = try await station.queue("next") - 1
            try await watcher.wait(for: "the last reading") { $0.contains { "seq".value(in: $0) == "\(last)" } }
        }
    }

    @Test func P1_aBrokerThatHangsDelaysTheEndByLessThanFiveSecondsAndKeepsTheWill() async throws {
        try await withMosquitto { broker in
            let relay = try await TCPRelay.start(port: broker.port)
            let station = try Station(port: relay.port)
            let watcher = try await MosquittoSub.start(port: broker.port, [station.statusTopic])
            let agent = try await station.run()
            try await watcher.wait(for: "online") { $0.contains { $0.contains(#""state":"online""#) } }
            await relay.stall([.toClient], newcomers: .served)
            agent.send(SIGTERM)
            #expect(try await agent.wait(timeout: .seconds(5)) == .exited(0))
            // The status, or the will: the agent cannot know which; the fleet must know that the board is gone.
            try await watcher.wait(for: "offline") { $0.last?.contains(#""state":"offline""#) == true }
            await relay.stop()
        }
    }

    @Test func withoutABrokerReadingsWaitAndTheEndIsQuick() async throws {
        let station = try Station(port: try freePort())
        let agent = try await station.run()
        try await agent.errors.line(containing: "not connected")
        try await eventually("readings in the queue") {
            station.directory.exists("queue.db") ? try await station.queue("messages") >= 5 : false
        }
        agent.send(SIGINT)
        #expect(try await agent.wait(timeout: .seconds(5)) == .exited(0))
        let list = try await station.fieldpost("queue", "list", "-n", "3", "--config", station.file)
        #expect(list.output.count == 3)
        #expect(list.output.first?.hasPrefix("1  20") == true)
        let purged = try await station.fieldpost("queue", "purge", "--all", "--config", station.file)
        #expect(purged.output.first?.hasSuffix("messages thrown away") == true)
        #expect(try await station.queue("messages") == 0)
        #expect(try await station.queue("purged") >= 5, "the count is kept")
    }
}
