import MQTTWire
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import MQTT

/// A store that fails once, in each of its methods: nothing is forgotten over it.
@Suite(.timeLimit(.minutes(3))) struct FailingStoreTests {
    enum Method: CaseIterable { case session, beginSession, note, connectionBegan, next, acknowledge }

    @Test(arguments: Method.allCases)
    func D3_anExchangeEndsThoughTheStoreFailsOnce(method: Method) async throws {
        try await withMosquitto { broker in
            let store = FailingStore(method)
            let client = MQTTClient(
                quick(port: broker.port), store: store, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
            let running = Task { await client.run() }
            try await client.subscribe([Subscription(filter: TopicFilter("t"), qos: .exactlyOnce)])
            try await client.publish(message("t", "x", .exactlyOnce), until: .acknowledged, timeout: .seconds(20))
            var reader = client.messages.makeAsyncIterator()
            #expect(await reader.next()?.payload == ByteBuffer(string: "x"))
            async let end = reader.next()
            try await eventually("the incoming exchange's end") { await client.session.incoming.underWay == 0 }
            try await eventually("the store's knowledge") {
                await store.knowsAll
            }
            #expect(await store.hasFailed)
            await client.disconnect()
            await running.value
            #expect(await end == nil)
        }
    }

    @Test func D1_anAcknowledgementThatTheStoreDidNotTakeIsToldBeforeTheEnd() async throws {
        try await withMosquitto { broker in
            let store = FailingStore(.acknowledge)
            let client = MQTTClient(
                quick(port: broker.port), store: store, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
            let running = Task { await client.run() }
            try await client.publish(message("t", "x"), until: .acknowledged)
            try await eventually("the failure") { await store.hasFailed }
            await client.disconnect()
            await running.value
            #expect(await store.acknowledged == 1)
        }
    }
}

private actor FailingStore: SessionStore {
    struct Broken: Error {}

    nonisolated var outlivesProcess: Bool { true }
    private let base = MemoryStore()
    private let method: FailingStoreTests.Method
    private(set) var hasFailed = false
    private var noted = ExchangeSteps()
    private var begun = 0
    private(set) var acknowledged = 0
    private var name: Int64?

    init(_ method: FailingStoreTests.Method) { self.method = method }

    var knowsAll: Bool {
        begun == 1 && acknowledged == 1 && noted.released.count == 1 && noted.seen.count == 1
            && noted.finished.count == 1
    }

    private func fail(_ method: FailingStoreTests.Method) throws {
        guard method == self.method, !hasFailed else { return }
        hasFailed = true
        throw Broken()
    }

    func session() throws -> StoredSession? {
        try fail(.session)
        return name.map { StoredSession(name: $0) }
    }
    func beginSession(_ name: Int64) throws {
        try fail(.beginSession)
        self.name = name
        begun += 1
    }
    func note(_ steps: ExchangeSteps) throws {
        try fail(.note)
        noted.released += steps.released
        noted.seen += steps.seen
        noted.finished += steps.finished
    }
    func connectionBegan() throws {
        try fail(.connectionBegan)
        base.connectionBegan()
    }
    func append(_ messages: [Message]) throws -> [MessageID] { try base.append(messages) }
    func next(maximumCount: Int, maximumBytes: Int, maximumBacklog: Int) throws -> [StoredMessage] {
        try fail(.next)
        return base.next(maximumCount: maximumCount, maximumBytes: maximumBytes, maximumBacklog: maximumBacklog)
    }
    func acknowledge(_ ids: [MessageID]) throws {
        try fail(.acknowledge)
        acknowledged += ids.count
        base.acknowledge(ids)
    }
    func discard(_ ids: [MessageID], because reason: DiscardReason) { base.discard(ids, because: reason) }
    func pendingCount() -> Int { base.pendingCount() }
    func rewind() { base.rewind() }
}
