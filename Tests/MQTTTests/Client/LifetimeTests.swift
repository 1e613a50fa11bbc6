import MQTTWire
import NIOCore
import NIOPosix
import Relay
import TestSupport
import Testing

@testable import MQTT

/// A client's end, whatever it is doing, and what is left of it.
@Suite(.timeLimit(.minutes(3))) struct LifetimeTests {
    private static let accepted: [UInt8] = [0x20, 0x03, 0x00, 0x00, 0x00]

    /// Where a client can be when it is told to stop.
    enum Phase: String, CaseIterable {
        case beforeItRuns, connecting, awaitingConnAck, pausing, connected
    }

    enum Way: CaseIterable { case disconnected, disconnectedTwice, cancelled, cancelledAndDisconnected }

    @Test(arguments: Phase.allCases, Way.allCases)
    func aClientStopsInEveryPhase(_ phase: Phase, _ way: Way) async throws {
        let server = try await ScriptedServer.start(phase == .connected ? [.receive(2), .send(Self.accepted)] : [])
        let nobody = try ReservedPort()
        var configuration = quick(port: phase == .pausing ? nobody.number : server.port)
        configuration.backoff = Backoff(base: .seconds(1000), cap: .seconds(1000))
        let (entered, entry) = AsyncStream<Void>.makeStream()
        if phase == .connecting {
            configuration.parameters = { _ in
                entry.yield()
                return ConnectParameters()
            }
        }
        let client = MQTTClient(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let running: Task<Void, Never>
        if phase == .beforeItRuns {
            if way != .cancelled { await client.disconnect() }
            running = Task {
                if way == .cancelled { withUnsafeCurrentTask { $0?.cancel() } }
                await client.run()
            }
        } else {
            running = Task { await client.run() }
        }
        switch phase {
        case .beforeItRuns: break
        case .connecting: for await _ in entered { break }
        case .awaitingConnAck: try await eventually("CONNECT") { server.received.first?.isEmpty == false }
        case .pausing: for await _ in client.events { break }
        case .connected: try await eventually("a connection") { await client.isConnected }
        }
        switch way {
        case .disconnected: await client.disconnect()
        case .disconnectedTwice:
            await client.disconnect()
            await client.disconnect()
        case .cancelled: running.cancel()
        case .cancelledAndDisconnected:
            running.cancel()
            await client.disconnect()
        }
        try await within(.seconds(30), "the end of run()") { await running.value }
        #expect(await !client.isConnected)
        if phase == .connected {
            try await eventually("DISCONNECT") { server.received.first?.suffix(2) == [0xE0, 0x00] }
            #expect(server.received.first?.suffix(4) != [0xE0, 0x00, 0xE0, 0x00], "once")
        }
        await server.stop()
        withExtendedLifetime(nobody) {}
    }

    @Test func whoAsksAClientThatHasStoppedIsToldAtOnce() async throws {
        let client = MQTTClient(quick(port: 1), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        await client.disconnect()
        await client.run()
        try await within(.seconds(30), "all answers") {
            await #expect(throws: ClientError.stopped) { try await client.publishNow(message("t", "x")) }
            await #expect(throws: ClientError.stopped) {
                try await client.publish(message("t", "x"), until: .acknowledged)
            }
            await #expect(throws: ClientError.stopped) {
                try await client.subscribe([Subscription(filter: TopicFilter("t"))])
            }
            await #expect(throws: ClientError.stopped) { try await client.unsubscribe([TopicFilter("t")]) }
            try await client.publish(message("t", "x"))
            for await _ in client.events {}
            for await _ in client.messages {}
        }
    }

    @Test func whoWaitsWhenTheClientStopsIsTold() async throws {
        let server = try await ScriptedServer.start([.receive(2), .send(Self.accepted)])
        let client = MQTTClient(quick(port: server.port), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let running = Task { await client.run() }
        try await eventually("a connection") { await client.isConnected }
        let stored = Task { try await client.publish(message("t", "x"), until: .acknowledged) }
        let direct = Task { try await client.publishNow(message("t", "x")) }
        let subscribing = Task { try await client.subscribe([Subscription(filter: TopicFilter("t"))]) }
        try await eventually("three requests") {
            await client.waiting == Waiting(forStored: 1, forMessages: 2, forSubscriptions: 1)
        }
        await client.disconnect()
        try await within(.seconds(30), "all answers") {
            await running.value
            await #expect(throws: ClientError.stopped) { try await stored.value }
            await #expect(throws: ClientError.connectionLost) { try await direct.value }
            await #expect(throws: ClientError.stopped) { try await subscribing.value }
        }
        #expect(await client.waiting == Waiting())
        await server.stop()
    }

    @Test func whoIsCancelledIsToldAndNothingIsLeftOfTheRequest() async throws {
        let client = MQTTClient(quick(port: 1), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let publishing = Task { try await client.publish(message("t", "x"), until: .acknowledged) }
        let subscribing = Task { try await client.subscribe([Subscription(filter: TopicFilter("t"))]) }
        let late = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await client.subscribe([Subscription(filter: TopicFilter("u"))])
        }
        try await eventually("two requests") {
            await client.waiting == Waiting(forStored: 1, forMessages: 1, forSubscriptions: 1)
        }
        publishing.cancel()
        subscribing.cancel()
        await #expect(throws: CancellationError.self) { try await publishing.value }
        await #expect(throws: CancellationError.self) { try await subscribing.value }
        await #expect(throws: CancellationError.self) { try await late.value }
        #expect(await client.waiting == Waiting())
        #expect(await client.requests.isEmpty)
    }

    @Test func whatNobodyAcknowledgesInTimeLeavesNothingBehind() async throws {
        let client = MQTTClient(quick(port: 1), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        for _ in 1...3 {
            await #expect(throws: ClientError.timedOut(after: .milliseconds(1))) {
                try await client.publish(message("t", "x"), until: .acknowledged, timeout: .milliseconds(1))
            }
        }
        #expect(await client.waiting == Waiting())
    }

    @Test(arguments: [false, true]) func aClientThatIsNotUsedAnyMoreIsFreed(hasRun: Bool) async throws {
        let server = try await ScriptedServer.start([.receive(2), .send(Self.accepted)])
        weak var watched: MQTTClient?
        do {
            let client = MQTTClient(quick(port: server.port), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
            watched = client
            if hasRun {
                let running = Task { await client.run() }
                try await eventually("a connection") { await client.isConnected }
                await client.disconnect()
                await running.value
            }
        }
        try await eventually("the client's end") { watched == nil }
        await server.stop()
    }

    @Test func aConnectionThatComesAboutTooLateIsClosed() async throws {
        let server = try await ScriptedServer.start([])
        weak var watched: MQTTClient?
        do {
            let client = MQTTClient(quick(port: server.port), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
            watched = client
            async let running: Void = client.run()
            await client.disconnectWhileOpening()
            await running
        }
        // The open connection would keep it.
        try await eventually("the client's end") { watched == nil }
        await server.stop()
    }

    @Test func aServerThatReadsNothingDoesNotHoldUpTheGoodbye() async throws {
        let server = try await DeafServer.start()
        var configuration = quick(port: server.port)
        // The client looks after its connection several times before the deadline.
        configuration.acknowledgementTimeout = .milliseconds(50)
        let client = MQTTClient(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let running = Task { await client.run() }
        try await stuff(client)
        await client.disconnect(within: .milliseconds(400))
        #expect(await !client.isConnected)
        try await within(.seconds(30), "the end of run()") { await running.value }
        await server.stop()
    }

    @Test func whoWaitsForDeliveryWaitsForTheNextConnectionToo() async throws {
        let server = try await ScriptedServer.start(
            [.receive(45), .send(Self.accepted), .receive(11), .reset],
            [.receive(45), .send(Self.accepted), .receive(11), .send([0x40, 0x02, 0x00, 0x02])])
        let client = MQTTClient(quick(port: server.port), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        try await client.publish(message("topic", "x"))
        let waiting = Task { try await client.waitUntilDelivered(timeout: .seconds(30)) }
        try await eventually("who waits") { await !client.deliveryWaiters.isEmpty }
        let running = Task { await client.run() }
        try await waiting.value
        #expect(server.connectionCount == 2)
        #expect(try await client.pendingCount() == 0)
        await client.disconnect()
        await running.value
        await server.stop()
    }

    @Test func whatTheBrokerHasAcknowledgedIsForgottenBeforeTheClientEnds() async throws {
        let server = try await ScriptedServer.start([
            .receive(45), .send(Self.accepted), .receive(11), .send([0x40, 0x02, 0x00, 0x02]),
        ])
        let store = GatedStore()
        let client = MQTTClient(
            quick(port: server.port), store: store, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let running = Task { await client.run() }
        try await client.publish(message("topic", "x"), until: .acknowledged)
        await client.disconnect()
        try await eventually("the goodbye") { await !client.isConnected }
        Task {
            await store.letAcknowledgementsThrough()
        }
        await running.value
        #expect(await store.acknowledged.count == 1)
        await server.stop()
    }
}

/// Who waits for an answer from a client.
private struct Waiting: Equatable {
    var forStored = 0
    var forMessages = 0
    var forSubscriptions = 0
}

extension MQTTClient {
    fileprivate func disconnectWhileOpening() async {
        while link.waiter == nil { await Task.yield() }
        disconnect()
    }

    fileprivate var waiting: Waiting {
        Waiting(
            forStored: storedWaiters.count, forMessages: waiters.count, forSubscriptions: requestWaiters.count)
    }
}

/// Publishes until the server's and our own socket buffers are full.
func stuff(_ client: MQTTClient) async throws {
    try await eventually("a connection") { await client.isConnected }
    let large = Message(
        topic: try TopicName("t"), payload: ByteBuffer(repeating: 0x30, count: 200_000), qos: .atMostOnce)
    try await eventually("full buffers") {
        try await client.publishNow(large)
        return await !client.link.isWritable
    }
}

/// A store that does not forget before it is allowed to.
private actor GatedStore: SessionStore {
    nonisolated var outlivesProcess: Bool { false }
    func session() -> StoredSession? { nil }
    func beginSession(_ name: Int64) {}
    func note(_ steps: ExchangeSteps) {}
    func connectionBegan() {}

    private let base = MemoryStore()
    private(set) var acknowledged: [MessageID] = []
    private var isOpen = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    func letAcknowledgementsThrough() {
        isOpen = true
        waiters.forEach { $0.resume() }
        waiters.removeAll()
    }

    func append(_ messages: [Message]) throws -> [MessageID] { try base.append(messages) }
    func next(maximumCount: Int, maximumBytes: Int, maximumBacklog: Int) -> [StoredMessage] {
        base.next(maximumCount: maximumCount, maximumBytes: maximumBytes)
    }
    func acknowledge(_ ids: [MessageID]) async {
        if !isOpen { await withCheckedContinuation { waiters.append($0) } }
        acknowledged += ids
        base.acknowledge(ids)
    }
    func discard(_ ids: [MessageID], because reason: DiscardReason) { base.discard(ids, because: reason) }
    func pendingCount() -> Int { base.pendingCount() }
    func rewind() { base.rewind() }
}
