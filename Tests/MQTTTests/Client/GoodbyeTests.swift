import MQTTWire
import NIOCore
import NIOPosix
import Relay
import TestSupport
import Testing

@testable import MQTT

/// What is said at the end, and what must be settled before.
@Suite(.timeLimit(.minutes(3))) struct GoodbyeTests {
    private static let accepted: [UInt8] = [0x20, 0x03, 0x00, 0x00, 0x00]
    private static let connect = 48

    /// The server may have let us in already: without a goodbye it would publish the will.
    @Test func aGoodbyeFollowsConnectThoughTheServerHasNotAnsweredYet() async throws {
        let server = try await ScriptedServer.start([])
        try await withClient(port: server.port) { client in
            try await eventually("CONNECT") { server.received.first?.count == Self.connect }
            await client.disconnect()
            try await eventually("DISCONNECT") { server.received.first?.suffix(2) == [0xE0, 0x00] }
        }
        await server.stop()
    }

    /// The session that is left is deleted with all that the server has in store behind a message that is not processed.
    @Test func aClientWithMessagesToProcessDoesNotLeaveForThePreferredEndpoint() async throws {
        let preferred = try await TCPRelay.start(port: try freePort())
        await preferred.cut(newcomers: .refused)
        let standby = try await ScriptedServer.start([
            .receive(Self.connect), .send(Self.accepted + [0x32, 0x06, 0, 1, 0x61, 0, 1, 0]),
        ])
        var configuration = quick(port: preferred.port)
        configuration.endpoints.append(Endpoint(host: "127.0.0.1", port: standby.port))
        configuration.acknowledgement = .byHand
        configuration.returnAfter = .milliseconds(20)
        configuration.responseTimeout = .milliseconds(300)
        try await withClient(configuration) { client in
            let message = try await collect(1, from: client)
            try await preferred.mend()
            try await eventually("the wish to leave") { await client.link.isReturning }
            #expect(standby.received.first?.count == Self.connect)
            await client.acknowledge(message[0])
            try await eventually("the goodbye") {
                standby.received.first?.dropFirst(Self.connect).prefix(5) == [0x40, 0x02, 0, 1, 0xE0]
            }
        }
        await preferred.stop()
        await standby.stop()
    }
}
