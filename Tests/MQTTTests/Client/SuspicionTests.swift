import MQTTWire
import NIOCore
import TestSupport
import Testing

@testable import MQTT

/// A message that a server does not bear must neither stop everything behind it nor take others with it.
@Suite(.timeLimit(.minutes(3))) struct SuspicionTests {
    private static let accepted: [UInt8] = [0x20, 0x03, 0x00, 0x00, 0x00]
    private static let resumed: [UInt8] = [0x20, 0x03, 0x01, 0x00, 0x00]
    private static let connect = 48
    /// A PUBLISH of one character, QoS 1.
    private static let publish = 13

    private func puback(_ identifier: UInt8) -> [UInt8] { [0x40, 0x02, 0, identifier] }
    private func disconnect(_ code: ReasonCode) -> [UInt8] { [0xE0, 0x01, code.rawValue] }

    @Test func aMessageThatTheServerDoesNotBearIsFoundAndRefused() async throws {
        let farewell = disconnect(.packetTooLarge)
        let server = try await ScriptedServer.start(
            [.receive(Self.connect), .send(Self.accepted), .receive(3 * Self.publish), .send(farewell), .close],
            [
                .receive(Self.connect), .send(Self.resumed), .receive(Self.publish), .send(puback(2)),
                .receive(Self.publish), .send(farewell), .close,
            ],
            [.receive(Self.connect), .send(Self.resumed), .receive(Self.publish), .send(farewell), .close],
            [
                .receive(Self.connect), .send(Self.resumed), .receive(Self.publish), .send(puback(4)),
                .receive(2 * Self.publish), .send(puback(5) + puback(6)),
            ])
        try await withClient(port: server.port) { client in
            for number in 1...3 { try await client.publish(message("topic", "\(number)")) }
            try await eventually("an end of the search") { await client.statistics.completed == 3 }
            #expect(await client.statistics.discarded == 1)
            for number in 4...5 { try await client.publish(message("topic", "\(number)")) }
            try await eventually("what came behind it") { await client.statistics.completed == 5 }
            #expect(await client.statistics.discarded == 1)
        }
        #expect(
            server.received.prefix(3).map(\.count) == [3, 2, 1].map { Self.connect + $0 * Self.publish },
            "one at a time while it is looked for")
        await server.stop()
    }

    /// Malformed Packet may be the answer to anything: all would be refused, one after the other.
    @Test func whatMayHaveAnotherCauseCostsNoMessage() async throws {
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(Self.resumed), .receive(Self.publish), .send(disconnect(.malformedPacket)),
            .close,
        ])
        var configuration = quick(port: server.port)
        configuration.resumesEarlierSession = true
        try await withClient(configuration) { client in
            try await client.publish(message("topic", "x"))
            try await server.waitForConnection(count: 8)
            #expect(await client.statistics.discarded == 0)
        }
        await server.stop()
    }

    /// Servers that do not bear some messages, and connections that drop for other reasons as well: all others arrive,
    /// and nothing else is refused.
    @Test func inAnyHistoryOnlyTheUnbearableIsRefused() throws {
        for seed in 0..<300 as Range<UInt64> {
            var generator = SplitMix64(seed: seed)
            let now = ContinuousClock.now
            let window = Int.random(in: 1...20, using: &generator)
            var session = Session(version: .v5, maximumInFlight: window)
            let count = 60
            let unbearable = Set(
                (0..<Int.random(in: 0...5, using: &generator)).map { _ in
                    Int64.random(in: 1...Int64(count), using: &generator)
                })
            var next: Int64 = 1
            var arrived: Set<Int64> = []
            var refused: Set<Int64> = []
            var connections = 0
            while arrived.count + refused.count < count, connections < 500 {
                connections += 1
                _ = session.connected(
                    sessionPresent: Bool.random(using: &generator), limits: ServerLimits(), version: .v5)
                var wire: [Publish] = []
                connection: while true {
                    while case .publish(_, _, .send(let publish))? = session.nextResend(at: now) {
                        wire.append(publish)
                    }
                    while next <= count, session.room > 0 {
                        let id = MessageID(rawValue: next)
                        guard
                            case .send(let publish) = session.publish(
                                try message("t", "\(next)"), from: .stored(id), at: now)
                        else { break }
                        wire.append(publish)
                        next += 1
                    }
                    guard let publish = wire.first, let identifier = publish.packetIdentifier else { break }
                    let number = Int64(String(buffer: publish.payload)) ?? 0
                    if unbearable.contains(number) {
                        if case .stored(let id)? = session.disconnected(with: .payloadFormatInvalid)?.origin {
                            refused.insert(id.rawValue)
                        }
                        break connection
                    }
                    if Int.random(in: 0..<40, using: &generator) == 0 { break connection }
                    wire.removeFirst()
                    _ = try session.received(puback: Acknowledgement(packetIdentifier: identifier))
                    arrived.insert(number)
                }
                session.connectionLost()
            }
            #expect(refused == unbearable, "seed \(seed)")
            #expect(arrived.count == count - unbearable.count, "seed \(seed)")
        }
    }
}
