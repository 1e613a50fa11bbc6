import MQTTWire
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import MQTT

/// The way of messages through the client, against servers with a script.
@Suite(.timeLimit(.minutes(3))) struct FlowTests {
    /// CONNACK without a session, and with one.
    private static let accepted: [UInt8] = [0x20, 0x03, 0x00, 0x00, 0x00]
    private static let resumed: [UInt8] = [0x20, 0x03, 0x01, 0x00, 0x00]
    /// The bytes of CONNECT that `quick` leads to.
    private static let connect = 48

    private func publishes(_ bytes: [UInt8]?) throws -> [Publish] {
        var decoder = PacketDecoder(maximumPacketSize: 1 << 20)
        var buffer = ByteBuffer(bytes: bytes ?? [])
        var publishes: [Publish] = []
        while let packet = try decoder.decode(from: &buffer) {
            if case .publish(let publish) = packet { publishes.append(publish) }
        }
        return publishes
    }

    private func ready(_ configuration: ClientConfiguration, store: any SessionStore = MemoryStore()) -> MQTTClient {
        MQTTClient(configuration, store: store, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
    }

    @Test func D4_QoS0MessagesThatWereNotWrittenKeepTheirOrder() async throws {
        let server = try await DeafServer.start()
        try await withClient(port: server.port) { client in
            try await eventually("a connection") { await client.isConnected }
            var last = 0
            func next() throws -> Message {
                last += 1
                return try message("t", "\(last)" + String(repeating: " ", count: 10_000), .atMostOnce)
            }
            // Until the kernel takes no more, and then one write after the other until the channel does not either.
            repeat {
            } while (try? await client.publish(next(), until: .acknowledged, timeout: .milliseconds(300))) != nil
            while await client.link.isWritable {
                try await client.publish(next())
                try await eventually("a write that waits") { await client.statistics.published == last }
            }
            #expect(await client.link.unwritten.count > 1)
            server.hangUp()
            func numbers() -> [Int] { server.published.compactMap { Int($0.prefix { $0 != " " }) } }
            try await eventually("the last message") { numbers().last == last }
            let arrived = numbers()
            #expect(arrived == Array((arrived.first ?? 0)...last))
        }
        await server.stop()
    }

    @Test func aCompletionThatOvertakesItsCallerIsNotMissed() async throws {
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(Self.accepted), .receive(13), .send([0x40, 0x02, 0x00, 0x02]),
        ])
        let store = SlowStore()
        let client = ready(quick(port: server.port), store: store)
        let running = Task { await client.run() }
        await store.setClient(client)
        _ = try await within(.seconds(30), "the acknowledgement") {
            try await client.publish(message("topic", "x"), until: .acknowledged)
        }
        await client.disconnect()
        await running.value
        await server.stop()
    }

    @Test func aStoreThatFailsOnceIsAskedAgain() async throws {
        try await withMosquitto { broker in
            let store = SlowStore(failures: 1)
            let client = ready(quick(port: broker.port), store: store)
            let running = Task { await client.run() }
            _ = try await within(.seconds(30), "the acknowledgement") {
                try await client.publish(message("topic", "x"), until: .acknowledged)
            }
            await client.disconnect()
            await running.value
        }
    }

    @Test func whatWasNotSentInTimeIsNotSentLater() async throws {
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(Self.accepted), .receive(13 + 2), .send([0x40, 0x02, 0xC0, 0x01]),
        ])
        var configuration = quick(port: server.port)
        configuration.maximumInFlight = 1
        configuration.keepAlive = .seconds(1)
        try await withClient(configuration) { client in
            try await eventually("a connection") { await client.isConnected }
            let first = Task { try await client.publishNow(message("topic", "1")) }
            try await eventually("the first message under way") { await client.inFlight == 1 }
            await #expect(throws: ClientError.timedOut(after: .milliseconds(10))) {
                try await client.publishNow(message("topic", "2"), timeout: .milliseconds(10))
            }
            // Acknowledged after the first ping.
            try await first.value
            #expect(await client.inFlight == 0)
        }
        await server.stop()
        #expect(try publishes(server.received.first).map { String(buffer: $0.payload) } == ["1"])
    }

    @Test func aResumedSessionRepeatsWithDupAndTheOldIdentifier() async throws {
        let server = try await ScriptedServer.start(
            [.receive(Self.connect), .send(Self.accepted), .receive(26), .reset],
            [.receive(Self.connect), .send(Self.resumed), .receive(26), .send([0x40, 0x02, 0, 2, 0x40, 0x02, 0, 3])])
        try await withClient(port: server.port) { client in
            try await eventually("a connection") { await client.isConnected }
            for number in 1...2 { try await client.publish(message("topic", "\(number)")) }
            try await eventually("the acknowledgements") { await client.statistics.completed == 2 }
            #expect(await client.statistics.repeated >= 1)
            #expect(await client.statistics.possibleDuplicates == 0)
        }
        await server.stop()
        let repeated = try publishes(server.received.last)
        #expect(repeated.map { String(buffer: $0.payload) } == ["1", "2"])
        #expect(repeated.map(\.packetIdentifier?.rawValue) == [2, 3])
        #expect(repeated.first?.duplicate == true)
    }

    @Test func anotherEndpointBeginsANewSession() async throws {
        let first = try await ScriptedServer.start([.receive(Self.connect), .send(Self.accepted), .close])
        let second = try await ScriptedServer.start(
            [.receive(Self.connect), .send(Self.accepted), .close], [.receive(Self.connect), .close],
            [.receive(Self.connect), .send(Self.accepted)])
        var configuration = quick(port: first.port)
        configuration.endpoints.append(Endpoint(host: "127.0.0.1", port: second.port))
        try await withClient(configuration) { client in
            // Each throws the client out, which asks it once more; the second one does not answer then.
            try await first.waitForConnection(count: 3)
            try await eventually("all CONNECTs") {
                first.received.prefix(3).allSatisfy { $0.count >= Self.connect }
                    && second.received.prefix(2).allSatisfy { $0.count >= Self.connect }
            }
        }
        await first.stop()
        await second.stop()
        func cleanStart(_ bytes: [UInt8]) -> Bool { bytes[9] & 0x02 != 0 }
        #expect(first.received.prefix(3).map(cleanStart) == [true, false, true])
        #expect(second.received.prefix(2).map(cleanStart) == [true, false])
    }

    @Test func withoutAnIdentifierThereIsNoSessionToResume() async throws {
        let server = try await ScriptedServer.start([
            .receive(2), .send([0x20, 0x02, 0x00, 0x00]), .pause(.milliseconds(1)), .close,
        ])
        var configuration = quick(port: server.port, version: .v3_1_1)
        configuration.clientIdentifier = ""
        try await withClient(configuration) { client in try await server.waitForConnection(count: 3) }
        await server.stop()
        #expect(
            server.received.prefix(2).allSatisfy { $0.count > 9 && $0[9] & 0x02 != 0 },
            "3.1.1 demands it (MQTT-3.1.3-7)")
    }

    @Test func anAssignedIdentifierIsUsedAgain() async throws {
        // CONNACK with Assigned Client Identifier "ab".
        let server = try await ScriptedServer.start([
            .receive(2), .send([0x20, 0x08, 0, 0, 5, 0x12, 0, 2, 0x61, 0x62]), .pause(.milliseconds(1)), .close,
        ])
        var configuration = quick(port: server.port)
        configuration.clientIdentifier = ""
        try await withClient(configuration) { client in
            try await eventually("a second CONNECT") { server.received.count >= 2 && server.received[1].count >= 33 }
        }
        await server.stop()
        #expect(server.received[0].suffix(2) == [0, 0])
        #expect(
            server.received[1].starts(with: [0x10, 31])
                && server.received[1].prefix(33).suffix(4) == [0, 2, 0x61, 0x62])
        #expect(server.received[1][9] & 0x02 == 0)
    }

    @Test func whatIsUnsubscribedStaysSoHoweverTheAnswersCome() async throws {
        // SUBSCRIBE and UNSUBSCRIBE, whose identifiers begin at 0xC001, are answered in one segment.
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(Self.accepted), .receive(9 + 8),
            .send([0x90, 0x04, 0xC0, 1, 0, 1, 0xB0, 0x04, 0xC0, 2, 0, 0]),
        ])
        try await withClient(port: server.port) { client in
            try await eventually("a connection") { await client.isConnected }
            let subscribing = Task { try await client.subscribe([Subscription(filter: TopicFilter("a"))]) }
            try await eventually("SUBSCRIBE") { await client.sentRequests.count == 1 }
            let codes = try await client.unsubscribe([TopicFilter("a")])
            #expect(codes == [.success])
            #expect(try await subscribing.value == [.grantedQoS1])
            #expect(await client.subscriptions.isEmpty)
        }
        await server.stop()
    }

    @Test func aRequestIsAnsweredOnALaterConnection() async throws {
        let server = try await ScriptedServer.start(
            [.receive(Self.connect), .send(Self.accepted), .receive(9), .reset],
            [.receive(Self.connect), .send(Self.accepted), .receive(9), .send([0x90, 0x04, 0xC0, 2, 0, 1])])
        try await withClient(port: server.port) { client in
            let codes = try await client.subscribe([Subscription(filter: TopicFilter("a"))])
            #expect(codes == [.grantedQoS1])
            #expect(await client.statistics.connections == 2)
            #expect(await client.subscriptions.count == 1)
        }
        await server.stop()
    }

    @Test func aSubscriptionThatIsNotRenewedIsAskedForAgainNextTime() async throws {
        let server = try await ScriptedServer.start(
            [.receive(Self.connect), .send(Self.accepted), .receive(9), .send([0x90, 0x04, 0xC0, 1, 0, 1]), .close],
            [
                .receive(Self.connect), .send(Self.accepted), .receive(9), .send([0x90, 0x04, 0xC0, 2, 0, 0x87]),
                .pause(.milliseconds(50)), .close,
            ],
            [.receive(Self.connect), .send(Self.accepted)])
        try await withClient(port: server.port) { client in
            try await client.subscribe([Subscription(filter: TopicFilter("a"))])
            try await eventually("the third SUBSCRIBE") {
                server.received.count >= 3 && server.received[2].count == Self.connect + 9
            }
            #expect(await client.isConnected)
            #expect(await client.renewals.count == 1)
        }
        await server.stop()
    }

    @Test func aServerThatLeavesItsAcknowledgementsUnreadIsLeft() async throws {
        let server = try await DeafServer.start()
        var configuration = quick(port: server.port)
        configuration.acknowledgement = .onArrival
        try await withClient(configuration) { client in
            try await stuff(client)
            var flood = ByteBuffer()
            for number in 0..<70_000 {
                flood.writeBytes([0x32, 0x06, 0, 1, 0x61])
                flood.writeInteger(UInt16(truncatingIfNeeded: number | 1))
                flood.writeInteger(UInt8(0))
            }
            server.send(flood)
            for await event in client.events {
                guard case .disconnected(let reason, _) = event else { continue }
                guard case .protocolError = reason else { throw Unexpected("\(reason)") }
                break
            }
        }
        await server.stop()
    }

    @Test func aReaderWhoTakesItsTimeDoesNotCostTheConnection() async throws {
        // More messages than wait for a reader; then nothing but pings, which are answered, and PUBACK after some of them.
        let flood = (1...2000).flatMap { _ in [0x30, 0x04, 0, 1, 0x61, 0] as [UInt8] }
        let pong: [ScriptedServer.Step] = [.receive(2), .send([0xD0, 0x00])]
        let server = try await ScriptedServer.start(
            [.receive(Self.connect), .send(Self.accepted), .receive(13), .send(flood)] + pong + pong + pong
                + [.send([0x40, 0x02, 0x00, 0x02])])
        var configuration = quick(port: server.port)
        configuration.keepAlive = .seconds(1)
        configuration.responseTimeout = .milliseconds(400)
        configuration.acknowledgementTimeout = .milliseconds(800)
        try await withClient(configuration) { client in
            var reader = client.messages.makeAsyncIterator()
            try await client.publish(message("topic", "x"))
            try await eventually("the pause") { await client.readingPaused }
            try await eventually("three pings") {
                server.received.first.map { $0.suffix(6) == [0xC0, 0, 0xC0, 0, 0xC0, 0] } == true
            }
            for _ in 1...2000 { _ = await reader.next() }
            try await eventually("PUBACK") { await client.statistics.completed == 1 }
            #expect(await client.statistics.connections == 1)
        }
        await server.stop()
    }

    @Test func aShortKeepAliveIsKeptThoughAnAnswerMayTakeLong() async throws {
        let pong: [ScriptedServer.Step] = [.receive(2), .send([0xD0, 0x00])]
        let server = try await ScriptedServer.start([.receive(Self.connect), .send(Self.accepted)] + pong + pong)
        var configuration = quick(port: server.port)
        configuration.keepAlive = .seconds(1)
        configuration.responseTimeout = .seconds(100)
        try await withClient(configuration) { client in
            try await eventually("three pings") { (server.received.first?.count ?? 0) >= Self.connect + 6 }
        }
        await server.stop()
    }

    @Test func theServersKeepAliveHolds() async throws {
        // CONNACK with Server Keep Alive 1, against 60 of our own.
        let server = try await ScriptedServer.start([.receive(2), .send([0x20, 0x06, 0, 0, 3, 0x13, 0, 1])])
        try await withClient(port: server.port) { client in
            try await eventually("a ping") { server.received.first?.suffix(2) == [0xC0, 0x00] }
        }
        await server.stop()
    }

    @Test func theFirstMessageAfterALongSilenceIsGivenItsFullTime() async throws {
        let server = try await ScriptedServer.start([.receive(Self.connect), .send(Self.accepted)])
        try await withClient(port: server.port) { client in
            try await eventually("a connection") { await client.isConnected }
            await client.pretendSilence(of: .seconds(1000))
            let before = ContinuousClock.now
            try await client.publish(message("topic", "x"))
            try await eventually("a message under way") { await client.inFlight == 1 }
            #expect(await client.link.lastProgress >= before)
        }
        await server.stop()
    }

    @Test func aPausedReaderIsNotOverwhelmedByANewConnection() async throws {
        let some = (1...600).flatMap { _ in [0x30, 0x04, 0, 1, 0x61, 0] as [UInt8] }
        let server = try await ScriptedServer.start(
            [.receive(Self.connect), .send(Self.accepted), .receive(2), .send(some), .receive(2), .reset],
            [.receive(Self.connect), .send(Self.accepted), .receive(2), .send(some), .receive(2)])
        var configuration = quick(port: server.port)
        configuration.keepAlive = .seconds(1)
        try await withClient(configuration) { client in
            var reader = client.messages.makeAsyncIterator()
            try await eventually("two pings on the second connection") {
                server.received.count == 2 && server.received[1].count >= Self.connect + 4
            }
            #expect(await client.statistics.received == 600)
            for _ in 1...1200 { _ = await reader.next() }
        }
        await server.stop()
    }

    @Test func endpointsTakeTurnsAndAGoodOneIsAskedFirst() async throws {
        // Each connection counts as stable, so the second server is asked again and the first is not.
        let first = try await ScriptedServer.start([.receive(2), .close])
        let second = try await ScriptedServer.start([.receive(Self.connect), .send(Self.accepted), .receive(2), .close])
        var configuration = quick(port: first.port)
        configuration.endpoints.append(Endpoint(host: "127.0.0.1", port: second.port))
        configuration.keepAlive = .seconds(1)
        configuration.backoff = Backoff(base: .milliseconds(1), cap: .milliseconds(1), stableAfter: .milliseconds(500))
        try await withClient(configuration) { client in try await second.waitForConnection(count: 3) }
        #expect(first.connectionCount == 1)
        await first.stop()
        await second.stop()
    }

    @Test func aReaderWhoLeavesOffMayComeAgainAndHoldsNobodyUpMeanwhile() async throws {
        let some: [UInt8] = [0x30, 0x04, 0, 1, 0x61, 0]
        let flood = (1...600).flatMap { _ in some }
        let server = try await ScriptedServer.start(
            [.receive(Self.connect), .send(Self.accepted), .receive(13), .send(some), .receive(13), .send(flood)])
        try await withClient(port: server.port) { client in
            async let messages = collect(1, from: client)
            try await eventually("a reader") { await client.hasReader }
            try await client.publish(message("topic", "x"))
            #expect(try await messages.count == 1)
            try await eventually("the reader to leave") { await !client.hasReader }
            try await client.publish(message("topic", "x"))
            try await eventually("the flood") { await client.statistics.received == 601 }
            #expect(await client.statistics.receivedUnread == 600 - Inbox.highWatermark)
            #expect(await !client.readingPaused)
            #expect(try await collect(Inbox.highWatermark, from: client).count == Inbox.highWatermark)
        }
        await server.stop()
    }

    @Test func severalReadersShareTheMessagesAndACancelledOneTakesNone() async throws {
        let some = (1...100).flatMap { [0x30, 0x05, 0, 1, 0x61, 0, UInt8($0)] as [UInt8] }
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(Self.accepted), .receive(13), .send(some),
        ])
        try await withClient(port: server.port) { client in
            let readers = (1...3).map { _ in
                Task {
                    var seen: [UInt8] = []
                    for await message in client.messages { seen += message.payload.readableBytesView }
                    return seen
                }
            }
            try await eventually("three readers") { await client.readers == 3 }
            readers[0].cancel()
            #expect(await readers[0].value == [])
            try await client.publish(message("topic", "x"))
            try await eventually("all messages") { await client.statistics.received == 100 }
            await client.disconnect()
            let seen = await readers[1].value + readers[2].value
            #expect(seen.sorted() == (1...100).map { UInt8($0) })
        }
        await server.stop()
    }

    @Test func whatIsAppendedWhileTheStoreIsAskedIsNotOverlooked() async throws {
        try await withMosquitto { broker in
            let store = SlowStore()
            await store.holdNext()
            let client = ready(quick(port: broker.port), store: store)
            let running = Task { await client.run() }
            try await eventually("a question to the store") { await store.isHeld }
            try await client.publish(message("topic", "x"))
            await store.letNextThrough()
            try await eventually("the message") { await client.statistics.completed == 1 }
            await client.disconnect()
            await running.value
        }
    }

    @Test func theStoreIsToldWhatTheServerRefused() async throws {
        // PUBACK with Not authorized.
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(Self.accepted), .receive(13), .send([0x40, 0x03, 0x00, 0x02, 0x87]),
        ])
        let store = SlowStore()
        let client = ready(quick(port: server.port), store: store)
        let running = Task { await client.run() }
        await #expect(throws: ClientError.refused(.notAuthorized)) {
            try await client.publish(message("topic", "x"), until: .acknowledged)
        }
        await client.disconnect()
        await running.value
        #expect(await store.discarded == [.refused])
        #expect(await store.acknowledged.isEmpty)
        await server.stop()
    }

    @Test func aPacketThatComesInPiecesIsASignOfLife() async throws {
        let server = try await DeafServer.start()
        try await withClient(port: server.port) { client in
            try await eventually("a connection") { await client.isConnected }
            let before = await client.link.keepAlive
            server.send(ByteBuffer(bytes: [0x30, 0x08, 0x00]))
            try await eventually("a sign of life") { await client.link.keepAlive != before }
            #expect(await client.statistics.received == 0)
        }
        await server.stop()
    }

    @Test func theServersReceiveMaximumBoundsWhatIsUnderWay() async throws {
        // CONNACK with Receive Maximum 2.
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send([0x20, 0x06, 0, 0, 3, 0x21, 0, 2]), .receive(26),
            .send([0x40, 0x02, 0, 2]), .receive(13), .send([0x40, 0x02, 0, 3, 0x40, 0x02, 0, 4]),
        ])
        try await withClient(port: server.port) { client in
            for number in 1...3 { try await client.publish(message("topic", "\(number)")) }
            var most = 0
            try await eventually("the acknowledgements") {
                most = max(most, await client.inFlight)
                return await client.statistics.completed == 3
            }
            #expect(most <= 2)
        }
        await server.stop()
    }

    @Test func timesWithoutEndAreTaken() async throws {
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(Self.accepted), .receive(13), .send([0x40, 0x02, 0x00, 0x02]),
        ])
        try await withClient(port: server.port) { client in
            try await client.publish(message("topic", "x"), until: .acknowledged, timeout: .seconds(Int64.max))
        }
        await server.stop()
    }

    @Test(
        arguments: [
            [0x20, 0x06, 0, 0, 3, 0x21, 0, 0], [0x20, 0x08, 0, 0, 5, 0x27, 0, 0, 0, 0], [0x20, 0x05, 0, 0, 2, 0x24, 2],
            [0x20, 0x03, 1, 0, 0],
        ] as [[UInt8]])
    func anAcceptanceOutOfRangeIsNone(connack: [UInt8]) async throws {
        let server = try await ScriptedServer.start([.receive(2), .send(connack)])
        try await withClient(port: server.port) { client in
            for await event in client.events {
                guard case .connectFailed(_, .protocolError, _) = event else { throw Unexpected("\(event)") }
                break
            }
        }
        await server.stop()
    }
}

extension MQTTClient {
    fileprivate func pretendSilence(of time: Duration) { link.lastProgress = .now - time }
}

/// A store whose `append` returns only after the message was acknowledged, if it has a client, and whose `next` may fail
/// or take its time.
private actor SlowStore: SessionStore {
    nonisolated var outlivesProcess: Bool { false }
    func session() -> StoredSession? { nil }
    func beginSession(_ name: Int64) {}
    func note(_ steps: ExchangeSteps) {}
    func connectionBegan() {}

    private let base = MemoryStore()
    private var failures: Int
    private var client: MQTTClient?
    private var appender: CheckedContinuation<Void, Never>?
    private var isToBeHeld = false
    private var asker: CheckedContinuation<Void, Never>?
    private(set) var acknowledged: [MessageID] = []
    private(set) var discarded: [DiscardReason] = []

    init(failures: Int = 0) { self.failures = failures }

    func setClient(_ client: MQTTClient) { self.client = client }

    /// The next batch is taken now and given out later.
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

    func next(maximumCount: Int, maximumBytes: Int, maximumBacklog: Int) async throws -> [StoredMessage] {
        if failures > 0 {
            failures -= 1
            throw MemoryStore.Full(limit: 0)
        }
        let batch = base.next(maximumCount: maximumCount, maximumBytes: maximumBytes)
        if isToBeHeld {
            isToBeHeld = false
            await withCheckedContinuation { asker = $0 }
        }
        return batch
    }

    func acknowledge(_ ids: [MessageID]) {
        acknowledged += ids
        base.acknowledge(ids)
        appender?.resume()
        appender = nil
    }

    func discard(_ ids: [MessageID], because reason: DiscardReason) {
        discarded += ids.map { _ in reason }
        base.discard(ids, because: reason)
    }
    func pendingCount() -> Int { base.pendingCount() }
    func rewind() { base.rewind() }
}
