import Glibc
import OneNETModel
import Relay
import Synchronization
import TestSupport
import Testing
import Units

/// The agent on OneNET, as its documents describe it.
@Suite(.timeLimit(.minutes(2))) struct OneNETStationTests {
    private static let device = "123456/station"
    private static let lid = "654321/lid-1"
    private static let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

    /// - Parameter uplink: more lines for it.
    private func uplink(_ uplink: String = "", port: Int) -> String {
        """
        [[uplink]]
        profile = "onenet"
        product = "123456"
        key = "\(Self.key)"
        answer_within = "1s"
        retry = "100ms"
        \(uplink)
        \(brokerTable("uplink.broker", port: port))
        [queue]
        commit_interval = "5ms"

        """
    }

    /// Lends the platform; afterwards nothing must have been said to it that its documents do not allow.
    private func withPlatform(_ body: (OneNETPlatform) async throws -> Void) async throws {
        let platform = OneNETPlatform(
            devices: [Self.device, Self.lid].map { id in
                let parts = id.split(separator: "/").map(String.init)
                return OneNETPlatform.Device(product: parts[0], name: parts[1], key: Self.key)
            })
        // Its own, also while it is down.
        let port = try ReservedPort()
        defer { withExtendedLifetime(port) {} }
        try await platform.start(port: port.number)
        do {
            try await body(platform)
        } catch {
            await platform.end()
            throw error
        }
        #expect(await platform.objections == [])
        #expect(await platform.refusals == [])
        await platform.end()
    }

    /// The queue's numbers of the posts that have arrived.
    private func numbers(_ platform: OneNETPlatform) async -> Set<Int> {
        Set(await platform.arrivals.compactMap { $0.payload["id"]?.string.flatMap { Int($0) } })
    }

    /// That each message which was ever accepted has arrived, and nothing waits.
    private func expectAll(_ station: Station, at platform: OneNETPlatform) async throws {
        let status = try await station.queueStatus()
        #expect(status["messages"] == 0)
        #expect(status["lost"] == nil)
        let next = Int(status["next"]?.number ?? 0)
        let missing = Set(1..<max(next, 1)).subtracting(await numbers(platform))
        #expect(next > 1 && missing.isEmpty, "up to \(next), without \(missing.sorted())")
    }

    private func points(_ platform: OneNETPlatform, _ name: String, of device: String = Self.device) async
        -> [OneNETPlatform.Point]
    {
        await platform.records.properties[device]?[name] ?? []
    }

    @Test func readingsArePropertyPostsAndAlarmsAreEventPosts() async throws {
        try await withPlatform { platform in
            let directory = try TemporaryDirectory()
            try directory.write("10\n", to: "level")
            let station = try await Station(
                in: directory,
                uplink("identifiers = { level = \"FillLevel\", full = \"BinFull\" }", port: platform.port)
                    + Station.clock() + Station.file("level", in: directory)
                        + """
                        [[alarm]]
                        name = "full"
                        sensor = "level"
                        raise_above = 85
                        severity = "serious"
                        """)
            let agent = try await station.run()
            try await eventually("readings") {
                let (ticks, levels) = (await points(platform, "tick"), await points(platform, "FillLevel"))
                return ticks.count > 5 && levels.last?.value == 10
            }
            try directory.write("92\n", to: "level")
            try await eventually("the alarm") {
                await platform.records.events[Self.device]?["BinFull"]?.last?.value["level"] == 92
            }
            let event = try #require(await platform.records.events[Self.device]?["BinFull"]?.last)
            #expect(event.value["state"] == "raised")
            #expect(event.value["severity"] == "serious")
            try await station.stop(agent)
            try await eventually("the end") { await platform.lifecycle == ["online station", "offline station"] }
            for point in await points(platform, "tick") { #expect(Station.isTaken(point.value, at: point.time)) }
            try await expectAll(station, at: platform)
        }
    }

    @Test func dataPointsArriveAndLeaveTheQueue() async throws {
        try await withPlatform { platform in
            let station = try await Station(
                in: TemporaryDirectory(), uplink("model = \"datapoints\"", port: platform.port) + Station.clock())
            let agent = try await station.run()
            try await eventually("readings") { await platform.records.streams[Self.device]?["tick"]?.count ?? 0 > 5 }
            try await station.stop(agent)
            #expect(try await station.waiting() == 0)
            for point in await platform.records.streams[Self.device]?["tick"] ?? [] {
                // Their times are whole seconds.
                #expect(Int64(point.value.number ?? 0) / 1000 == (point.time ?? 0) / 1000 % 1000)
            }
        }
    }

    @Test func onlyThePlatformsReplyLetsAPostGo() async throws {
        try await withPlatform { platform in
            await platform.treat { _ in .lose }
            let station = try await Station(
                in: TemporaryDirectory(), uplink(port: platform.port) + Station.clock(every: "1h"))
            let agent = try await station.run()
            try await eventually("the post, and again") { await platform.arrivals.count >= 2 }
            #expect(await numbers(platform) == [1])
            #expect(try await station.waiting() == 1)
            await platform.treat { _ in .accept }
            try await eventually("an empty queue") { try await station.waiting() == 0 }
            // Once, or again because the reply took its time: it is the same reading.
            #expect(await Set(points(platform, "tick").map(\.time)).count == 1)
            try await station.stop(agent)
        }
    }

    enum Outage: CaseIterable { case platform, line }

    @Test(arguments: Outage.allCases)
    func theBacklogOfAnOutageIsHistoryWithItsOwnTimesAndNoneIsLost(outage: Outage) async throws {
        try await withPlatform { platform in
            let port = await platform.port
            let relay = try await TCPRelay.start(port: port)
            let station = try Station(in: TemporaryDirectory(), uplink(port: relay.port) + Station.clock())
            let agent = try await station.run()
            try await eventually("readings") { await points(platform, "tick").contains { !$0.isHistory } }

            switch outage {
            case .platform: await platform.stop()
            case .line: await relay.cut()
            }
            try await eventually("a backlog") { try await station.waiting() > 30 }
            let before = await points(platform, "tick").count
            switch outage {
            case .platform: try await platform.start(port: port)
            case .line: try await relay.mend()
            }
            try await eventually("the backlog and the present") {
                let later = await points(platform, "tick").dropFirst(before)
                return later.count(where: \.isHistory) > 30 && later.last?.isHistory == false
            }
            try await station.stop(agent)
            let ticks = await points(platform, "tick")
            #expect(ticks.filter { !Station.isTaken($0.value, at: $0.time) } == [])
            try await expectAll(station, at: platform)
            await relay.stop()
        }
    }

    @Test func whatIsRefusedForGoodIsGivenUpAndCounted() async throws {
        try await withPlatform { platform in
            await platform.treat {
                $0.payload["id"] == "2" ? .refuse(code: 2409, message: "required value:identifier:tick") : .accept
            }
            let station = try await Station(
                in: TemporaryDirectory(), uplink(port: platform.port) + Station.clock(every: "200ms"))
            let agent = try await station.run()
            try await agent.errors.line(containing: "OneNET refuses a post")
            try await eventually("those behind it") { await points(platform, "tick").count > 3 }
            try await station.stop(agent)
            let status = try await station.queueStatus()
            #expect(status["messages"] == 0)
            #expect(status["lost"]?["refused"] == 1)
        }
    }

    @Test func aPlatformThatIsBusyIsAskedAgain() async throws {
        try await withPlatform { platform in
            let refused = Mutex<Set<String>>([])
            await platform.treat { arrival in
                let isFirst = refused.withLock { $0.insert(arrival.payload["id"]?.string ?? "").inserted }
                return isFirst ? .refuse(code: 503, message: "busy") : .accept
            }
            let station = try await Station(
                in: TemporaryDirectory(), uplink(port: platform.port) + Station.clock(every: "1h"))
            let agent = try await station.run()
            try await eventually("the reading") { await !points(platform, "tick").isEmpty }
            try await eventually("an empty queue") { try await station.waiting() == 0 }
            try await station.stop(agent)
            #expect(try await station.queueStatus()["lost"] == nil)
        }
    }

    @Test func killedWhileRepliesAreUnderWayItLosesNothing() async throws {
        try await withPlatform { platform in
            await platform.treat { _ in .acceptLate(.milliseconds(200)) }
            let station = try await Station(in: TemporaryDirectory(), uplink(port: platform.port) + Station.clock())
            for round in 1...3 {
                let agent = try await station.run()
                let before = await platform.arrivals.count
                try await eventually("posts of run \(round)") { await platform.arrivals.count > before + 15 }
                await agent.kill()
            }
            await platform.treat { _ in .accept }
            let agent = try await station.run()
            let before = await platform.arrivals.count
            try await eventually("posts") { await platform.arrivals.count > before + 15 }
            // The end waits for no backlog.
            try await eventually("the present") { try await station.waiting() < 10 }
            try await station.stop(agent)
            try await expectAll(station, at: platform)
        }
    }

    // MARK: The way back

    @Test func whatThePlatformAsksIsDoneAndAnswered() async throws {
        try await withPlatform { platform in
            let directory = try TemporaryDirectory()
            let station = try await Station(
                in: directory,
                uplink(
                    "outputs = { Lamp = \"lamp\", Door = \"door\" }\nservices = { Empty = \"empty\" }",
                    port: platform.port)
                    + Station.clock() + Station.output("lamp", in: directory)
                    + Station.output("door", in: directory)
                        + """
                        [commands]
                        allow = ["set", "run", "read"]
                        outputs = ["lamp"]
                        [[commands.program]]
                        name = "empty"
                        command = ["echo", "emptied"]
                        """)
            let agent = try await station.run()
            try await eventually("readings") { await points(platform, "lamp").count > 1 }

            let set = await platform.ask(Self.device, "thing/property/set", ["Lamp": true])
            #expect(set?["code"] == 200)
            #expect(try directory.read("lamp") == "1\n")
            try await eventually("its new value") { await points(platform, "lamp").last?.value == true }

            let door = await platform.ask(Self.device, "thing/property/set", ["Door": true])
            #expect(door?["code"] == 403)
            #expect(try directory.read("door") == "0\n")
            let unknown = await platform.ask(Self.device, "thing/property/set", ["Window": true])
            #expect(unknown?["code"] == 403)

            let get = await platform.ask(Self.device, "thing/property/get", ["lamp"])
            #expect(get?["code"] == 200)
            #expect(get?["data"]?["lamp"] == true)
            let invoke = await platform.ask(Self.device, "thing/service/Empty/invoke", [:])
            #expect(invoke?["code"] == 200)
            #expect(invoke?["data"]?["output"]?.string?.hasPrefix("emptied") == true)
            let command = await platform.command(Self.device, #"{"command":"read","sensor":"lamp"}"#)
            #expect(command?["result"]?["readings"]?.array?.first?["value"] == true)
            #expect(await platform.command(Self.device, "status")?["error"]?["kind"] == "forbidden")
            try await station.stop(agent)
        }
    }

    @Test func withoutCommandsNothingIsDone() async throws {
        try await withPlatform { platform in
            let directory = try TemporaryDirectory()
            let station = try await Station(
                in: directory,
                uplink("outputs = { Lamp = \"lamp\" }", port: platform.port) + Station.output("lamp", in: directory))
            let agent = try await station.run()
            try await eventually("readings") { await points(platform, "lamp").count > 1 }
            #expect(await platform.ask(Self.device, "thing/property/set", ["Lamp": true])?["code"] == 403)
            #expect(try directory.read("lamp") == "0\n")
            try await station.stop(agent)
        }
    }

    @Test func aGatewaySpeaksForItsSubDevices() async throws {
        try await withPlatform { platform in
            let directory = try TemporaryDirectory()
            let station = try await Station(
                in: directory,
                uplink(
                    """
                    add_sub_devices = true
                    [[uplink.sub_devices]]
                    product = "654321"
                    device = "lid-1"
                    key = "\(Self.key)"
                    sensors = ["lid1", "lock"]
                    outputs = { Lock = "lock" }
                    """, port: platform.port)
                    + Station.clock("lid1") + Station.clock("own") + Station.output("lock", in: directory)
                    + "[commands]\nallow = [\"set\"]")
            let agent = try await station.run()
            try await eventually("the sub-device's readings") {
                await points(platform, "lid1", of: Self.lid).count > 3
            }
            #expect(await platform.bound[Self.device] == [Self.lid])
            #expect(await platform.loggedIn[Self.device] == [Self.lid])
            try await eventually("the gateway's own") { await points(platform, "own").count > 3 }
            #expect(await points(platform, "lid1").isEmpty)
            let set = await platform.ask(
                Self.device, "thing/sub/property/set",
                ["deviceName": "lid-1", "productID": "654321", "params": ["Lock": true]])
            #expect(set?["code"] == 200)
            #expect(try directory.read("lock") == "1\n")
            try await station.stop(agent)
            try await eventually("the gateway's end") { await platform.online.isEmpty }
            #expect(await platform.arrivals.contains { $0.suffix == "thing/sub/logout" })
        }
    }

    // MARK: The configuration

    @Test func whatOneNETDecidesIsRefusedWithTheMend() async throws {
        let station = try Station(
            in: TemporaryDirectory(),
            """
            [[uplink]]
            profile = "onenet"
            product = "123456"
            key = "\(Self.key)"
            outputs = { Lamp = "lamp" }
            [uplink.broker]
            servers = ["mqtts://mqttstls.heclouds.com:8883"]
            username = "123456"
            password = "secret"
            client_id = "station"
            version = "5"
            keep_alive = "60s"
            """)
        let result = try await station.fieldpost("check", station.file)
        #expect(result.ending == .exited(1))
        for key in ["username", "password", "client_id", "version", "keep_alive"] {
            #expect(result.output.contains { $0.contains(".broker.\(key): ") }, "\(key): \(result.output)")
        }
        #expect(result.output.contains { $0.contains("names the sensor \"lamp\", which is not there") })
        #expect(!result.output.contains { $0.contains("secret") })
        try station.write(uplink(port: 1883))
        #expect(try await station.fieldpost("check", station.file).ending == .exited(0))
    }
}
