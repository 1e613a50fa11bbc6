import MQTTWire
import NIOCore
import NIOPosix
import Relay
import TestSupport
import Testing

@testable import MQTT

/// Under 3.1.1, which has no word for "a new session that is to last": what the server holds of somebody else is deleted,
/// and a session of ours begins with the first connection.
@Suite(.timeLimit(.minutes(3))) struct FirstSessionTests {
    private static let absent: [UInt8] = [0x20, 0x02, 0x00, 0x00]
    private static let present: [UInt8] = [0x20, 0x02, 0x01, 0x00]
    private static let goodbye: [UInt8] = [0xE0, 0x00]
    /// The bytes of CONNECT that `quick` leads to.
    private static let connect = 31

    private func cleanSession(_ bytes: [UInt8]) -> Bool { bytes[9] & 0x02 != 0 }
    private func hasWill(_ bytes: [UInt8]) -> Bool { bytes[9] & 0x04 != 0 }

    @Test func withNothingThereTheFirstConnectionStays() async throws {
        let server = try await ScriptedServer.start(
            [.receive(Self.connect), .send(Self.absent), .receive(12), .reset],
            [.receive(Self.connect), .send(Self.present), .receive(12), .send([0x40, 0x02, 0, 2])])
        try await withClient(port: server.port, version: .v3_1_1) { client in
            try await client.publish(message("topic", "x"), until: .acknowledged)
            #expect(await client.statistics.repeated == 1)
            #expect(await client.statistics.possibleDuplicates == 0)
        }
        await server.stop()
        #expect(server.received.map(cleanSession) == [false, false])
    }

    @Test func aStrangersSessionIsLeftUntouchedAndDeleted() async throws {
        // A message waits in it, which is neither delivered nor acknowledged.
        let waiting: [UInt8] = [0x32, 0x06, 0, 1, 0x61, 0, 9, 0x78]
        let server = try await ScriptedServer.start(
            [.receive(40), .send(Self.present + waiting), .receive(2), .close],
            [.receive(Self.connect), .send(Self.absent), .receive(2), .close],
            [.receive(40), .send(Self.absent), .receive(12), .send([0x40, 0x02, 0, 2])])
        var configuration = quick(port: server.port, version: .v3_1_1)
        configuration.parameters = { _ in
            ConnectParameters(will: Will(topic: try TopicName("w"), payload: ByteBuffer(string: "gone")))
        }
        configuration.backoff = Backoff(base: .seconds(1000), cap: .seconds(1000))
        try await withClient(configuration) { client in
            try await client.publish(message("topic", "x"), until: .acknowledged)
            let statistics = await client.statistics
            #expect(statistics.connections == 1)
            #expect(statistics.received == 0)
        }
        await server.stop()
        #expect(server.connectionCount == 3)
        #expect(server.received.map(cleanSession) == [false, true, false])
        #expect(server.received.map(hasWill) == [true, false, true])
        for connection in server.received.prefix(2) { #expect(connection.suffix(2) == Self.goodbye[...]) }
        #expect(server.received[0].count == 40 + 2)
        #expect(server.received[1].count == Self.connect + 2)
    }

    @Test func aServerThatNeverDeletesIsAskedSlowly() async throws {
        let server = try await ScriptedServer.start(
            [.receive(Self.connect), .send(Self.present), .receive(2), .close],
            [.receive(Self.connect), .send(Self.absent), .receive(2), .close],
            [.receive(Self.connect), .send(Self.present), .receive(2), .close],
            [.receive(Self.connect), .send(Self.absent), .receive(2), .close],
            [.receive(Self.connect), .send(Self.present), .receive(2), .close],
            [.receive(Self.connect), .send(Self.absent), .receive(2), .close],
            [.receive(Self.connect), .send(Self.absent)])
        var failures: [ConnectFailure] = []
        try await withClient(port: server.port, version: .v3_1_1) { client in
            for await event in client.events {
                if case .connectFailed(_, let failure, _) = event { failures.append(failure) }
                if case .connected = event { break }
            }
        }
        #expect(failures == [.sessionNotDeleted])
        await server.stop()
    }

    @Test func aServerThatDoesNotCloseIsNotWaitedForLong() async throws {
        let server = try await ScriptedServer.start(
            [.receive(Self.connect), .send(Self.present)], [.receive(Self.connect), .send(Self.absent)],
            [.receive(Self.connect), .send(Self.absent)])
        var configuration = quick(port: server.port, version: .v3_1_1)
        configuration.responseTimeout = .milliseconds(50)
        try await withClient(configuration) { client in
            try await eventually("a connection") { await client.isConnected }
        }
        await server.stop()
        #expect(server.connectionCount == 3)
    }

    @Test func aClientStopsAlsoWhileItDeletes() async throws {
        let server = try await ScriptedServer.start(
            [.receive(Self.connect), .send(Self.present)], [.receive(Self.connect), .send(Self.absent)])
        let client = MQTTClient(
            quick(port: server.port, version: .v3_1_1), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let running = Task { await client.run() }
        try await eventually("a goodbye") { server.received.first?.count == Self.connect + 2 }
        await client.disconnect(within: .milliseconds(10))
        try await within(.seconds(30), "the end") { await running.value }
        #expect(await client.statistics.connections == 0)
        await server.stop()
    }

    @Test func whoWantsNoSessionGetsACleanOne() async throws {
        let server = try await ScriptedServer.start([.receive(Self.connect), .send(Self.absent)])
        var configuration = quick(port: server.port, version: .v3_1_1)
        configuration.sessionExpiry = .zero
        try await withClient(configuration) { client in
            try await eventually("a connection") { await client.isConnected }
        }
        await server.stop()
        #expect(server.received.map(cleanSession) == [true])
    }

    @Test func aRealBrokersOldSessionIsGoneWithItsSubscriptionsAndItsMessages() async throws {
        try await withMosquitto { broker in
            var earlier = quick(port: broker.port, version: .v3_1_1)
            earlier.resumesEarlierSession = true
            try await withClient(earlier) { client in
                try await client.subscribe([Subscription(filter: try TopicFilter("stale/#"), qos: .exactlyOnce)])
            }
            for number in 1...5 { try await mosquittoPub(port: broker.port, "stale/\(number)", "waiting", qos: 2) }

            let relay = try await TCPRelay.start(port: broker.port)
            try await withClient(quick(port: relay.port, version: .v3_1_1)) { client in
                try await eventually("a connection") { await client.isConnected }
                try await client.subscribe([Subscription(filter: try TopicFilter("fresh"), qos: .exactlyOnce)])
                async let received = collect(2, from: client)
                try await mosquittoPub(port: broker.port, "stale/6", "not subscribed", qos: 2)
                try await mosquittoPub(port: broker.port, "fresh", "1", qos: 2)
                // The session is one that lasts.
                try await eventually("the first message") { await client.statistics.received == 1 }
                await relay.cut(newcomers: .refused)
                try await mosquittoPub(port: broker.port, "fresh", "2", qos: 2)
                try await relay.mend()
                #expect(
                    try await received.map { "\($0.topic) \(String(buffer: $0.payload))" } == ["fresh 1", "fresh 2"])
                #expect(await client.statistics.connections == 2)
            }
        }
    }
}
