import MQTT
import MQTTWire
import NIOCore
import Pipeline
import Sensing
import Testing
import Units

@testable import Uplink

@Suite struct SparkplugStoreTests {
    private let plain: SparkplugSettings
    private let withDevices: SparkplugSettings

    init() throws {
        plain = try SparkplugSettings(group: "g", node: "n")
        withDevices = try SparkplugSettings(group: "g", node: "n", devices: ["boiler": ["temp", "level"]])
    }

    @Test func nothingIsSaidBeforeTheNodeCanHear() async throws {
        let board = SparkplugBoard(plain)
        try await board.read("a", .number(1))
        try await board.connect(opening: false)
        #expect(try await board.said() == [])
        board.store.open(connection: board.connection - 1)
        #expect(try await board.said() == [])
        board.store.open(connection: board.connection)
        #expect(try await board.said() == ["NBIRTH 0 bdSeq=1 a=1.0", "NDATA 1 old:a=1.0"])
    }

    @Test func whatComesLaterIsNumberedOn() async throws {
        let board = SparkplugBoard(plain)
        board.store.declare([(name: "a", type: .double)])
        try await board.connect()
        #expect(try await board.said() == ["NBIRTH 0 bdSeq=1 a=null!stale"])
        for value in 1...300 {
            try await board.read("a", .number(Double(value)))
            #expect(try await board.said() == ["NDATA \(value % 256) a=\(value).0"])
        }
    }

    @Test func theWillIsTheDeathOfThisBirth() async throws {
        let board = SparkplugBoard(plain)
        board.bdSeq = 254
        for expected in [255, 0, 1] {
            let will = try await board.connect()
            #expect(will.topic.string == "spBv1.0/g/NDEATH/n" && will.qos == .atLeastOnce && !will.retain)
            let payload = try SparkplugPayload(decoding: will.payload)
            #expect(payload.seq == nil)
            #expect(payload.metrics == [SparkplugMetric("bdSeq", .long(UInt64(expected)), type: .int64)])
            #expect(try await board.said() == ["NBIRTH 0 bdSeq=\(expected)"])
            board.store.connectionEnded()
        }
    }

    @Test func aBirthSaysAllThatItMust() async throws {
        let board = SparkplugBoard(plain)
        try await board.report(
            .readings([Reading(sensor: "a", value: .number(1), unit: "°C", time: Timestamp(milliseconds: 5))]))
        try await board.connect()
        let messages = try await board.take()
        #expect(messages.allSatisfy { $0.qos == .atMostOnce && !$0.retain })
        let birth = try SparkplugPayload(decoding: try #require(messages.first).payload)
        #expect(birth.time == Timestamp(milliseconds: 0))
        let now = birth.time
        #expect(
            birth.metrics == [
                SparkplugMetric("bdSeq", .long(1), type: .int64, time: now),
                SparkplugMetric("Node Control/Rebirth", .boolean(false), type: .boolean, time: now),
                SparkplugMetric(
                    "a", .double(1), type: .double, time: Timestamp(milliseconds: 5), quality: .good, unit: "°C"),
            ])
        // What the birth has said is not said again.
        let data = try SparkplugPayload(decoding: try #require(messages.last).payload)
        #expect(
            data.metrics.first?.type == nil && data.metrics.first?.unit == nil && data.metrics.first?.quality == nil)
    }

    @Test func aNewMetricIsBornBeforeItIsToldAndNotTooOften() async throws {
        let board = SparkplugBoard(plain)
        try await board.connect()
        #expect(try await board.said() == ["NBIRTH 0 bdSeq=1"])
        board.clock.advance(by: .seconds(6))
        try await board.read("a", .number(1))
        #expect(try await board.said() == ["NBIRTH 0 bdSeq=1 a=1.0", "NDATA 1 old:a=1.0"])
        try await board.read("b", .boolean(true))
        try await board.read("a", .number(2))
        #expect(try await board.said() == [])
        try await board.read("c", .text("x"))
        board.clock.advance(by: .seconds(5))
        #expect(
            try await board.said() == [
                "NBIRTH 0 bdSeq=1 b=true a=2.0 c=x", "NDATA 1 old:b=true", "NDATA 2 old:a=2.0", "NDATA 3 old:c=x",
            ])
    }

    @Test func aMetricOfAnotherTypeIsBornAnew() async throws {
        let board = SparkplugBoard(plain)
        try await board.read("a", .number(1))
        try await board.connect()
        _ = try await board.said()
        board.clock.advance(by: .seconds(6))
        try await board.read("a", .text("closed"))
        #expect(try await board.said() == ["NBIRTH 0 bdSeq=1 a=closed", "NDATA 1 old:a=closed"])
    }

    @Test func aFloodOfRebirthCommandsGivesOne() async throws {
        let board = SparkplugBoard(plain)
        try await board.read("a", .number(1))
        try await board.connect()
        _ = try await board.said()
        let rebirth = [SparkplugMetric("Node Control/Rebirth", .boolean(true), type: .boolean)]
        for _ in 0..<100 { #expect(try board.command(rebirth) == []) }
        #expect(try await board.said() == [])
        board.clock.advance(by: .seconds(5))
        #expect(try await board.said() == ["NBIRTH 0 bdSeq=1 a=1.0"])
        board.clock.advance(by: .seconds(50))
        #expect(try await board.said() == [])
        #expect(try board.command([SparkplugMetric("Node Control/Rebirth", .boolean(false))]) == [])
        #expect(try await board.said() == [])
        #expect(board.store.statistics.rebirthsAsked == 100 && board.store.statistics.births == 2)
    }

    @Test func devicesLiveAsLongAsOneOfTheirSensorsDoes() async throws {
        let board = SparkplugBoard(withDevices)
        try await board.read("temp", .number(80))
        try await board.read("level", .number(3), channel: "low")
        try await board.read("cpu", .number(50))
        try await board.connect()
        #expect(
            try await board.said() == [
                "NBIRTH 0 bdSeq=1 cpu=50.0", "DBIRTH:boiler 1 temp=80.0 level/low=3.0", "DDATA:boiler 2 old:temp=80.0",
                "DDATA:boiler 3 old:level/low=3.0", "NDATA 4 old:cpu=50.0",
            ])
        try await board.fail("level")
        #expect(try await board.said() == ["DDATA:boiler 5 level/low=null!bad"])
        try await board.fail("temp")
        #expect(try await board.said() == ["DDATA:boiler 6 temp=null!bad", "DDEATH:boiler 7"])
        try await board.read("temp", .number(81))
        #expect(
            try await board.said() == [
                "DBIRTH:boiler 8 level/low=null!bad temp=81.0", "DDATA:boiler 9 old:temp=81.0",
            ])
    }

    @Test func aChannelThatFailsIsOneMetric() async throws {
        let board = SparkplugBoard(plain)
        try await board.read("a", .number(1), channel: "x")
        try await board.read("a", .number(2), channel: "y")
        try await board.connect()
        _ = try await board.said()
        try await board.fail("a", channel: "y")
        try await board.read("a", .number(3), channel: "x")
        #expect(try await board.said() == ["NDATA 3 a/y=null!bad", "NDATA 4 a/x=3.0"])
        // One that never had a value.
        try await board.fail("a", channel: "z")
        #expect(try await board.said() == [])
    }

    @Test func qualityIsToldWhenItChanges() async throws {
        let board = SparkplugBoard(plain)
        try await board.read("a", .number(1))
        try await board.connect()
        _ = try await board.said()
        try await board.fail("a")
        try await board.read("a", .number(2))
        try await board.read("a", .number(3))
        let qualities = try await board.take().flatMap {
            try SparkplugPayload(decoding: $0.payload).metrics.map(\.quality)
        }
        #expect(qualities == [.bad, .good, nil])
    }

    @Test func whatIsNotKnownToHaveArrivedIsToldAgainAsHistory() async throws {
        let board = SparkplugBoard(plain, proof: .seconds(30))
        try await board.read("a", .number(1))
        try await board.connect()
        _ = try await board.said()
        board.clock.advance(by: .seconds(20))
        try await board.read("a", .number(2))
        _ = try await board.said()
        board.clock.advance(by: .seconds(11))
        // The first one's thirty seconds are over, the second one's are not.
        board.store.connectionEnded()
        board.clock.advance(by: .seconds(1000))
        try await board.connect()
        #expect(try await board.said() == ["NBIRTH 0 bdSeq=2 a=2.0", "NDATA 1 old:a=2.0"])
        #expect(board.store.statistics.repeated == 1)
        board.clock.advance(by: .seconds(31))
        #expect(try await board.said() == [])
        #expect(board.memory.pendingCount() == 0)
    }

    @Test func theGoodbyeIsADeathAndLosesNothing() async throws {
        let board = SparkplugBoard(plain)
        try await board.read("a", .number(1))
        try await board.connect()
        _ = try await board.said()
        try await board.read("a", .number(2))
        var published: [String] = []
        await board.store.goodbye { published.append(try SparkplugBoard.text($0)) }
        #expect(published == ["NDEATH bdSeq=1"])
        #expect(try await board.said() == [])
        // What had been written has arrived; the rest waits for the next time.
        #expect(board.memory.pendingCount() == 1)
    }

    @Test func withoutThePrimaryHostNothingIsSaid() async throws {
        let board = SparkplugBoard(try SparkplugSettings(group: "g", node: "n", primaryHost: "scada"))
        #expect(try board.store.subscriptions.map(\.filter.string).last == "spBv1.0/STATE/scada")
        try await board.read("a", .number(1))
        try await board.connect()
        #expect(try await board.said() == [])
        #expect(try board.state(#"{"online":false,"timestamp":1000}"#) == [.hostOffline(death: nil)])
        // Late, and malformed.
        for text in [#"{"online":true,"timestamp":999}"#, "ONLINE", #"{"online":1,"timestamp":2000}"#, "{", ""] {
            #expect(try board.state(text) == [])
            #expect(try await board.said() == [])
        }
        #expect(try board.state(#"{"online":true,"timestamp":1000}"#) == [])
        #expect(try await board.said() == ["NBIRTH 0 bdSeq=1 a=1.0", "NDATA 1 old:a=1.0"])
        try await board.read("a", .number(2))
        #expect(try await board.said() == ["NDATA 2 a=2.0"])
        // An old will of the host's, and its death.
        #expect(try board.state(#"{"online":false,"timestamp":500}"#) == [])
        let actions = try #require(try board.state(#"{"online":false,"timestamp":3000}"#))
        guard actions.count == 1, case .hostOffline(let death?) = actions[0] else { throw TestFailure() }
        #expect(try SparkplugBoard.text(death) == "NDEATH bdSeq=1" && death.qos == .atLeastOnce)
        try await board.read("a", .number(3))
        #expect(try await board.said() == [])
        #expect(try board.state(#"{"online":true,"timestamp":3001}"#) == [])
        board.clock.advance(by: .seconds(5))
        // What it may have missed comes again.
        #expect(
            try await board.said() == [
                "NBIRTH 0 bdSeq=1 a=3.0", "NDATA 1 old:a=1.0", "NDATA 2 old:a=2.0", "NDATA 3 old:a=3.0",
            ])
        // Another connection knows nothing of the host yet.
        board.store.connectionEnded()
        try await board.connect()
        #expect(try await board.said() == [])
    }

    @Test func lateDeathsAreLateAndFalseOnesAreCorrected() async throws {
        let board = SparkplugBoard(plain)
        let first = try await board.connect()
        _ = try await board.said()
        board.store.connectionEnded()
        let second = try await board.connect()
        _ = try await board.said()
        board.clock.advance(by: .seconds(5))
        #expect(try board.store.receive(first.topic, first.payload) == [])
        #expect(try board.store.receive(first.topic, ByteBuffer(string: "garbage")) == [])
        #expect(try await board.said() == [])
        #expect(try board.store.receive(second.topic, second.payload) == [])
        #expect(try await board.said() == ["NBIRTH 0 bdSeq=2"])
        #expect(board.store.statistics.lateDeaths == 2 && board.store.statistics.falseDeaths == 1)
    }

    @Test func hostsSetOutputsAndNothingElse() async throws {
        let settings = try SparkplugSettings(group: "g", node: "n", devices: ["pump": ["valve"]])
        let board = SparkplugBoard(settings, outputs: ["led", "valve"])
        try await board.read("led", .boolean(false))
        try await board.connect()
        _ = try await board.said()
        #expect(
            try board.command([
                SparkplugMetric("led", .boolean(true)), SparkplugMetric("led", .int(1), type: .int32),
                SparkplugMetric("led/red", .double(0.5)),
            ]) == [
                .command(.set(sensor: "led", channel: nil, value: .boolean(true))),
                .command(.set(sensor: "led", channel: nil, value: .boolean(true))),
                .command(.set(sensor: "led", channel: "red", value: .number(0.5))),
            ])
        #expect(
            try board.command([SparkplugMetric("valve", .string("open"))], device: "pump")
                == [.command(.set(sensor: "valve", channel: nil, value: .text("open")))])
        // Of another part, no output, without a name, without a value.
        for metric in [
            SparkplugMetric("valve", .double(1)), SparkplugMetric("cpu", .double(1)), SparkplugMetric(nil, .double(1)),
            SparkplugMetric("led", nil), SparkplugMetric("led", .double(.nan)), SparkplugMetric("bdSeq", .long(3)),
        ] {
            let actions = try #require(try board.command([metric]))
            guard actions.count == 1, case .refused = actions[0] else {
                Issue.record("\(metric): \(actions)")
                continue
            }
        }
        #expect(try board.store.receive(TopicName("spBv1.0/g/NCMD/n"), ByteBuffer(string: "?!"))?.count == 1)
        #expect(try board.store.receive(TopicName("spBv1.0/g/NCMD/other"), ByteBuffer()) == nil)
        #expect(try board.store.receive(TopicName("fieldpost/x"), ByteBuffer()) == nil)
    }

    @Test func metricsBeyondTheLimitAndForeignMessagesAreDroppedAndCounted() async throws {
        let board = SparkplugBoard(try SparkplugSettings(group: "g", node: "n", maximumMetrics: 2))
        for channel in ["1", "2", "3"] { try await board.read("a", .number(1), channel: channel) }
        _ = try await board.store.append([
            Message(topic: try TopicName("x"), payload: ByteBuffer(string: "no payload"))
        ])
        try await board.read("bdSeq", .number(1))
        try await board.connect()
        #expect(
            try await board.said() == [
                "NBIRTH 0 bdSeq=1 a/1=1.0 a/2=1.0", "NDATA 1 old:a/1=1.0", "NDATA 2 old:a/2=1.0",
            ])
        #expect(board.store.statistics.dropped == 3)
        board.clock.advance(by: .seconds(31))
        _ = try await board.said()
        #expect(board.memory.pendingCount() == 0)
    }

    @Test func afterARestartTheBacklogIsHistoryOfMetricsWithoutAValue() async throws {
        let board = SparkplugBoard(plain)
        try await board.read("a", .number(1))
        board.restart()
        try await board.connect()
        #expect(try await board.said() == ["NBIRTH 0 bdSeq=1"])
        board.clock.advance(by: .seconds(5))
        #expect(try await board.said() == ["NBIRTH 0 bdSeq=1 a=null!stale", "NDATA 1 old:a=1.0"])
    }
}

struct TestFailure: Error {}

/// A queue that takes its time, while other things happen.
@Suite struct SparkplugSlowQueueTests {
    private actor SlowStore: SessionStore {
        enum Slow {
            case next, append
        }

        let memory = MemoryStore()
        private var slow: Slow?
        private var asked: CheckedContinuation<Void, Never>?
        private var waiting: CheckedContinuation<Void, Never>?
        nonisolated var outlivesProcess: Bool { false }

        /// The next such call waits for ``answer()``.
        func beSlow(_ slow: Slow) { self.slow = slow }

        func next(maximumCount: Int, maximumBytes: Int, maximumBacklog: Int) async -> [StoredMessage] {
            let batch = memory.next(
                maximumCount: maximumCount, maximumBytes: maximumBytes, maximumBacklog: maximumBacklog)
            await wait(.next)
            return batch
        }

        func append(_ messages: [Message]) async throws -> [MessageID] {
            await wait(.append)
            return try memory.append(messages)
        }

        private func wait(_ call: Slow) async {
            guard slow == call else { return }
            slow = nil
            await withCheckedContinuation { continuation in
                waiting = continuation
                asked?.resume()
                asked = nil
            }
        }

        func untilAsked() async {
            if waiting == nil { await withCheckedContinuation { asked = $0 } }
        }

        func answer() {
            waiting?.resume()
            waiting = nil
        }

        func session() -> StoredSession? { nil }
        func beginSession(_ name: Int64) {}
        func note(_ steps: ExchangeSteps) {}
        func connectionBegan() { memory.connectionBegan() }
        func acknowledge(_ ids: [MessageID]) { memory.acknowledge(ids) }
        func discard(_ ids: [MessageID], because reason: DiscardReason) { memory.acknowledge(ids) }
        func pendingCount() -> Int { memory.pendingCount() }
        func rewind() { memory.rewind() }
    }

    private let slow = SlowStore()
    private let settings: SparkplugSettings
    private let store: SparkplugStore

    init() throws {
        settings = try SparkplugSettings(group: "g", node: "n", devices: ["d": ["b", "c"]])
        store = SparkplugStore(slow, settings: settings, proof: .seconds(30))
    }

    private func take() async throws -> [String] {
        try await store.next(maximumCount: 20, maximumBytes: 9999, maximumBacklog: .max).map {
            try SparkplugBoard.text($0.message)
        }
    }

    private func connect(_ number: Int) async throws {
        _ = try store.will(connection: number, bdSeq: UInt8(number))
        try await store.connectionBegan()
        store.open(connection: number)
    }

    private func report(_ report: Report) async throws {
        _ = try await store.append(try SparkplugProfile(settings).messages(for: report, sequence: 0))
    }

    private func read(_ sensor: String) async throws {
        try await report(
            .readings([Reading(sensor: sensor, value: .number(1), time: Timestamp(milliseconds: 1))]))
    }

    /// What it gives belongs to the connection that asked.
    @Test func anAnswerForAnEndedConnectionIsGivenAgain() async throws {
        try await read("a")
        try await connect(1)
        #expect(try await take() == ["NBIRTH 0 bdSeq=1 a=1.0"])
        await slow.beSlow(.next)
        async let late = take()
        await slow.untilAsked()
        store.connectionEnded()
        try await connect(2)
        await slow.answer()
        #expect(try await late == [])
        #expect(try await take() == ["NBIRTH 0 bdSeq=2 a=1.0"])
        #expect(try await take() == ["NDATA 1 old:a=1.0"])
    }

    @Test func aDeathDoesNotOvertakeTheFailureThatItIsOf() async throws {
        try await read("b")
        try await connect(1)
        #expect(try await take() == ["NBIRTH 0 bdSeq=1", "DBIRTH:d 1 b=1.0"])
        #expect(try await take() == ["DDATA:d 2 old:b=1.0"])
        await slow.beSlow(.append)
        async let failure: Void = report(.failure(sensor: "b", reason: "gone", time: Timestamp(milliseconds: 2)))
        await slow.untilAsked()
        // The queue does not have it yet.
        #expect(try await take() == [])
        await slow.answer()
        try await failure
        #expect(try await take() == ["DDATA:d 3 b=null!bad"])
        #expect(try await take() == ["DDEATH:d 4"])
    }
}
