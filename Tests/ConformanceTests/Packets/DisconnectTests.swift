import MQTTWire
import NIOCore
import Testing

/// Chapters 3.12 to 3.14.
@Suite("PINGREQ and DISCONNECT", .conformance)
struct DisconnectTests {
    @Test("MQTT-3.12.4-1 (3.1.1, 5.0): PINGREQ is answered with PINGRESP", arguments: ProtocolVersion.standard)
    func MQTT_3_12_4_1(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        for _ in 1...3 {
            try await client.send(.pingreq)
            #expect(try await client.next() == .pingresp)
        }
    }

    @Test("3.1.1 §3.14.4, 5.0 §3.14.4: the broker closes behind a DISCONNECT", arguments: ProtocolVersion.standard)
    func closesBehindDisconnect(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(.disconnect(Disconnect()))
        #expect(try await client.ended() == .closed)
        #expect(try await client.unread() == [])
    }

    @Test(
        "3.1.1 §3.14.4, 5.0 §3.14.4: packets before a DISCONNECT in the same segment are processed",
        arguments: ProtocolVersion.standard)
    func packetsBeforeDisconnect(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(version)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(version)
        try await client.send(try publication(topic, "last words", .atMostOnce), .disconnect(Disconnect()))
        #expect(try await watcher.message().text == "last words")
    }

    @Test("MQTT-3.14.0-1 (5.0): before CONNACK there is no DISCONNECT of the broker")
    func MQTT_3_14_0_1_v5() async throws {
        for bytes in [[0xC0, 0x00], connectBytes(.v5, flags: 0x03), connectBytes(.v5, properties: [0x21, 0, 0])]
            as [[UInt8]]
        {
            let client = try await RawClient.open(.v5)
            try await client.send(bytes: bytes)
            _ = try await client.ended()
            let packets = try await client.unread()
            #expect(!packets.contains { if case .disconnect = $0 { true } else { false } })
        }
    }

    @Test(
        "MQTT-3.14.1-1 (3.1.1, 5.0): DISCONNECT with other flags closes the connection, and is none",
        arguments: ProtocolVersion.standard)
    func MQTT_3_14_1_1(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(version)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(version, will: will(topic, "not disconnected"))
        try await client.send(bytes: [0xE1, 0x00])
        try await client.expectClosed(.malformedPacket)
        #expect(try await watcher.message().text == "not disconnected")
    }

    @Test(
        "MQTT-3.14.2-1 (5.0), MQTT-3.14.2-2 (5.0): the broker's DISCONNECT has a code of its table and no expiry interval"
    )
    func MQTT_3_14_2_1_v5() async throws {
        let (client, _) = try await RawClient.connectLasting(.v5, unique())
        _ = try await RawClient.connectLasting(.v5, client.identifier)
        let disconnect = try await client.disconnected()
        #expect(disconnect.reasonCode == .sessionTakenOver)
        #expect(disconnect.reasonCode.isAllowed(in: .disconnect))
        #expect(disconnect.properties.sessionExpiryInterval == nil)
    }

    @Test("5.0 §3.14.2.1: a DISCONNECT of a client with a code that is not for it closes the connection")
    func codeNotAllowed() async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: [0xE0, 0x01, 0x01])
        try await client.expectClosed(.protocolError, .malformedPacket)
    }

    @Test(
        "5.0 §3.14.2: DISCONNECT comes with or without code and properties",
        arguments: [[0xE0, 0], [0xE0, 1, 0], [0xE0, 2, 0, 0]] as [[UInt8]])
    func formsOfDisconnect(_ bytes: [UInt8]) async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: bytes)
        #expect(try await client.ended() == .closed)
        #expect(try await client.unread() == [])
    }

    @Test("MQTT-3.14.4-1 (5.0): nothing follows the broker's DISCONNECT")
    func MQTT_3_14_4_1_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.subscribe(topic, .atMostOnce)
        let publisher = try await RawClient.connect(.v5)
        let flood = Task {
            while !Task.isCancelled { try await publisher.publish(topic, "flood", .atMostOnce) }
        }
        defer { flood.cancel() }
        _ = try await client.publish()
        try await client.send(bytes: [0x00, 0x00])
        _ = try await client.ended()
        let packets = try await client.unread()
        let index = packets.firstIndex { if case .disconnect = $0 { true } else { false } }
        #expect(index == packets.count - 1)
    }

    @Test("MQTT-3.14.4-2 (5.0): the broker closes behind its own DISCONNECT")
    func MQTT_3_14_4_2_v5() async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: [0x00, 0x00])
        _ = try await client.disconnected()
        #expect(try await client.ended() == .closed)
    }
}
