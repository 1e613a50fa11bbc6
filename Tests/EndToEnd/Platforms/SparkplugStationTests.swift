import Glibc
import Relay
import TestSupport
import Testing
import Units

/// The agent as a Sparkplug Edge Node, to a host that is not ours.
@Suite(.timeLimit(.minutes(3))) struct SparkplugStationTests {
    /// - Parameter rest: more lines for the uplink.
    private func uplink(_ rest: String = "", port: Int) -> String {
        """
        [[uplink]]
        profile = "sparkplug"
        group = "Plant 1"
        node = "press-7"
        rebirth_wait = "100ms"
        \(rest)
        \(brokerTable("uplink.broker", port: port))
        [queue]
        commit_interval = "5ms"

        """
    }

    /// The number that a line tells of a metric: `DDATA:boiler 5 old:tick=81.0!bad` of "tick".
    private static func value(of metric: String, in line: String) -> Int? {
        for word in line.split(separator: " ") {
            let parts = word.split(separator: "=")
            guard parts.count == 2, parts[0] == metric || parts[0] == "old:\(metric)" else { continue }
            return Double(parts[1]).map { Int($0) }
        }
        return nil
    }

    @Test func aLifeFromBirthToDeath() async throws {
        try await withMosquitto { broker in
            let host = try await SparkplugHost.listen(port: broker.port)
            let directory = try TemporaryDirectory()
            try directory.write("80.5\n", to: "temp")
            let station = try Station(
                in: directory,
                uplink("devices = { boiler = [\"temp\", \"valve\"] }", port: broker.port) + Station.clock()
                    + Station.file("temp", in: directory, rest: "unit = \"°C\"")
                    + Station.output("valve", in: directory) + Station.output("led", in: directory)
                    + "[commands]\nallow = [\"set\"]\noutputs = [\"led\", \"valve\"]")
            let agent = try await station.run()
            try await host.line(containing: "NBIRTH 0 ")
            try await host.wait(for: "births and data") { lines in
                lines.contains { $0.hasPrefix("DBIRTH:boiler") && $0.contains("temp=80.5°C") }
                    && lines.contains { $0.hasPrefix("NDATA") && $0.contains(" tick=") }
                    && lines.contains { $0.hasPrefix("DDATA:boiler") && $0.contains(" temp=80.5") }
                    && lines.contains { $0.contains(" led=false") } && lines.contains { $0.contains(" valve=false") }
            }
            #expect(await host.lines.contains { $0.hasPrefix("NBIRTH 0 ") && $0.contains("bdSeq=0") })

            let births = await host.lines.count { $0.hasPrefix("NBIRTH") }
            let node = "spBv1.0/Plant 1/NCMD/press-7"
            try await SparkplugHost.run("command", "\(broker.port)", node, "Node Control/Rebirth", "BOOLEAN", "true")
            try await host.wait(for: "the rebirth") { $0.count { $0.hasPrefix("NBIRTH") } > births }

            try await SparkplugHost.run("command", "\(broker.port)", node, "led", "BOOLEAN", "true")
            try await host.wait(for: "the node's output") { $0.contains { $0.contains(" led=true") } }
            #expect(try directory.read("led") == "1\n")
            let boiler = "spBv1.0/Plant 1/DCMD/press-7/boiler"
            try await SparkplugHost.run("command", "\(broker.port)", boiler, "valve", "BOOLEAN", "true")
            try await host.wait(for: "the device's output") { $0.contains { $0.contains(" valve=true") } }
            #expect(try directory.read("valve") == "1\n")

            try await station.stop(agent)
            try await host.line(containing: "NDEATH bdSeq=0")
            #expect(await host.lines.last == "NDEATH bdSeq=0")
            #expect(await host.objections == [])
            await host.program.kill()
        }
    }

    @Test func killedItIsDeadByItsWillAndBornUnderTheNextNumber() async throws {
        try await withMosquitto { broker in
            let host = try await SparkplugHost.listen(port: broker.port)
            let station = try Station(in: TemporaryDirectory(), uplink(port: broker.port) + Station.clock())
            for number in 0...2 {
                let agent = try await station.run()
                try await host.wait(for: "birth \(number)") {
                    $0.contains { $0.hasPrefix("NBIRTH 0 ") && $0.contains("bdSeq=\(number)") }
                }
                try await host.wait(for: "data") { $0.last?.hasPrefix("NDATA") ?? false }
                await agent.kill()
                try await host.line(containing: "NDEATH bdSeq=\(number)")
            }
            #expect(await host.objections == [])
            // A node that is connected before its sensor has said anything is born again with it, under the same number.
            let births = await host.lines.filter { $0.hasPrefix("NBIRTH") }
            let numbers = births.map { birth in (0...9).filter { birth.contains("bdSeq=\($0)") } }
            #expect(numbers == numbers.sorted { $0.lexicographicallyPrecedes($1) } && Set(numbers) == [[0], [1], [2]])
            await host.program.kill()
        }
    }

    /// What a plain uplink tells directly is compared with what came over a line that was cut.
    @Test func theBacklogOfAnOutageIsHistoricalAndNoneIsLost() async throws {
        try await withMosquitto { broker in
            let relay = try await TCPRelay.start(port: broker.port)
            let host = try await SparkplugHost.listen(port: broker.port)
            let watcher = try await MosquittoSub.start(port: broker.port, ["fieldpost/station/tick"], format: "%p")
            let station = try Station(
                in: TemporaryDirectory(),
                uplink(port: relay.port) + brokerTable("broker", port: broker.port)
                    + "[[uplink]]\nprofile = \"plain\"\npayload = \"number\"\n" + Station.clock())
            let agent = try await station.run()
            try await host.wait(for: "data") { $0.count { $0.contains(" tick=") } > 5 }
            await relay.cut()
            try await host.line(containing: "NDEATH bdSeq=0")
            try await eventually("a backlog") { try await station.waiting("sparkplug") > 30 }
            try await relay.mend()
            try await host.wait(for: "the backlog and the present") { lines in
                lines.count { $0.contains(" old:tick=") } > 30 && lines.last?.contains(" tick=") ?? false
            }
            try await station.stop(agent)
            try await host.death()
            // Somebody else hears the same in his own time.
            let told = try await Set(watcher.wait(for: "what was told") { $0.count > 30 }.compactMap { Int($0) })
            let heard = await Set(host.lines.compactMap { Self.value(of: "tick", in: $0) })
            #expect(told.subtracting(heard) == [])
            #expect(await host.objections == [])
            await watcher.kill()
            await host.program.kill()
            await relay.stop()
        }
    }

    @Test func whileThePrimaryHostIsOfflineReadingsWait() async throws {
        try await withMosquitto { broker in
            let host = try await SparkplugHost.listen(port: broker.port)
            let station = try Station(
                in: TemporaryDirectory(), uplink("primary_host = \"scada\"", port: broker.port) + Station.clock())
            let agent = try await station.runStarted()
            try await eventually("readings that wait") { try await station.waiting() > 10 }
            #expect(await host.lines == ["LISTENING"])
            try await SparkplugHost.run("state", "\(broker.port)", "scada", "true", "1000")
            try await host.wait(for: "what waited, as history") { $0.contains { $0.contains(" old:tick=") } }
            try await host.wait(for: "data") { $0.contains { $0.contains(" tick=") } }
            try await SparkplugHost.run("state", "\(broker.port)", "scada", "false", "2000")
            try await host.line(containing: "NDEATH bdSeq=0")
            let last = await host.lines.count
            try await agent.errors.line(containing: "the primary host is offline")
            let waiting = try await station.waiting()
            try await eventually("readings that wait again") { try await station.waiting() > waiting + 10 }
            #expect(await host.lines.count == last)
            try await SparkplugHost.run("state", "\(broker.port)", "scada", "true", "3000")
            try await host.wait(for: "what waited") {
                $0.dropFirst(last).contains { $0.contains(" old:tick=") } && $0.last?.contains(" tick=") ?? false
            }
            try await station.stop(agent)
            #expect(await host.objections == [])
            await host.program.kill()
        }
    }
}
