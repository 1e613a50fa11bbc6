import MQTT
import MQTTWire
import NIOCore
import Relay
import TestSupport
import Testing

/// The client against servers that do not behave.
@Suite(.timeLimit(.minutes(3))) struct RudeServerTests {
    private static let accepted: [UInt8] = [0x20, 0x03, 0x00, 0x00, 0x00]

    /// What becomes of the first attempt.
    private func firstFailure(_ configuration: ClientConfiguration) async throws -> ConnectFailure? {
        var failure: ConnectFailure?
        try await withClient(configuration) { client in
            for await event in client.events {
                if case .connectFailed(_, let reason, _) = event { failure = reason }
                break
            }
        }
        return failure
    }

    private func firstEnd(_ configuration: ClientConfiguration, publishing: Bool = false) async throws
        -> DisconnectReason?
    {
        var end: DisconnectReason?
        try await withClient(configuration) { client in
            if publishing { try await client.publish(try message("t", "x")) }
            for await event in client.events {
                guard case .disconnected(let reason, _) = event else { continue }
                end = reason
                break
            }
        }
        return end
    }

    @Test func nobodyListens() async throws {
        let port = try ReservedPort()
        let failure = try await firstFailure(quick(port: port.number))
        guard case .unreachable(let why) = failure else { throw Unexpected("\(String(describing: failure))") }
        #expect(why == "Connection refused")
        withExtendedLifetime(port) {}
    }

    @Test func aNameThatDoesNotExist() async throws {
        var configuration = quick(port: 1883)
        configuration.endpoints = [Endpoint(host: "no-such-host.invalid", port: 1883)]
        let failure = try await firstFailure(configuration)
        guard case .unreachable(let why) = failure else { throw Unexpected("\(String(describing: failure))") }
        #expect(why.contains("no-such-host.invalid"))
    }

    @Test func aServerThatSaysNothing() async throws {
        let server = try await ScriptedServer.start([])
        var configuration = quick(port: server.port)
        configuration.connectTimeout = .milliseconds(200)
        #expect(try await firstFailure(configuration) == .timedOut(after: .milliseconds(200), stage: .connack))
        await server.stop()
    }

    @Test func aServerThatClosesAtOnce() async throws {
        let server = try await ScriptedServer.start([.receive(2), .close])
        #expect(try await firstFailure(quick(port: server.port)) == .closed)
        await server.stop()
    }

    @Test func aServerThatSpeaksSomethingElse() async throws {
        let server = try await ScriptedServer.start([.send(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))])
        let failure = try await firstFailure(quick(port: server.port))
        guard case .protocolError = failure else { throw Unexpected("\(String(describing: failure))") }
        await server.stop()
    }

    @Test func aServerThatPublishesBeforeItAccepts() async throws {
        let server = try await ScriptedServer.start([.receive(2), .send([0x30, 0x05, 0, 1, 0x61, 0, 0x78])])
        let failure = try await firstFailure(quick(port: server.port))
        guard case .protocolError(let what) = failure else { throw Unexpected("\(String(describing: failure))") }
        #expect(what.contains("MQTT-3.2.0-1"))
        await server.stop()
    }

    @Test func refusalsAreValuesAndAskedAgainSlowly() async throws {
        let server = try await ScriptedServer.start([.receive(2), .send([0x20, 0x03, 0x00, 0x86, 0x00]), .close])
        let failure = try await firstFailure(quick(port: server.port))
        #expect(failure == .refused(.badUserNameOrPassword, explanation: nil))
        #expect(failure?.isRefusal == true)
        #expect("\(try #require(failure))".contains("check user name, password"))
        await server.stop()
    }

    @Test(arguments: [[0x20, 0x02, 0x00, 0x01], [0x20, 0x02, 0x00, 0x00]] as [[UInt8]])
    func aServerThatKnowsOnlyTheOlderVersion(answer: [UInt8]) async throws {
        let server = try await ScriptedServer.start([.receive(2), .send(answer)])
        let failure = try #require(try await firstFailure(quick(port: server.port)))
        #expect(failure.isRefusal)
        #expect("\(failure)".contains("it answers as MQTT 3.1.1 does"))
        #expect("\(failure)".contains("version = \"3.1.1\""))
        await server.stop()
    }

    @Test func aServerThatDisconnectsSaysWhy() async throws {
        let server = try await ScriptedServer.start([.receive(2), .send(Self.accepted + [0xE0, 0x01, 0x8E])])
        #expect(try await firstEnd(quick(port: server.port)) == .byServer(.sessionTakenOver, explanation: nil))
        await server.stop()
    }

    @Test func aServerThatBreaksTheProtocolIsLeft() async throws {
        // PUBACK with QoS 3 PUBLISH behind it.
        let server = try await ScriptedServer.start([
            .receive(2), .send(Self.accepted + [0x36, 0x05, 0, 1, 0x61, 0, 0]),
        ])
        let end = try await firstEnd(quick(port: server.port))
        guard case .protocolError = end else { throw Unexpected("\(String(describing: end))") }
        try await eventually("DISCONNECT with reason 0x81") {
            server.received.first?.suffix(3) == [0xE0, 0x01, 0x81]
                || server.received.first?.suffix(4) == [0xE0, 0x02, 0x81, 0]
        }
        await server.stop()
    }

    @Test func aServerThatAcceptsAndAcknowledgesNothingIsLeft() async throws {
        let server = try await ScriptedServer.start([.receive(2), .send(Self.accepted)])
        var configuration = quick(port: server.port)
        configuration.acknowledgementTimeout = .milliseconds(200)
        #expect(try await firstEnd(configuration, publishing: true) == .acknowledgementTimeout)
        await server.stop()
    }

    @Test func aServerThatAnswersNoPingIsLeft() async throws {
        let server = try await ScriptedServer.start([.receive(2), .send(Self.accepted)])
        var configuration = quick(port: server.port)
        configuration.keepAlive = .seconds(1)
        configuration.responseTimeout = .milliseconds(100)
        #expect(try await firstEnd(configuration) == .keepAliveTimeout)
        await server.stop()
    }

    @Test func aServerThatAcceptsAndKicksIsMetWithPatience() async throws {
        let server = try await ScriptedServer.start([.receive(2), .send(Self.accepted), .close])
        var configuration = quick(port: server.port)
        configuration.backoff = Backoff(base: .milliseconds(1), cap: .milliseconds(256), stableAfter: .seconds(60))
        var delays: [Duration] = []
        try await withClient(configuration) { client in
            for await event in client.events {
                guard case .disconnected(_, let delay) = event else { continue }
                delays.append(delay ?? .zero)
                if delays.count == 12 { break }
            }
        }
        for (failures, delay) in delays.enumerated() {
            #expect(delay <= .milliseconds(min(256, 1 << failures)), "after \(failures + 1) kicks")
        }
        #expect(delays.contains { $0 > .milliseconds(16) }, "the ceiling rises though each connection was accepted")
        await server.stop()
    }
}
