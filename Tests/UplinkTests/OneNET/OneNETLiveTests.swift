import Logging
import MQTT
import MQTTWire
import NIOCore
import NIOPosix
import OneNETModel
import Pipeline
import Sensing
import StoreForward
import Synchronization
import TestSupport
import Testing
import Units

@testable import Uplink

/// The real client over the store, against the platform's model.
@Suite(.timeLimit(.minutes(2))) struct OneNETLiveTests {
    typealias Treatment = OneNETPlatform.Treatment

    static let device = "123456/bin-01"

    /// What an owner does with all this, in small.
    final class Board: Sendable {
        let client: MQTTClient
        let store: OneNETStore
        let inner: any SessionStore
        let settings: OneNETSettings
        let node: Mutex<OneNETNode>
        let executed = Mutex<[RemoteCommand]>([])
        let failures = Mutex<[String]>([])
        let notices = Mutex<[String]>([])
        private let sequence = Mutex<Int64>(0)
        private let tasks = Mutex<[Task<Void, Never>]>([])

        init(
            _ settings: OneNETSettings, port: Int, store inner: any SessionStore = MemoryStore(),
            now: @escaping @Sendable () -> Timestamp = { Timestamp.now() }
        ) async throws {
            self.settings = settings
            self.inner = inner
            store = OneNETStore(inner, settings: settings)
            node = Mutex(OneNETNode(settings))
            var configuration = ClientConfiguration(endpoints: [Endpoint(host: "127.0.0.1", port: port)])
            configuration.backoff = Backoff(base: .milliseconds(10), cap: .milliseconds(50), stableAfter: .seconds(60))
            settings.configure(&configuration, now: now)
            client = MQTTClient(configuration, store: store, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
            await store.whenChanged { [weak client] in client?.storeDidChange() }
        }

        func run() async throws {
            let subscriptions = node.withLock { $0.subscriptions }
            let client = client
            let work = [
                Task { await client.run() },
                Task {
                    for await event in client.events {
                        switch event {
                        case .connected:
                            // Else the answers to what follows might come before anybody hears them.
                            _ = try? await client.subscribe(subscriptions)
                            let messages = self.node.withLock { node in
                                (try? node.connected(at: Timestamp.now())) ?? []
                            }
                            for message in messages { try? await client.publishNow(message) }
                        case .disconnected: await self.store.connectionLost()
                        case .connectFailed(_, let failure, _): self.failures.withLock { $0.append("\(failure)") }
                        }
                    }
                },
                Task {
                    for await message in client.messages {
                        let actions = self.node.withLock { $0.receive(message.topic, message.payload, at: .now) }
                        for action in actions { await self.carryOut(action) }
                    }
                },
            ]
            tasks.withLock { $0 = work }
        }

        private func carryOut(_ action: OneNETNode.Action) async {
            switch action {
            case .publish(let message): try? await client.publishNow(message)
            case .answered(let answer): await store.answered(answer)
            case .ready: await store.open()
            case .refused(let what, let answer): notices.withLock { $0.append("\(what): \(answer.code)") }
            case .execute(let request):
                executed.withLock { $0 += request.commands }
                let outcomes = request.commands.map { _ in Result<JSON, CommandError>.success(["done": true]) }
                let messages = node.withLock {
                    $0.finished(request, outcomes, at: .now, time: Timestamp.now())
                }
                for message in messages { try? await client.publishNow(message) }
            }
        }

        func report(_ report: Report) async throws {
            node.withLock { $0.note(report) }
            let profile = OneNETProfile(settings)
            if let outbox = inner as? Outbox {
                _ = try await outbox.append { first in try profile.messages(for: report, sequence: first) }
            } else {
                let first = sequence.withLock { $0 }
                let messages = try profile.messages(for: report, sequence: first + 1)
                sequence.withLock { $0 += Int64(messages.count) }
                _ = try await inner.append(messages)
            }
            client.storeDidChange()
        }

        /// Values 0 and up of one sensor, a second apart.
        func report(_ values: Range<Int>) async throws {
            for value in values {
                try await report(
                    .readings([reading("fill", Double(value), at: noonOnOneNET + .seconds(value))]))
            }
        }

        func stop() async {
            await client.disconnect(within: .milliseconds(200))
            let work = tasks.withLock { $0 }
            for task in work { task.cancel() }
            for task in work { await task.value }
        }
    }

    private func platform(_ now: @escaping @Sendable () -> Int64 = { Timestamp.now().milliseconds / 1000 })
        -> OneNETPlatform
    {
        OneNETPlatform(
            devices: [("123456", "bin-01"), ("654321", "lid-1"), ("654321", "lid-2")].map {
                OneNETPlatform.Device(product: $0, name: $1, key: OneNETTokenTests.key)
            }, now: now)
    }

    /// A board on the platform; afterwards nothing must have been said that OneNET's documents do not allow.
    private func live(
        _ change: (inout OneNETSettings) -> Void = { _ in }, store: any SessionStore = MemoryStore(),
        _ body: (OneNETPlatform, Board) async throws -> Void
    ) async throws {
        let platform = platform()
        try await platform.start()
        let settings = oneNET {
            $0.answerWithin = .seconds(30)
            $0.retry = .milliseconds(100)
            change(&$0)
        }
        let board = try await Board(settings, port: await platform.port, store: store)
        try await board.run()
        do {
            try await body(platform, board)
        } catch {
            await board.stop()
            await platform.end()
            throw error
        }
        await board.stop()
        #expect(await platform.objections == [])
        await platform.end()
    }

    private func allIsTold(_ board: Board) async throws {
        try await eventually("the queue's end") { try await board.inner.pendingCount() == 0 }
        #expect(await board.store.unanswered == 0)
    }

    private func fill(_ platform: OneNETPlatform) async -> [OneNETPlatform.Point] {
        await platform.records.properties[Self.device]?["fill"] ?? []
    }

    // MARK: Posts

    @Test func readingsAndAlarmsArriveAndLeaveTheQueue() async throws {
        try await live { platform, board in
            try await board.report(0..<50)
            try await board.report(.alarm(alarm("full")))
            try await allIsTold(board)
            #expect(await fill(platform).map(\.value) == (0..<50).map { .number(Double($0)) })
            let event = try #require(await platform.records.events[Self.device]?["full"]?.first)
            #expect(event.value["level"] == .number(92))
            #expect(event.time == noonOnOneNET.milliseconds)
            #expect(await platform.online == ["bin-01"])
        }
    }

    @Test func dataPointsArriveAndLeaveTheQueue() async throws {
        try await live {
            $0.model = .dataPoints
        } _: { platform, board in
            try await board.report(0..<50)
            try await allIsTold(board)
            let points = await platform.records.streams[Self.device]?["fill"] ?? []
            #expect(points.map(\.value) == (0..<50).map { .number(Double($0)) })
            #expect(points.first?.time == noonOnOneNET.milliseconds / 1000 * 1000)
        }
    }

    @Test func theBrokersAcknowledgementAloneLetsNothingGo() async throws {
        try await live {
            $0.answerWithin = .milliseconds(500)
        } _: { platform, board in
            await platform.treat { _ in .lose }
            try await board.report(0..<3)
            try await eventually("the posts") { await platform.arrivals.count >= 3 }
            try await eventually("their acknowledgement") { await board.client.inFlight == 0 }
            #expect(try await board.inner.pendingCount() == 3)
            await platform.treat { _ in .accept }
            try await allIsTold(board)
            #expect(Set(await fill(platform).map(\.value)) == [.number(0), .number(1), .number(2)])
            #expect(await board.store.statistics.unanswered >= 3)
        }
    }

    /// Every third answer is lost, late, twice, or one of a platform that is busy.
    @Test(
        arguments: [
            .acceptSilently, .lose, .acceptLate(.seconds(1)), .acceptTwice, .refuse(code: 503, message: "busy"),
        ] as [Treatment])
    func whateverHappensToAnswersNothingIsLost(treatment: Treatment) async throws {
        try await live {
            $0.answerWithin = .milliseconds(500)
        } _: { platform, board in
            let seen = Mutex<Set<String>>([])
            await platform.treat { arrival in
                let isFirst = seen.withLock { $0.insert(arrival.payload["id"]?.string ?? "").inserted }
                guard isFirst, let id = Int(arrival.payload["id"]?.string ?? ""), id % 3 == 0 else { return .accept }
                return treatment
            }
            try await board.report(0..<60)
            try await allIsTold(board)
            #expect(Set(await fill(platform).map(\.value)) == Set((0..<60).map { .number(Double($0)) }))
            #expect(await board.store.statistics.delivered == 60)
        }
    }

    @Test func whatIsRefusedForGoodIsThrownAwayAndTheRestGoesOn() async throws {
        try await live { platform, board in
            await platform.treat {
                $0.text.includes(#""id":"2""#)
                    ? .refuse(code: 2409, message: "required value:identifier:fill") : .accept
            }
            try await board.report(0..<5)
            try await allIsTold(board)
            #expect(Set(await fill(platform).map(\.value)) == Set([0, 2, 3, 4].map { .number($0) }))
            #expect(await board.store.statistics.refused == 1)
        }
    }

    @Test func noMoreThanTheWindowIsUnderWay() async throws {
        try await live {
            $0.window = 3
            $0.answerWithin = .seconds(60)
        } _: { platform, board in
            await platform.treat { _ in .acceptLate(.milliseconds(20)) }
            try await board.report(0..<30)
            while try await board.inner.pendingCount() > 0 {
                #expect(await board.store.unanswered <= 3)
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(await fill(platform).count == 30)
        }
    }

    @Test func dataPointsThatAreRejectedAreThrownAway() async throws {
        try await live {
            $0.model = .dataPoints
        } _: { platform, board in
            await platform.treat {
                $0.text.includes(#""id":2,"#) ? .refuse(code: 98, message: "illegal data") : .accept
            }
            try await board.report(0..<5)
            try await allIsTold(board)
            #expect(await board.store.statistics.refused == 1)
            #expect(await platform.records.streams[Self.device]?["fill"]?.count == 4)
        }
    }

    /// Answers as bad as they come, and a line that is cut again and again.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func inAllOfItTogetherNothingIsLost(seed: UInt64) async throws {
        try await live {
            $0.answerWithin = .milliseconds(300)
            $0.attempts = 1000
            $0.window = 16
        } _: { platform, board in
            let random = Mutex(SplitMix64(seed: seed))
            await platform.treat { _ in
                switch random.withLock({ Int.random(in: 0..<20, using: &$0) }) {
                case 0: .lose
                case 1: .acceptSilently
                case 2: .acceptLate(.milliseconds(400))
                case 3: .acceptTwice
                case 4: .refuse(code: 500, message: "busy")
                default: .accept
                }
            }
            for round in 0..<10 {
                try await board.report(round * 20..<round * 20 + 20)
                await platform.disconnect("bin-01")
            }
            try await allIsTold(board)
            #expect(
                Set(await fill(platform).map(\.value)) == Set((0..<200).map { .number(Double($0)) }), "seed \(seed)")
            #expect(await board.store.statistics.givenUp == 0)
        }
    }

    // MARK: Outages

    @Test(arguments: [false, true])
    func theBacklogOfAnOutageIsHistoryAndNothingIsLost(isDurable: Bool) async throws {
        let directory = try TemporaryDirectory()
        let outbox = isDurable ? try await Outbox.open(path: directory.path("queue.db")) : nil
        try await live(store: outbox ?? MemoryStore()) { platform, board in
            // What came before the first connection is its backlog.
            try await board.report(0..<1)
            try await allIsTold(board)
            try await board.report(1..<10)
            try await allIsTold(board)
            #expect(await fill(platform).dropFirst().allSatisfy { !$0.isHistory })
            let port = await platform.port
            await platform.stop()
            try await eventually("the end of the connection") { await !board.client.isConnected }
            try await board.report(10..<60)
            try await board.report(.alarm(alarm("full")))
            try await platform.start(port: port)
            try await allIsTold(board)
            let points = await fill(platform)
            #expect(Set(points.map(\.value)) == Set((0..<60).map { .number(Double($0)) }))
            #expect(points.dropFirst().filter(\.isHistory).count == 50)
            #expect(points.map(\.time) == (0..<60).map { noonOnOneNET.milliseconds + 1000 * Int64($0) })
            #expect(await platform.records.events[Self.device]?["full"]?.map(\.isHistory) == [true])
            try await board.report(60..<61)
            try await allIsTold(board)
            #expect(await fill(platform).last?.isHistory == false)
        }
        await outbox?.close()
        withExtendedLifetime(directory) {}
    }

    @Test func whatWasNotAnsweredBeforeTheLineWasCutIsSentAgain() async throws {
        try await live {
            $0.answerWithin = .seconds(60)
        } _: { platform, board in
            await platform.treat { _ in .lose }
            try await board.report(0..<5)
            try await eventually("the posts") { await platform.arrivals.count == 5 }
            try await eventually("their acknowledgement") { await board.client.inFlight == 0 }
            await platform.treat { _ in .accept }
            await platform.disconnect("bin-01")
            try await allIsTold(board)
            #expect(Set(await fill(platform).map(\.value)) == Set((0..<5).map { .number(Double($0)) }))
            #expect(await fill(platform).allSatisfy { $0.isHistory })
        }
    }

    @Test func anExpiredTokenIsSignedAnewAtTheNextAttempt() async throws {
        let platform = platform()
        try await platform.start()
        let attempts = Mutex(0)
        let board = try await Board(oneNET(), port: await platform.port) {
            // First the clock was never set, then it is behind, then it is right.
            switch attempts.withLock({
                $0 += 1; return $0
            }) {
            case 1: Timestamp(milliseconds: 61_000)
            case 2: Timestamp.now() + .seconds(-3 * 86_400)
            default: Timestamp.now()
            }
        }
        try await board.run()
        try await board.report(0..<1)
        try await allIsTold(board)
        #expect(await platform.refusals == ["bin-01: expired"])
        #expect(board.failures.withLock { $0 }.first?.includes("no OneNET token can be signed") == true)
        await board.stop()
        await platform.end()
    }

    // MARK: The way back

    @Test func whatThePlatformAsksIsAnswered() async throws {
        try await live {
            $0.outputs = ["Lamp": OneNETSettings.Output(sensor: "lamp", channel: nil)]
            $0.services = ["Empty": "empty"]
        } _: { platform, board in
            try await board.report(0..<1)
            try await allIsTold(board)
            let set = await platform.ask(Self.device, "thing/property/set", ["Lamp": true])
            #expect(set?["code"] == .number(200))
            let get = await platform.ask(Self.device, "thing/property/get", ["fill"])
            #expect(get?["data"]?["fill"] == .number(0))
            let invoke = await platform.ask(Self.device, "thing/service/Empty/invoke", ["side": "left"])
            #expect(invoke?["data"]?["done"] == .boolean(true))
            let refused = await platform.ask(Self.device, "thing/property/set", ["Door": true])
            #expect(refused?["code"] == .number(403))
            #expect(await platform.command(Self.device, "status")?["result"]?["done"] == .boolean(true))
            for _ in 0..<2 {
                let again = await platform.ask(Self.device, "thing/property/set", ["Lamp": false], id: "77")
                #expect(again?["code"] == .number(200))
            }
            #expect(
                board.executed.withLock { $0 } == [
                    .set(sensor: "lamp", channel: nil, value: .boolean(true)),
                    .run(program: "empty", arguments: ["side=left"]), .status,
                    .set(sensor: "lamp", channel: nil, value: .boolean(false)),
                ])
        }
    }

    @Test func desiredValuesComeAfterTheConnection() async throws {
        let platform = platform()
        try await platform.start()
        await platform.setDesired(
            [JSON.Member("Lamp", ["value": true, "version": 3])], of: Self.device)
        let board = try await Board(
            oneNET {
                $0.asksForDesired = true
                $0.outputs = ["Lamp": OneNETSettings.Output(sensor: "lamp", channel: nil)]
            }, port: await platform.port)
        try await board.run()
        try await eventually("the deletion") { await platform.desired[Self.device]?.isEmpty ?? true }
        #expect(board.executed.withLock { $0 } == [.set(sensor: "lamp", channel: nil, value: .boolean(true))])
        await board.stop()
        await platform.end()
    }

    @Test func aGatewayBringsItsSubDevicesAndSpeaksForThem() async throws {
        try await live {
            $0.addsSubDevices = true
            $0.services = ["Empty": "empty"]
            $0.subDevices = [
                subDevice("lid-1", sensors: ["lid1"], outputs: ["Lock": OneNETSettings.Output(sensor: "lock1")]),
                subDevice("lid-2", sensors: ["lid2"]),
            ]
        } _: { platform, board in
            try await board.report(.readings([reading("lid1", 1), reading("lid2", 2), reading("fill", 3)]))
            try await board.report(.alarm(alarm("open", of: "lid2")))
            try await allIsTold(board)
            #expect(await platform.loggedIn[Self.device] == ["654321/lid-1", "654321/lid-2"])
            let properties = await platform.records.properties
            #expect(properties["654321/lid-1"]?["lid1"]?.map(\.value) == [.number(1)])
            #expect(properties["654321/lid-2"]?["lid2"]?.map(\.value) == [.number(2)])
            #expect(await platform.records.events["654321/lid-2"]?["open"]?.count == 1)
            let set = await platform.ask(
                Self.device, "thing/sub/property/set",
                ["deviceName": "lid-1", "productID": "654321", "params": ["Lock": true]])
            #expect(set?["code"] == .number(200))
            #expect(board.executed.withLock { $0 } == [.set(sensor: "lock1", channel: nil, value: .boolean(true))])
            let get = await platform.ask(
                Self.device, "thing/sub/property/get",
                ["deviceName": "lid-2", "productID": "654321", "params": ["lid2"]])
            #expect(get?["data"] == ["lid2": 2])
            let invoke = await platform.ask(
                Self.device, "thing/sub/service/invoke",
                ["deviceName": "lid-2", "productID": "654321", "identifier": "Empty", "input": [:]])
            #expect(invoke?["data"]?["output"]?["done"] == .boolean(true))
            let change = await platform.ask(Self.device, "thing/sub/topo/change", ["subList": []])
            #expect(change?["code"] == .number(200))
            for message in board.node.withLock({ $0.farewell(at: Timestamp.now()) }) {
                try await board.client.publishNow(message)
            }
            try await eventually("the logouts") { await platform.loggedIn[Self.device]?.isEmpty ?? true }
        }
    }

    @Test func waitingForDeliveryEndsWithThePlatformsAnswer() async throws {
        try await live { platform, board in
            await platform.treat { _ in .acceptLate(.milliseconds(300)) }
            try await board.report(0..<3)
            try await board.client.waitUntilDelivered(timeout: .seconds(30))
            #expect(await fill(platform).count == 3)
        }
    }
}
