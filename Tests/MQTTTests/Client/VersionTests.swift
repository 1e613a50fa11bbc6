import MQTTWire
import NIOCore
import Relay
import TestSupport
import Testing

@testable import MQTT

/// The client that was given no version.
@Suite(.timeLimit(.minutes(3))) struct VersionTests {
    /// What `quick` leads to, without a version.
    private func automatic(port: Int) -> ClientConfiguration {
        var configuration = quick(port: port)
        configuration.version = nil
        return configuration
    }

    private func level(_ bytes: [UInt8]) -> UInt8 { bytes.count > 8 ? bytes[8] : 0 }

    @Test(
        arguments: [
            // Unsupported Protocol Version, Malformed Packet, Protocol Error; 3.1.1's return code 1, and others in its form.
            [0x20, 0x03, 0x00, 0x84, 0x00], [0x20, 0x03, 0x00, 0x81, 0x00], [0x20, 0x03, 0x00, 0x82, 0x00],
            [0x20, 0x02, 0x00, 0x01], [0x20, 0x02, 0x00, 0x02], [0x20, 0x02, 0x00, 0x00],
            // Not a word.
            [],
        ] as [[UInt8]])
    func aServerThatDoesNotSpeak5IsAskedIn3_1_1WithoutAPause(answer: [UInt8]) async throws {
        let server = try await ScriptedServer.start(
            [.receive(48), .send(answer), .close],
            [.receive(31), .send([0x20, 0x02, 0x00, 0x00]), .receive(12), .close],
            [.receive(31), .send([0x20, 0x02, 0x01, 0x00])])
        var configuration = automatic(port: server.port)
        configuration.backoff = Backoff(base: .seconds(1000), cap: .seconds(1000), stableAfter: .zero)
        try await withClient(configuration) { client in
            var events = client.events.makeAsyncIterator()
            guard case .connected(let result) = await events.next() else {
                throw Unexpected("not connected first of all: nothing else is told")
            }
            #expect(result.number == 1)
            #expect(await client.version == .v3_1_1)
        }
        #expect(server.received.prefix(2).map(level) == [5, 4])
        await server.stop()
    }

    @Test func aServerThatResetsIsOneThatCloses() async throws {
        let server = try await ScriptedServer.start(
            [.receive(48), .reset], [.receive(31), .send([0x20, 0x02, 0x00, 0x00])])
        try await withClient(automatic(port: server.port)) { client in
            try await eventually("a connection") { await client.isConnected }
        }
        #expect(server.received.map(level) == [5, 4])
        await server.stop()
    }

    @Test func whatWorkedIsAskedForAgain() async throws {
        let server = try await ScriptedServer.start(
            [.receive(48), .close], [.receive(31), .send([0x20, 0x02, 0x00, 0x00]), .close],
            [.receive(31), .send([0x20, 0x02, 0x01, 0x00])])
        try await withClient(automatic(port: server.port)) { client in
            try await eventually("the second connection") { await client.statistics.connections == 2 }
        }
        #expect(server.received.map(level) == [5, 4, 4])
        await server.stop()
    }

    @Test func aServerThatSpeaksNeitherIsMetWithPatience() async throws {
        let server = try await ScriptedServer.start([.receive(14), .close])
        var configuration = automatic(port: server.port)
        configuration.backoff = Backoff(base: .seconds(1000), cap: .seconds(1000))
        try await withClient(configuration) { client in
            for await event in client.events {
                guard case .connectFailed(_, .closed, _) = event else { throw Unexpected("\(event)") }
                break
            }
        }
        #expect(server.received.map(level) == [5, 4])
        await server.stop()
    }

    /// A server that says it does not speak 5.0 must not get out of proving who it is.
    @Test func withAnAuthenticatorThereIsNoFallingBack() async throws {
        struct Silent: Authenticator {
            var method: String { "X" }
            func begin() -> ByteBuffer? { nil }
            func answer(_ challenge: ByteBuffer?) -> ByteBuffer? { nil }
            func finish(_ data: ByteBuffer?) {}
        }
        let server = try await ScriptedServer.start([.receive(48), .send([0x20, 0x02, 0x00, 0x01]), .close])
        var configuration = automatic(port: server.port)
        configuration.authenticator = { Silent() }
        try await withClient(configuration) { client in try await server.waitForConnection(count: 3) }
        #expect(server.received.prefix(2).map(level) == [5, 5])
        await server.stop()
    }

    /// D3: a line that drops does not make a broker look old, and its session be forgotten.
    @Test func D3_aBrokerThatSpoke5IsNotAskedInAnotherVersionForADroppedLine() async throws {
        try await withMosquitto { broker in
            let subscriber = try await MosquittoSub.start(port: broker.port, ["t"])
            let relay = try await TCPRelay.start(port: broker.port)
            try await withClient(automatic(port: relay.port)) { client in
                try await eventually("a connection") { await client.isConnected }
                for round in 1...10 {
                    for number in 1...10 { try await client.publish(message("t", "\(round) \(number)", .exactlyOnce)) }
                    await relay.cut(newcomers: .served)
                    // CONNECT is cut short, and closed upon.
                    await relay.cut(after: 20, .toServer, newcomers: .served)
                    let before = await client.statistics.connections
                    try await eventually("another connection") { await client.statistics.connections > before }
                }
                let lines = try await subscriber.wait { $0.count >= 100 }
                #expect(lines == (1...10).flatMap { round in (1...10).map { "t 2 0 \(round) \($0)" } })
                try await eventually("all acknowledged") { await client.inFlight == 0 }
                #expect(await client.statistics.possibleDuplicates == 0)
                #expect(await client.version == .v5)
            }
        }
    }

    @Test(arguments: [ProtocolVersion.v5, .v3_1_1])
    func subscriptionOptionsThat3_1_1CannotSayAreLeftOutThere(version: ProtocolVersion) async throws {
        try await withMosquitto { broker in
            var configuration = quick(port: broker.port, version: version)
            configuration.parameters = { _ in
                // What belongs to a will under 5.0 only is left out as well.
                ConnectParameters(
                    will: Will(
                        topic: try TopicName("w"), payload: ByteBuffer(string: "x"),
                        properties: [.willDelayInterval(1)]))
            }
            try await withClient(configuration) { client in
                let codes = try await client.subscribe([
                    Subscription(
                        filter: try TopicFilter("t"), qos: .exactlyOnce, noLocal: true, retainAsPublished: true,
                        retainHandling: .never)
                ])
                #expect(codes == [.grantedQoS2])
                try await client.publish(message("t", "own"), until: .acknowledged)
                try await mosquittoPub(port: broker.port, "t", "other")
                let first = try await collect(1, from: client)[0]
                #expect(String(buffer: first.payload) == (version == .v5 ? "other" : "own"))
            }
        }
    }
}
