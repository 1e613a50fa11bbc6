import MQTTWire
import NIOCore
import Testing

/// MQTT over WebSocket (chapter 6).
@Suite("WebSocket", .conformance, .enabled(if: !BrokerUnderTest.isForeign))
struct WebSocketTests {
    @Test(
        "MQTT-6.0.0-1 (3.1.1, 5.0): packets come in binary frames, and a frame of text closes the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_6_0_0_1(_ version: ProtocolVersion) async throws {
        try await BrokerUnderTest.withOwn(.init(speaksWebSocket: true)) { port in
            let client = try await WebSocketPeer.open(port: port)
            try await client.send(frame: connectBytes(version))
            // `packets` throws at a frame that is not binary.
            #expect(try await client.packets(1, version).first?.type == .connack)
            let other = try await WebSocketPeer.open(port: port)
            try await other.send(frame: connectBytes(version), opcode: .text)
            try await other.ended()
        }
    }

    @Test(
        "MQTT-6.0.0-2 (3.1.1, 5.0): a frame may hold several packets or parts of them",
        arguments: ProtocolVersion.standard)
    func MQTT_6_0_0_2(_ version: ProtocolVersion) async throws {
        try await BrokerUnderTest.withOwn(.init(speaksWebSocket: true)) { port in
            let bytes = connectBytes(version) + [0xC0, 0x00, 0xC0, 0x00]
            let expected: [PacketType] = [.connack, .pingresp, .pingresp]
            let together = try await WebSocketPeer.open(port: port)
            try await together.send(frame: bytes)
            #expect(try await together.packets(3, version).map(\.type) == expected)
            let apart = try await WebSocketPeer.open(port: port)
            for byte in bytes { try await apart.send(frame: [byte]) }
            #expect(try await apart.packets(3, version).map(\.type) == expected)
        }
    }

    @Test("MQTT-6.0.0-4 (3.1.1, 5.0): the broker selects the subprotocol mqtt")
    func MQTT_6_0_0_4() async throws {
        try await BrokerUnderTest.withOwn(.init(speaksWebSocket: true)) { port in
            for offered in ["mqtt", "soap, mqtt"] {
                let client = try await WebSocketPeer.open(port: port, subprotocols: offered)
                #expect(client.selectedSubprotocol == "mqtt")
            }
        }
    }
}
