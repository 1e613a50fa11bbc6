import Glibc
import Relay
import TestSupport
import Testing
import Units

/// One agent that speaks to several platforms at once.
@Suite(.timeLimit(.minutes(3))) struct SeveralUplinksTests {
    private func plain(_ a: Mosquitto) -> String {
        brokerTable("broker", port: a.port)
            + """
            [queue]
            commit_interval = "5ms"
            [[uplink]]
            profile = "plain"

            """
    }

    private func senML() -> String {
        """
        [[uplink]]
        profile = "senml"
        encoding = "cbor"

        """
    }

    private func sparkplug(port: Int) -> String {
        """
        [[uplink]]
        profile = "sparkplug"
        name = "plant"
        group = "g"
        rebirth_wait = "100ms"
        \(brokerTable("uplink.broker", port: port))

        """
    }

    private func homeAssistant(_ c: Mosquitto, sensors: String) -> String {
        """
        [[uplink]]
        profile = "homeassistant"
        sensors = [\(sensors)]
        \(brokerTable("uplink.broker", port: c.port))

        """
    }

    private func withThree(_ body: (Mosquitto, Mosquitto, Mosquitto) async throws -> Void) async throws {
        try await withMosquitto { a in
            try await withMosquitto { b in
                try await withMosquitto { c in
                    try await body(a, b, c)
                }
            }
        }
    }

    @Test func eachHearsItsOwnAndOneThatIsDownHoldsUpNobody() async throws {
        try await withThree { a, b, c in
            let relay = try await TCPRelay.start(port: b.port)
            let station = try Station(
                in: TemporaryDirectory(),
                plain(a) + senML() + sparkplug(port: relay.port) + homeAssistant(c, sensors: "\"tock\"")
                    + Station.clock("tick")
                    + Station.clock("tock"))
            let plainHearer = try await MosquittoSub.start(port: a.port, ["fieldpost/#"], format: "%t %x")
            let shown = try await MosquittoSub.start(port: c.port, ["#"], format: "%t %p")
            let host = try await SparkplugHost.listen(port: b.port)
            let agent = try await station.run()
            try await plainHearer.wait(for: "plain and SenML") { lines in
                ["tick", "tock", "senml"].allSatisfy { name in
                    lines.contains { $0.hasPrefix("fieldpost/station/\(name) ") }
                }
            }
            try await host.wait(for: "both of them") { lines in
                lines.contains { $0.contains(" tick=") } && lines.contains { $0.contains(" tock=") }
            }
            try await shown.wait(for: "the one of them") { lines in
                lines.count { $0.hasPrefix("fieldpost/station/tock ") } > 5
                    && lines.contains { $0.hasPrefix("homeassistant/sensor/fieldpost-station/tock/config ") }
            }
            #expect(await !shown.received.lines.contains { $0.contains("/tick") })

            await relay.cut()
            try await host.line(containing: "NDEATH bdSeq=0")
            let (heard, seen) = (await plainHearer.received.lines.count, await shown.received.lines.count)
            try await plainHearer.wait(for: "more at the first") { $0.count > heard + 20 }
            try await shown.wait(for: "more at the third") { $0.count > seen + 20 }
            try await eventually("what waits for the second") { try await station.waiting("plant") > 30 }
            let others = try await station.fieldpost("queue", "status", "--config", station.file)
            #expect(others.output.contains("others     --uplink plant, --uplink homeassistant"))

            try await relay.mend()
            try await host.wait(for: "the backlog and the present") { lines in
                lines.count { $0.contains(" old:tick=") } > 15 && lines.last.map { !$0.contains("old:") } ?? false
            }

            try await station.stop(agent)
            try await host.death()
            for broker in [a, c] {
                let status = try await retained(port: broker.port, station.statusTopic, seconds: 5)
                #expect(status?.contains(#""state":"offline","reason":"stopped""#) == true)
            }
            await plainHearer.kill()
            await shown.kill()
            await host.program.kill()
            await relay.stop()
        }
    }

    @Test func aReloadAddsAnUplinkAndTakesOneAway() async throws {
        try await withThree { a, b, c in
            let sensor = Station.clock()
            let station = try Station(in: TemporaryDirectory(), plain(a) + sparkplug(port: b.port) + sensor)
            let host = try await SparkplugHost.listen(port: b.port)
            let first = try await MosquittoSub.start(port: a.port, ["fieldpost/#"])
            let third = try await MosquittoSub.start(port: c.port, ["fieldpost/#"])
            let agent = try await station.run()
            try await host.wait(for: "the node") { $0.contains { $0.contains(" tick=") } }

            try station.write(plain(a) + homeAssistant(c, sensors: "\"tick\"") + sensor)
            agent.send(SIGHUP)
            try await third.wait(for: "the new one") { $0.contains { $0.hasPrefix("fieldpost/station/tick ") } }
            try await host.line(containing: "NDEATH bdSeq=0")
            let seen = await first.received.lines.count
            try await first.wait(for: "what was there all along") {
                $0.dropFirst(seen).contains { $0.hasPrefix("fieldpost/station/tick ") }
            }
            #expect(await host.lines.last == "NDEATH bdSeq=0")
            try await station.stop(agent)
            await first.kill()
            await third.kill()
            await host.program.kill()
        }
    }

    @Test func theQueuesOfUplinksAreAskedForByName() async throws {
        try await withThree { a, b, c in
            let station = try Station(
                in: TemporaryDirectory(),
                plain(a) + sparkplug(port: b.port) + homeAssistant(c, sensors: "\"tick\"") + Station.clock())
            await b.kill()
            await c.kill()
            let agent = try await station.runStarted()
            try await eventually("both queues") {
                let (second, third) = (try await station.waiting("plant"), try await station.waiting("homeassistant"))
                return second > 5 && third > 5
            }
            let list = try await station.fieldpost(
                "queue", "list", "--uplink", "homeassistant", "--config", station.file)
            #expect(list.output.allSatisfy { $0.contains("  fieldpost/station/") || $0.contains("  homeassistant/") })
            #expect(list.output.count > 5)
            // What is no text is shown byte by byte: a payload of Sparkplug begins with its time.
            let binary = try await station.fieldpost("queue", "list", "--uplink", "plant", "--config", station.file)
            #expect(binary.output.allSatisfy { $0.contains("  spBv1.0/") && $0.contains("  08") })
            let json = try await station.fieldpost(
                "queue", "list", "--json", "--uplink", "plant", "--config", station.file)
            #expect(json.output.allSatisfy { $0.contains(#""payload_hex":"08"#) })
            try await station.stop(agent)

            let unknown = try await station.fieldpost("queue", "status", "--uplink", "plan", "--config", station.file)
            #expect(unknown.ending == .exited(64))
            #expect(unknown.output == [])
            #expect(unknown.errors.last?.contains("there is no uplink \"plan\"; did you mean \"plant\"?") == true)
            let shared = try await station.fieldpost("queue", "list", "--uplink", "plain", "--config", station.file)
            #expect(shared.ending == .exited(64))
            #expect(shared.errors.last?.contains("uplink \"plain\" has no queue of its own") == true)

            let third = try await station.waiting("homeassistant")
            let purge = try await station.fieldpost(
                "queue", "purge", "--all", "--uplink", "plant", "--config", station.file)
            #expect(purge.ending == .exited(0))
            #expect(try await station.waiting("plant") == 0)
            #expect(try await station.waiting("homeassistant") == third)
        }
    }
}
