import Glibc
import TestSupport
import Testing

/// What a board has gathered while it was away, and what is new meanwhile, as somebody else sees it arrive.
@Suite(.timeLimit(.minutes(3))) struct BacklogTests {
    /// A reading as the subscriber has seen it: `TOPIC USER-PROPERTIES PAYLOAD`.
    private struct Arrival {
        let sensor: String
        let sequence: Int
        let isBacklog: Bool
        let isMarked: Bool

        init?(_ line: String) {
            guard let sequence = "seq".value(in: line).flatMap({ Int($0) }),
                let topic = line.split(separator: " ").first
            else { return nil }
            sensor = topic.split(separator: "/").last.map(String.init) ?? ""
            self.sequence = sequence
            isBacklog = line.contains(" backlog:true ")
            isMarked = line.hasSuffix(#","backlog":true}"#)
        }
    }

    private static let rate = 50

    private static func text(port: Int, backlog: String, _ sensors: [String]) -> String {
        Station.text(port: port, broker: #"version = "5""#, rest: sensors.joined(separator: "\n"))
            .replacing("[queue]", with: "[queue]\nbacklog = { \(backlog) }")
    }

    private static func sensor(_ name: String, _ priority: String, every: String) -> String {
        """
        [[sensor]]
        name = "\(name)"
        driver = "simulated"
        kind = "random-walk"
        priority = "\(priority)"
        every = "\(every)"
        """
    }

    @Test(arguments: ["first", "last"])
    func D4_whatIsUrgentOrNewIsNotStuckBehindABacklog(order: String) async throws {
        try await withMosquitto(lines: ["max_queued_messages 0", "max_inflight_messages 0"]) { broker in
            let subscriber = try await MosquittoSub.start(
                port: broker.port, ["fieldpost/station/+"], qos: 1, version: .v5, format: "%t %P %p")
            // Nobody listens there.
            let away = (1...10).map { Self.sensor("s\($0)", $0 == 1 ? "low" : "normal", every: "10ms") }
            let alarm = Self.sensor("old-alarm", "urgent", every: "500ms")
            let nowhere = try freePort()
            let station = try Station(text: Self.text(port: nowhere, backlog: "rate = 1", away + [alarm]))
            let offline = try await station.run()
            try await offline.errors.line(containing: "started: ")
            try await eventually("a backlog") { try await station.queue("messages") > 2000 }
            await offline.kill()
            let backlog = try await station.queue("messages")

            let paced = #"order = "\#(order)", rate = \#(Self.rate), mark = "both""#
            let live = [Self.sensor("s2", "normal", every: "100ms"), Self.sensor("lid", "high", every: "100ms")]
            try station.directory.write(Self.text(port: broker.port, backlog: paced, live), to: "station.toml")
            // Before it is connected: what reads its log may come late.
            let begin = ContinuousClock.now
            let agent = try await station.run()
            let lines = try await subscriber.wait(for: "live readings") { lines in
                lines.compactMap(Arrival.init).count { !$0.isBacklog && $0.sensor == "lid" } >= 12
            }
            try check(
                order: order, lines.compactMap(Arrival.init), backlog: backlog, within: begin.duration(to: .now))

            // What is held back does not hold up the end, and stays.
            agent.send(SIGTERM)
            #expect(try await agent.wait(timeout: .seconds(5)) == .exited(0))
            let left = try await station.queue("messages")
            #expect(left > backlog / 2)
            let status = try await retained(port: broker.port, station.statusTopic, seconds: 5)
            #expect(status?.contains("offline") == true)

            // Without a pace it is there at once, and nothing is missing.
            let unpaced = #"order = "\#(order)", mark = "both""#
            let quiet = [Self.sensor("s11", "low", every: "1m")]
            try station.directory.write(Self.text(port: broker.port, backlog: unpaced, quiet), to: "station.toml")
            let last = try await station.run()
            try await eventually("an empty queue") { try await station.queue("messages") == 0 }
            last.send(SIGTERM)
            #expect(try await last.wait() == .exited(0))
            let count = try await station.queue("next") - 1
            let all = try await subscriber.wait(for: "everything") { lines in
                Set(lines.compactMap { Arrival($0)?.sequence }).count == count
            }
            check(order: order, all.compactMap(Arrival.init))
        }
    }

    /// What an earlier run may have sent is only counted while it is sent anew: behind the first status.
    @Test func whenTheBrokerHasLostTheSessionTheStatusSaysHowManyMayBeDuplicates() async throws {
        try await withMosquitto { broker in
            let subscriber = try await MosquittoSub.start(port: broker.port, ["fieldpost/station/s1"])
            let station = try Station(text: Station.text(port: broker.port, qos: 2, rest: Station.sensors(1)))
            let first = try await station.run()
            try await subscriber.wait(for: "readings") { $0.count >= 5 }
            await broker.kill()
            try await first.errors.line(containing: "disconnected: ")
            try await eventually("a backlog") { try await station.queue("messages") > 20 }
            await first.kill()
            try await broker.restart()
            try station.directory.write(
                Station.text(port: broker.port, qos: 2, rest: Station.sensors(1, every: "1m")), to: "station.toml")
            let second = try await station.run()
            try await eventually(within: .seconds(20), "duplicates that may be, in the status") {
                let status = try await retained(port: broker.port, station.statusTopic) ?? ""
                return "possible_duplicates".value(in: status).flatMap { Int($0) } ?? 0 > 20
            }
            await second.kill()
        }
    }

    /// Of what has come until the twelfth reading of the lid.
    private func check(order: String, _ arrivals: [Arrival], backlog: Int, within time: Duration) throws {
        #expect(arrivals.allSatisfy { $0.isBacklog == $0.isMarked }, "both marks, or none")
        #expect(arrivals.allSatisfy { $0.isBacklog || $0.sequence > backlog })
        let paced = arrivals.count { $0.isBacklog && $0.sensor != "old-alarm" }
        #expect(paced > Self.rate / 4)
        #expect(Double(paced) < Double(Self.rate) * (Double(time.components.seconds + 1) + 1.25))
        let lid = try #require(arrivals.firstIndex { $0.sensor == "lid" })
        // Two seconds' worth, of far more: it may be read a while after the backlog has begun to go.
        #expect(arrivals.prefix(lid).count { $0.sensor != "old-alarm" } < 2 * Self.rate)
        #expect(arrivals.prefix(lid).count { $0.sensor == "old-alarm" } >= 3, "urgent goes before high")
        let isNewAhead = arrivals.contains { $0.sensor == "s2" && !$0.isBacklog }
        #expect(isNewAhead == (order == "last"))
    }

    /// Inside a sensor, the first copies come in order: all of them, or the backlog's and the others for themselves.
    private func check(order: String, _ arrivals: [Arrival]) {
        var seen: Set<Int> = []
        var highest: [String: Int] = [:]
        for arrival in arrivals where seen.insert(arrival.sequence).inserted {
            let lane = order == "last" ? "\(arrival.sensor) \(arrival.isBacklog)" : arrival.sensor
            #expect(arrival.sequence > highest[lane, default: 0], "\(lane) out of order")
            highest[lane] = arrival.sequence
        }
    }
}
