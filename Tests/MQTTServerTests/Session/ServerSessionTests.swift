import MQTTWire
import NIOCore
import Testing

@testable import MQTTServer

@Suite struct ServerSessionTests {
    private let message: RoutedMessage

    init() throws {
        message = RoutedMessage(
            ServerMessage(topic: try TopicName("t"), payload: ByteBuffer()), publisher: nil, deadline: nil)
    }

    private func session() -> ServerSession {
        ServerSession(id: 1, clientIdentifier: "c", version: .v5, username: nil, expiryInterval: 60)
    }

    @Test("Packet identifiers begin again after 65,535, and pass over those that are still under way")
    func identifiers() throws {
        var session = session()
        func append(_ qos: QoS) {
            session.append(message, qos: qos, retain: false, identifiers: [], stored: 0)
        }
        append(.exactlyOnce)
        #expect(session.next(window: 70_000)?.packetIdentifier == .first)
        var seen: Set<PacketIdentifier> = []
        for _ in 0..<65_534 {
            append(.atLeastOnce)
            let next = session.next(window: 70_000)
            let entry = try #require(next)
            seen.insert(entry.packetIdentifier)
            _ = session.acknowledged(entry.packetIdentifier)
        }
        #expect(seen.count == 65_534)
        #expect(!seen.contains(.first))
        func next() -> UInt16? { session.next(window: 70_000)?.packetIdentifier.rawValue }
        append(.atLeastOnce)
        #expect(next() == 2)
        _ = session.recorded(.first, isError: false)
        // The connection is lost: both wait in the queue, and so do those behind them.
        _ = session.connectionLost()
        for _ in 0..<65_532 { append(.atLeastOnce) }
        // 65,535, then 1 and 2, which are taken.
        for _ in 0..<3 { append(.atLeastOnce) }
        #expect(next() == 1)
        #expect(next() == 2)
        for identifier in 3...65_535 { #expect(next() == UInt16(identifier)) }
        // There were more than there are identifiers.
        #expect(next() == nil)
        _ = session.completed(.first)
        #expect(next() == 1)
        #expect(session.bytes == 65_536 * message.size)
    }

    @Test(
        "What was restored within the window is repeated to the end with QoS 2; with QoS 1 it may expire and be dropped"
    )
    func restored() {
        var session = session()
        let entries = (0..<6).map { number in
            ServerSession.Entry(
                message: message, sequence: Int64(number), qos: [.exactlyOnce, .atLeastOnce, .atMostOnce][number % 3],
                retain: false, identifiers: [], stored: 1)
        }
        session.restore(entries, nextSequence: 9, window: 2)
        #expect(session.queue.map(\.isDuplicate) == [true, true, false, false, true, false])
        #expect(session.queue.map(\.mayBeDropped) == [false, true, true, true, true, true])
        #expect(session.append(message, qos: .atLeastOnce, retain: false, identifiers: [], stored: 0).sequence == 9)
        #expect(session.bytes == 7 * message.size)
    }

    @Test("What was surely never sent may expire and be dropped after a restart, also with QoS 2")
    func neverSent() {
        var session = session()
        let entries = (0..<3).map { number in
            ServerSession.Entry(
                message: message, sequence: Int64(number), qos: .exactlyOnce, retain: false, identifiers: [], stored: 1,
                isUnsent: number > 0)
        }
        session.restore(entries, nextSequence: 3, window: 20)
        #expect(session.queue.map(\.isDuplicate) == [true, false, false])
        #expect(session.queue.map(\.mayBeDropped) == [false, true, true])
    }

    @Test("Looking for expired messages costs nothing until the first can have expired")
    func expired() throws {
        var session = session()
        let start = NIODeadline.uptimeNanoseconds(0)
        for seconds in [5, 3, 9] as [Int64] {
            let message = RoutedMessage(message.message, publisher: nil, deadline: start + .seconds(seconds))
            session.append(message, qos: .atLeastOnce, retain: false, identifiers: [], stored: 0)
        }
        #expect(session.evictExpired(at: start + .seconds(2)).isEmpty)
        #expect(session.evictExpired(at: start + .seconds(4)).map(\.sequence) == [1])
        #expect(session.evictExpired(at: start + .seconds(4)).isEmpty)
        #expect(session.evictExpired(at: start + .seconds(9)).map(\.sequence) == [0, 2])
        #expect(session.bytes == 0)
    }
}
