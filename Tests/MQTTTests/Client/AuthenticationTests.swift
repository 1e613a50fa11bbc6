import MQTTWire
import NIOCore
import TestSupport
import Testing

@testable import MQTT

/// Enhanced authentication (5.0 §4.12) against a scripted server, since Mosquitto needs a plugin for it.
@Suite(.timeLimit(.minutes(3))) struct AuthenticationTests {
    /// Answers a challenge with itself twice, and wants "proof" at the end.
    private struct Echo: Authenticator {
        struct Wrong: Error, CustomStringConvertible { var description: String }

        let method = "ECHO"
        var isDone = false

        mutating func begin() async throws -> ByteBuffer? { ByteBuffer(string: "hello") }
        mutating func answer(_ challenge: ByteBuffer?) async throws -> ByteBuffer? {
            guard let challenge, challenge.readableBytes > 0 else { throw Wrong(description: "an empty challenge") }
            isDone = true
            return ByteBuffer(string: String(buffer: challenge) + String(buffer: challenge))
        }
        mutating func finish(_ data: ByteBuffer?) throws {
            guard isDone, data.map({ String(buffer: $0) }) == "proof" else {
                throw Wrong(description: "the server has no proof")
            }
        }
    }

    private func packet(_ packet: Packet) throws -> [UInt8] {
        var buffer = ByteBuffer()
        try packet.encode(into: &buffer, version: .v5)
        return Array(buffer.readableBytesView)
    }

    private func properties(_ data: String?, method: String = "ECHO") -> Properties {
        var properties = Properties()
        properties.authenticationMethod = method
        properties.authenticationData = data.map { ByteBuffer(string: $0) }
        return properties
    }

    private func auth(_ code: ReasonCode, _ data: String?, method: String = "ECHO") throws -> [UInt8] {
        try packet(.auth(Auth(reasonCode: code, properties: properties(data, method: method))))
    }

    private func connack(_ data: String?) throws -> [UInt8] {
        try packet(.connack(ConnAck(sessionPresent: false, reasonCode: .success, properties: properties(data))))
    }

    private func configuration(_ server: ScriptedServer) -> ClientConfiguration {
        var configuration = quick(port: server.port)
        configuration.authenticator = { Echo() }
        return configuration
    }

    /// CONNECT's length with the method and "hello" in it.
    private static let connect = 48 + (3 + 4) + (3 + 5)

    @Test func aConversationLeadsToAConnectionAndAnotherRenewsIt() async throws {
        let answer = try auth(.continueAuthentication, "whowho")
        let again = try auth(.reauthenticate, "hello")
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(try auth(.continueAuthentication, "who")), .receive(answer.count),
            .send(try connack("proof")),
            .receive(again.count), .send(try auth(.continueAuthentication, "who")), .receive(answer.count),
            .send(try auth(.success, "proof")),
        ])
        try await withClient(configuration(server)) { client in
            try await eventually("a connection") { await client.isConnected }
            try await client.reauthenticate()
            #expect(await client.isConnected)
            #expect(server.received[0].dropFirst(Self.connect) == ArraySlice(answer + again + answer))
        }
        await server.stop()
    }

    private func failure(of server: ScriptedServer) async throws -> ConnectFailure? {
        var failure: ConnectFailure?
        try await withClient(configuration(server)) { client in
            for await event in client.events {
                if case .connectFailed(_, let why, _) = event { failure = why }
                break
            }
        }
        await server.stop()
        return failure
    }

    @Test func aServerWithoutProofIsNotTrusted() async throws {
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(try auth(.continueAuthentication, "who")), .receive(20),
            .send(try connack("guess")),
        ])
        #expect(try await failure(of: server) == .authentication("the server has no proof"))
    }

    @Test func aServerThatSkipsTheConversationIsNotTrusted() async throws {
        let server = try await ScriptedServer.start([.receive(Self.connect), .send(try connack("proof"))])
        #expect(try await failure(of: server) == .authentication("the server has no proof"))
    }

    @Test func anAuthenticatorMayBreakOff() async throws {
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(try auth(.continueAuthentication, nil)),
        ])
        #expect(try await failure(of: server) == .authentication("an empty challenge"))
    }

    @Test func anotherMethodIsAViolation() async throws {
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(try auth(.continueAuthentication, "who", method: "OTHER")),
        ])
        guard case .protocolError(let what)? = try await failure(of: server) else { throw Unexpected("no violation") }
        #expect(what.contains("MQTT-4.12.0-5"))
    }

    @Test func authenticationThatWasNotAskedForIsAViolation() async throws {
        let server = try await ScriptedServer.start([
            .receive(48), .send([0x20, 0x03, 0, 0, 0]), .send(try auth(.continueAuthentication, "who")),
        ])
        try await withClient(port: server.port) { client in
            await #expect(throws: ClientError.self) { try await client.reauthenticate() }
            for await event in client.events {
                guard case .disconnected(let reason, _) = event else { continue }
                guard case .protocolError = reason else { throw Unexpected("\(reason)") }
                break
            }
        }
        await server.stop()
    }
}
