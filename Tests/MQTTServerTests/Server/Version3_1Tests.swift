import MQTTWire
import NIOCore
import TestSupport
import Testing

@testable import MQTTServer

/// Clients of MQTT V3.1.
@Suite(.timeLimit(.minutes(3))) struct Version3_1Tests {
    private func subscribe(_ filter: String, _ qos: QoS) throws -> Packet {
        let subscription = Subscription(filter: try TopicFilter(filter), qos: qos)
        return .subscribe(Subscribe(packetIdentifier: .first, subscriptions: [subscription]))
    }

    private func suback(_ code: ReasonCode) -> Packet {
        .suback(SubAck(packetIdentifier: .first, reasonCodes: [code]))
    }

    @Test func `a session of 3.1 is kept over connections and restarts, and CONNACK does not tell`() async throws {
        let folder = try TemporaryDirectory()
        var configuration = configuration()
        configuration.persistence = .init(path: folder.path("store"))
        try await withServer(configuration) { server in
            let reader = try await RawClient.connect(port: try await server.port, version: .v3_1)
            try await reader.connect("reader") { $0.cleanStart = false }
            try await reader.send(try subscribe("t", .exactlyOnce))
            #expect(try await reader.next() == suback(.grantedQoS2))
            #expect(await server.clients().map { "\($0.client.version)" } == ["3.1"])
            try await reader.send(.disconnect(Disconnect()))
            try await reader.closed()
            try await server.publish(ServerMessage("t", "kept", .exactlyOnce))
        }
        try await withServer(configuration) { server in
            let reader = try await RawClient.connect(port: try await server.port, version: .v3_1)
            // CONNECT that asks for a lasting session, byte by byte, and what comes before the message.
            try await reader.send(
                [0x10, 20, 0, 6] + Array("MQIsdp".utf8) + [3, 0, 0, 60, 0, 6] + Array("reader".utf8))
            guard case .connack(let connack) = try await reader.next() else { throw RawClient.End.closed }
            #expect(connack == ConnAck(sessionPresent: false, reasonCode: .success))
            guard case .publish(let message) = try await reader.next() else { throw RawClient.End.closed }
            #expect(message.payload == ByteBuffer(string: "kept"))
            #expect(message.qos == .exactlyOnce)
        }
    }

    @Test func `the byte of CONNACK that 3.1 reserves stays 0`() async throws {
        try await withServer(configuration()) { server in
            for _ in 0..<2 {
                let client = try await RawClient.connect(port: try await server.port)
                // CONNECT, and a packet that ends the connection.
                try await client.send(
                    [0x10, 15, 0, 6] + Array("MQIsdp".utf8) + [3, 0, 0, 60, 0, 1, 0x61] + [0xE0, 0])
                #expect(try await client.bytes() == [0x20, 2, 0, 0])
            }
            #expect(await server.sessions().map(\.clientIdentifier) == ["a"])
        }
    }

    @Test func `a subscription that the rules forbid looks granted, and gives nothing`() async throws {
        var configuration = configuration()
        configuration.access.acl = try AccessControlList("topic read open\ntopic write #\n")
        try await withServer(configuration) { server in
            let client = try await RawClient.connect(port: try await server.port, version: .v3_1)
            try await client.connect("a")
            try await client.send(try subscribe("shut", .exactlyOnce))
            #expect(try await client.next() == suback(.grantedQoS0))
            try await client.send(try subscribe("open", .atLeastOnce))
            #expect(try await client.next() == suback(.grantedQoS1))
            for topic in ["shut", "open"] { try await server.publish(ServerMessage(topic, "x", .atMostOnce)) }
            guard case .publish(let message) = try await client.next() else { throw RawClient.End.closed }
            #expect(message.topic?.string == "open")
        }
    }

    @Test func `a user name that is announced and missing is none`() async throws {
        let connect = [0x10, 15, 0, 6] + Array("MQIsdp".utf8) + [3, 0xC2, 0, 60, 0, 1, 0x61]
        for (isAllowed, code) in [(true, ReasonCode.success), (false, .notAuthorized)] {
            try await withServer(configuration { $0.allowsAnonymous = isAllowed }) { server in
                let client = try await RawClient.connect(port: try await server.port, version: .v3_1)
                try await client.send(connect)
                #expect(try await client.next() == .connack(ConnAck(sessionPresent: false, reasonCode: code)))
                #expect(await server.clients().map(\.client.username) == (isAllowed ? [nil] : []))
            }
        }
    }

    @Test func `what is sent again is answered again`() async throws {
        try await withServer(configuration()) { server in
            let client = try await RawClient.connect(port: try await server.port, version: .v3_1)
            try await client.connect("a-client-with-an-identifier-of-more-than-23-characters")
            for first in [0x82, 0x8A] as [UInt8] {
                try await client.send([first, 6, 0, 1, 0, 1, 0x74, 2])
                #expect(try await client.next() == suback(.grantedQoS2))
            }
            try await client.send([0x34, 6, 0, 1, 0x75, 0, 7, 0x78])
            #expect(try await client.next().type == .pubrec)
            for first in [0x62, 0x6A] as [UInt8] {
                try await client.send([first, 2, 0, 7])
                #expect(try await client.next().type == .pubcomp)
            }
            for first in [0xA2, 0xAA] as [UInt8] {
                try await client.send([first, 5, 0, 1, 0, 1, 0x74])
                #expect(try await client.next() == .unsuback(UnsubAck(packetIdentifier: .first)))
            }
        }
    }

    @Test func `others have their session closed by DUP where it does not belong`() async throws {
        try await withServer(configuration()) { server in
            let client = try await RawClient.connect(port: try await server.port, version: .v3_1_1)
            try await client.connect("a")
            try await client.send([0x8A, 6, 0, 1, 0, 1, 0x74, 2])
            #expect(try await client.closed().isEmpty)
        }
    }

    @Test func `a will of 3.1 is published`() async throws {
        try await withServer(configuration()) { server in
            let port = try await server.port
            let reader = try await RawClient.connect(port: port, version: .v3_1)
            try await reader.connect("reader")
            try await reader.send(try subscribe("will", .exactlyOnce))
            #expect(try await reader.next() == suback(.grantedQoS2))
            let mortal = try await RawClient.connect(port: port, version: .v3_1)
            try await mortal.connect("mortal") {
                $0.will = (try? TopicName("will")).map {
                    Will(topic: $0, payload: ByteBuffer(string: "gone"), qos: .atLeastOnce)
                }
            }
            try await mortal.channel.close()
            guard case .publish(let message) = try await reader.next() else { throw RawClient.End.closed }
            #expect(message.payload == ByteBuffer(string: "gone"))
            #expect(message.qos == .atLeastOnce)
        }
    }
}
