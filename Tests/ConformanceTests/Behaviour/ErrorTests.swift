import MQTTWire
import NIOCore
import Testing

/// What a broker does about errors (3.1.1 §4.8, 5.0 §4.13), and its transport.
@Suite("Errors and transport", .conformance)
struct ErrorTests {
    @Test("MQTT-4.8.0-1 (3.1.1): a protocol violation closes the connection it came on, and no other")
    func MQTT_4_8_0_1_v3() async throws {
        let bystander = try await RawClient.connect(.v3_1_1)
        let client = try await RawClient.connect(.v3_1_1)
        try await client.send(bytes: [0x20, 0x02, 0x00, 0x00])
        try await client.expectClosed()
        try await bystander.expectSilence()
    }

    @Test("MQTT-4.13.1-1 (5.0): a malformed packet and a protocol error close the connection, with their codes")
    func MQTT_4_13_1_1_v5() async throws {
        let malformed = try await RawClient.connect(.v5)
        try await malformed.send(bytes: [0x82, 0x01, 0x00])
        try await malformed.expectClosed(.malformedPacket)
        let violating = try await RawClient.connect(.v5)
        try await violating.send(bytes: connectBytes(.v5))
        try await violating.expectClosed(.protocolError)
    }

    @Test("MQTT-4.13.2-1 (5.0): a code of 0x80 or above in CONNACK or DISCONNECT closes the connection")
    func MQTT_4_13_2_1_v5() async throws {
        let client = try await RawClient.connect(.v5)
        // An error that the client tells: it has to close, and the broker may not wait for that.
        try await client.send(.disconnect(Disconnect(reasonCode: .unspecifiedError)))
        #expect(try await client.ended() == .closed)
        let other = try await RawClient.connect(.v5)
        try await other.send(bytes: [0x00, 0x00])
        #expect(try await other.disconnected().reasonCode.isError)
        #expect(try await other.ended() == .closed)
    }

    @Test("3.1.1 §4.8, 5.0 §4.13: the session survives its client's errors", arguments: ProtocolVersion.standard)
    func sessionSurvivesErrors(_ version: ProtocolVersion) async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(version, identifier)
        try await client.subscribe(topic)
        try await client.send(bytes: [0x00, 0x00])
        _ = try await client.ended()
        let (again, connack) = try await RawClient.connectLasting(version, identifier)
        #expect(connack.sessionPresent)
        try await again.publish(topic, "subscribed still")
        #expect(try await again.message().text == "subscribed still")
    }

    @Test(
        "MQTT-7.1.1-1 (3.1.1), MQTT-4.2-1 (5.0): the broker speaks over TCP, an ordered and lossless stream of bytes",
        arguments: ProtocolVersion.standard)
    func MQTT_7_1_1_1_v3_MQTT_4_2_1_v5(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe(topic)
        try await client.publish(topic, "over TCP")
        #expect(try await client.message().text == "over TCP")
    }

    @Test("MQTT-7.0.0-2 (3.1.1): nothing outside the specification is asked for", arguments: ProtocolVersion.standard)
    func MQTT_7_0_0_2_v3(_ version: ProtocolVersion) async throws {
        // The least that a client can say.
        let client = try await RawClient.open(version)
        try await client.send(bytes: connectBytes(version, identifier: ""))
        #expect(try await client.connack().reasonCode == .success)
    }
}
