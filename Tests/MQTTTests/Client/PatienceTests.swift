import MQTTWire
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import MQTT

/// Whoever waits is told, and in time.
@Suite(.timeLimit(.minutes(3))) struct PatienceTests {
    private static let accepted: [UInt8] = [0x20, 0x03, 0x00, 0x00, 0x00]
    /// The bytes of CONNECT that `quick` leads to.
    private static let connect = 48
    private static let some: [UInt8] = [0x30, 0x04, 0, 1, 0x61, 0]

    @Test(arguments: [QoS.atMostOnce, .atLeastOnce])
    func aPacedBacklogGoesOnWhenTheConnectionIsLookedAfter(qos: QoS) async throws {
        try await withMosquitto { broker in
            let listener = try await MosquittoSub.start(port: broker.port, ["#"], format: "%p")
            var configuration = quick(port: broker.port)
            configuration.backlogRate = 2
            let client = MQTTClient(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
            for number in 1...4 { try await client.publish(message("t", "\(number)", qos)) }
            let running = Task { await client.run() }
            // Between one message and the next, as keep-alive does.
            try await eventually("all messages") {
                await client.watch()
                return await client.statistics.completed == 4
            }
            let lines = try await listener.wait { $0.count == 4 }
            #expect(lines == ["1", "2", "3", "4"])
            await client.disconnect()
            await running.value
            try await listener.stop()
        }
    }

    @Test func aReaderWhoPublishesIsNotHeldUpByWhatItHasNotReadYet() async throws {
        let flood = (1...700).flatMap { _ in Self.some }
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(Self.accepted + flood), .receive(9), .send([0x40, 0x02, 0xC0, 0x01]),
        ])
        try await withClient(port: server.port) { client in
            try await eventually("the flood") { await client.isFull }
            var reader = client.messages.makeAsyncIterator()
            _ = await reader.next()
            try await eventually("the pause") { await client.readingPaused }
            try await client.publishNow(message("t", "x"), timeout: .seconds(20))
        }
        await server.stop()
    }

    @Test func aReaderWhoPublishesCostsABoundedMemory() async throws {
        let flood = (1...30_000).flatMap { _ in Self.some }
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(Self.accepted), .receive(9), .send(flood),
            .send([0x40, 0x02, 0xC0, 0x01]),
        ])
        try await withClient(port: server.port) { client in
            try await eventually("a connection") { await client.isConnected }
            let reader = client.messages.makeAsyncIterator()
            try await eventually("a reader") { await client.hasReader }
            try await client.publishNow(message("t", "x"))
            #expect(await client.statistics.received == 30_000)
            #expect(await client.statistics.receivedUnread > 20_000)
            #expect(await client.inbox.count < 10_000)
            withExtendedLifetime(reader) {}
        }
        await server.stop()
    }

    @Test func whatCameWithTheGoodbyeDoesNotWaitForTheNextConnection() async throws {
        let server = try await ScriptedServer.start(
            [.receive(Self.connect), .send(Self.accepted + Self.some + [0xE0, 0x01, 0x8B])], [])
        try await withClient(port: server.port) { client in
            let messages = try await collect(1, from: client)
            #expect(messages.count == 1)
        }
        await server.stop()
    }

    /// QoS 1 and 2 are acknowledged in order: what is never done with would block all that come after it.
    @Test(arguments: [1, 2] as [UInt8])
    func whoLeavesOffOverAMessageHoldsNobodyUpWhoReadsOn(qos: UInt8) async throws {
        func some(_ number: UInt8) -> [UInt8] { [0x30 | qos << 1, 0x07, 0, 1, 0x61, 0, number, 0, number] }
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(Self.accepted + some(1)), .receive(4), .send(some(2)),
        ])
        try await withClient(port: server.port) { client in
            for number in [1, 2] as [UInt8] {
                let messages = try await collect(1, from: client)
                #expect(messages.map { Array($0.payload.readableBytesView) } == [[number]])
                try await eventually("the reader to leave") { await !client.hasReader }
                // Only somebody who reads on says that the last one was done with.
                let answers = (1..<number).flatMap { [qos == 1 ? 0x40 : 0x50, 0x02, 0, $0] as [UInt8] }
                #expect(server.received.first?.dropFirst(Self.connect) == ArraySlice(answers))
            }
        }
        await server.stop()
    }

    @Test func whatCannotBeSentIsToldToACallerWhoIsStillWithTheStore() async throws {
        // CONNACK with a Maximum Packet Size of 64.
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send([0x20, 0x08, 0, 0, 5, 0x27, 0, 0, 0, 64]),
        ])
        let store = HesitantStore()
        let client = MQTTClient(
            quick(port: server.port), store: store, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let running = Task { await client.run() }
        await store.setClient(client)
        let large = try message("t", String(repeating: "x", count: 100))
        await #expect(throws: ClientError.tooLarge(bytes: 108, limit: 64)) {
            try await client.publish(large, until: .acknowledged, timeout: .seconds(20))
        }
        await client.disconnect()
        await running.value
        await server.stop()
    }

    @Test func whatWaitedBetweenStoreAndConnectionHasNoMoreTimeLeftThanItHas() async throws {
        let server = try await ScriptedServer.start(
            [.receive(Self.connect), .send(Self.accepted), .receive(2)],
            [.receive(Self.connect), .pause(.milliseconds(1200)), .send(Self.accepted)])
        let store = HesitantStore()
        let client = MQTTClient(
            quick(port: server.port), store: store, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        var short = try message("t", "x")
        short.expiry = .seconds(10)
        _ = try await client.publish(short)
        await store.holdNext()
        let running = Task { await client.run() }
        try await eventually("a question to the store") { await store.isHeld }
        await client.breakOff(ProtocolViolation("on purpose"))
        await store.letNextThrough()
        try await eventually("PUBLISH") { server.received.count > 1 && server.received[1].count > Self.connect }
        var decoder = PacketDecoder(version: .v5, maximumPacketSize: 1000)
        var bytes = ByteBuffer(bytes: server.received[1].dropFirst(Self.connect))
        guard case .publish(let publish)? = try decoder.decode(from: &bytes) else { throw Unexpected("no PUBLISH") }
        #expect(try #require(publish.properties.messageExpiryInterval) <= 9)
        await client.disconnect()
        await running.value
        await server.stop()
    }

    @Test func anAnswerOnATopicThatIsSubscribedToAlreadyIsFound() async throws {
        try await withMosquitto { broker in
            try await withClient(port: broker.port) { client in
                try await client.subscribe([Subscription(filter: TopicFilter("answers"))])
                var configuration = quick(port: broker.port)
                configuration.clientIdentifier = "gate"
                try await withClient(configuration) { gate in
                    try await gate.subscribe([Subscription(filter: TopicFilter("gate/request"))])
                    let working = Task {
                        for await request in gate.messages {
                            guard let answer = request.answer(ByteBuffer(string: "done")) else { continue }
                            try await gate.publishNow(answer)
                        }
                    }
                    var request = try message("gate/request", "open")
                    request.properties.responseTopic = try TopicName("answers")
                    let answer = try await client.request(request, timeout: .seconds(20))
                    #expect(String(buffer: answer.payload) == "done")
                    working.cancel()
                }
            }
        }
    }

    /// Begins when it is told to.
    private struct Slow: Authenticator {
        let method = "SLOW"
        let gate: Gate
        mutating func begin() async throws -> ByteBuffer? {
            await gate.pass()
            return nil
        }
        mutating func answer(_ challenge: ByteBuffer?) async throws -> ByteBuffer? { nil }
        mutating func finish(_ data: ByteBuffer?) throws {}
    }

    private actor Gate {
        private var waiters: [CheckedContinuation<Void, Never>] = []
        private var isOpen = true
        var count: Int { waiters.count }
        func close() { isOpen = false }
        func open() {
            isOpen = true
            waiters.forEach { $0.resume() }
            waiters.removeAll()
        }
        func pass() async {
            if !isOpen { await withCheckedContinuation { waiters.append($0) } }
        }
    }

    @Test func twoWhoAuthenticateAnewAtOnceAreBothTold() async throws {
        let server = try await ScriptedServer.start([.receive(Self.connect), .send(Self.accepted)])
        let gate = Gate()
        var configuration = quick(port: server.port)
        configuration.authenticator = { Slow(gate: gate) }
        try await withClient(configuration) { client in
            try await eventually("a connection") { await client.isConnected }
            await gate.close()
            let both = (1...2).map { _ in
                Task { try await client.reauthenticate(timeout: .milliseconds(200)) }
            }
            try await eventually("both at the beginning") { await gate.count == 2 }
            await gate.open()
            try await within(.seconds(30), "both answers") {
                for one in both { await #expect(throws: ClientError.self) { try await one.value } }
            }
        }
        await server.stop()
    }

    @Test func aPaceWithoutBoundsIsTaken() {
        var pace = Pace(rate: .infinity, now: .now)
        #expect(pace.available(at: .now) > 1000)
        var none = Pace(rate: .nan, now: .now)
        #expect(none.available(at: .now) == 1)
    }

    @Test func anExpiryWithoutEndIsTaken() throws {
        var session = Session(version: .v5)
        _ = session.connected(sessionPresent: false, limits: ServerLimits())
        var endless = try message("t", "x")
        endless.expiry = .seconds(Int64.max)
        guard case .send(let publish) = session.publish(endless, from: .direct(1)) else { throw Unexpected("not sent") }
        #expect(publish.properties.messageExpiryInterval == .max)
    }
}

/// A store whose `append` returns only after the message was given up, if it has a client, and whose `next` may take its
/// time.
private actor HesitantStore: SessionStore {
    nonisolated var outlivesProcess: Bool { false }
    func session() -> StoredSession? { nil }
    func beginSession(_ name: Int64) {}
    func note(_ steps: ExchangeSteps) {}
    func connectionBegan() {}

    private let base = MemoryStore()
    private var client: MQTTClient?
    private var appender: CheckedContinuation<Void, Never>?
    private var isToBeHeld = false
    private var asker: CheckedContinuation<Void, Never>?

    func setClient(_ client: MQTTClient) { self.client = client }
    func holdNext() { isToBeHeld = true }
    var isHeld: Bool { asker != nil }
    func letNextThrough() {
        asker?.resume()
        asker = nil
    }

    func append(_ messages: [Message]) async throws -> [MessageID] {
        let ids = try base.append(messages)
        if let client {
            await withCheckedContinuation {
                appender = $0
                client.storeDidChange()
            }
            self.client = nil
        }
        return ids
    }
    func next(maximumCount: Int, maximumBytes: Int, maximumBacklog: Int) async -> [StoredMessage] {
        let batch = base.next(maximumCount: maximumCount, maximumBytes: maximumBytes)
        if isToBeHeld {
            isToBeHeld = false
            await withCheckedContinuation { asker = $0 }
        }
        return batch
    }
    func acknowledge(_ ids: [MessageID]) { base.acknowledge(ids) }
    func discard(_ ids: [MessageID], because reason: DiscardReason) {
        base.discard(ids, because: reason)
        appender?.resume()
        appender = nil
    }
    func pendingCount() -> Int { base.pendingCount() }
    func rewind() { base.rewind() }
}
