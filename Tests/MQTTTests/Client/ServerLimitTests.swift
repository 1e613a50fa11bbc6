import MQTTWire
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import MQTT

/// What a server has said that it does not take is not sent to it (5.0 §3.2.2.3).
@Suite(.timeLimit(.minutes(3))) struct ServerLimitTests {
    /// CONNACK with a Maximum Packet Size of 64.
    private static let small: [UInt8] = [0x20, 0x08, 0, 0, 5, 0x27, 0, 0, 0, 64]

    private func packets(_ bytes: [UInt8]?) throws -> [Packet] {
        var decoder = PacketDecoder(maximumPacketSize: 1 << 20)
        var buffer = ByteBuffer(bytes: bytes ?? [])
        var packets: [Packet] = []
        while let packet = try decoder.decode(from: &buffer) { packets.append(packet) }
        return packets
    }

    @Test func subscriptionsAreRenewedInPacketsThatTheServerTakes() async throws {
        let filters = (1...5).map { "sensors/number-\($0)/value" }
        // SUBSCRIBE takes 2 + 2 + 1 + 2 + 22 + 1 bytes, and is answered; then the connection ends.
        let answers = (1...5).flatMap { number in
            [.receive(30), .send([0x90, 0x04, 0xC0, UInt8(number), 0, 1])] as [ScriptedServer.Step]
        }
        let server = try await ScriptedServer.start(
            [.receive(48), .send(Self.small)] + answers + [.close], [.receive(48), .send(Self.small)])
        try await withClient(port: server.port) { client in
            for filter in filters { try await client.subscribe([Subscription(filter: TopicFilter(filter))]) }
            try await eventually("all subscriptions") {
                let second = server.received.count > 1 ? try packets(server.received[1]) : []
                let renewed = second.flatMap { packet in
                    if case .subscribe(let subscribe) = packet { subscribe.subscriptions } else { [] as [Subscription] }
                }
                guard renewed.map(\.filter.string) == filters else { return false }
                for case .subscribe(let packet) in second {
                    let size = try Packet.subscribe(packet).encodedSize(version: .v5)
                    #expect(size <= 64)
                }
                return true
            }
        }
        await server.stop()
    }

    @Test func aSubscriptionThatIsTooLargeIsRefusedHere() async throws {
        let server = try await ScriptedServer.start([.receive(48), .send(Self.small)])
        try await withClient(port: server.port) { client in
            try await eventually("a connection") { await client.isConnected }
            let long = try TopicFilter(String(repeating: "a", count: 100))
            await #expect(throws: ClientError.tooLarge(bytes: 108, limit: 64)) {
                try await client.subscribe([Subscription(filter: long)], timeout: .seconds(2))
            }
            await #expect(throws: ClientError.tooLarge(bytes: 107, limit: 64)) {
                try await client.unsubscribe([long], timeout: .seconds(2))
            }
            #expect(await client.session.requests.isEmpty)
        }
        await server.stop()
    }

    /// Messages are passed on with the properties that they came with; a Subscription Identifier is the server's alone
    /// ([MQTT-3.3.4-6]).
    @Test func aSubscriptionIdentifierIsNotPassedOn() throws {
        var session = Session(version: .v5)
        _ = session.connected(sessionPresent: false, limits: ServerLimits())
        var passedOn = try message("t", "x")
        passedOn.properties.subscriptionIdentifiers = [7]
        passedOn.properties.contentType = "text/plain"
        guard case .send(let publish) = session.publish(passedOn, from: .direct(1)) else {
            throw Unexpected("not sent")
        }
        #expect(publish.properties == [.contentType("text/plain")])
    }
}
