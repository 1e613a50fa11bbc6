import MQTTWire
import Testing

/// Chapters 3.10 and 3.11.
@Suite("UNSUBSCRIBE", .conformance)
struct UnsubscribeTests {
    @Test(
        "MQTT-3.10.1-1 (3.1.1, 5.0): UNSUBSCRIBE with other flags closes the connection",
        arguments: ProtocolVersion.standard, [0xA0, 0xA1, 0xA3, 0xAA] as [UInt8])
    func MQTT_3_10_1_1(_ version: ProtocolVersion, _ first: UInt8) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: unsubscribeBytes(version, filter: Array("t".utf8), first: first))
        try await client.expectClosed(.malformedPacket)
    }

    @Test(
        "MQTT-3.10.3-1 (3.1.1, 5.0): a topic filter of ill-formed UTF-8 in UNSUBSCRIBE closes the connection",
        arguments: ProtocolVersion.standard, illFormed)
    func MQTT_3_10_3_1(_ version: ProtocolVersion, _ bytes: [UInt8]) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: unsubscribeBytes(version, filter: bytes))
        try await client.expectClosed(.malformedPacket, .topicFilterInvalid)
    }

    @Test(
        "MQTT-3.10.3-2 (3.1.1, 5.0): an UNSUBSCRIBE without a topic filter closes the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_3_10_3_2(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: packet(0xA2, [0, 10] + properties(version)))
        try await client.expectClosed(.protocolError, .malformedPacket)
    }

    @Test(
        "MQTT-3.10.4-1 (3.1.1, 5.0): UNSUBSCRIBE ends the subscription with exactly that filter",
        arguments: ProtocolVersion.standard)
    func MQTT_3_10_4_1(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe("\(topic)/+")
        try await client.unsubscribe("\(topic)/a")
        try await client.unsubscribe("\(topic)/#")
        try await client.unsubscribe("\(topic.uppercased())/+")
        try await client.publish("\(topic)/a", "subscribed still")
        #expect(try await client.message().text == "subscribed still")
        try await client.unsubscribe("\(topic)/+")
        try await client.publish("\(topic)/a", "none")
        try await client.expectSilence()
    }

    @Test("MQTT-3.10.4-2 (3.1.1, 5.0): nothing new comes behind UNSUBACK", arguments: ProtocolVersion.standard)
    func MQTT_3_10_4_2(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        let publisher = try await RawClient.connect(version)
        try await client.subscribe("\(topic)/a")
        try await client.subscribe("\(topic)/b")
        try await client.unsubscribe("\(topic)/a")
        try await publisher.publish("\(topic)/a", "a")
        try await publisher.publish("\(topic)/b", "b")
        #expect(try await client.message().text == "b")
    }

    @Test(
        "MQTT-3.10.4-3 (3.1.1, 5.0): the delivery of messages that are under way is completed",
        arguments: ProtocolVersion.standard)
    func MQTT_3_10_4_3(_ version: ProtocolVersion) async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(version, identifier)
        try await client.subscribe(topic)
        let publisher = try await RawClient.connect(version)
        try await publisher.publish(topic, "1", .atLeastOnce)
        try await publisher.publish(topic, "2", .exactlyOnce)
        let first = try await client.publish()
        let second = try await client.publish()
        try await client.unsubscribe(topic)
        // QoS 2 goes on to its end.
        let exactly = first.qos == .exactlyOnce ? first : second
        try await client.acknowledge(exactly)
        // QoS 1 that was not acknowledged comes again.
        try await client.drop()
        let (again, _) = try await RawClient.connectLasting(version, identifier)
        let repeated = try await again.message()
        #expect(repeated.text == "1")
        #expect(repeated.duplicate)
        try await again.expectSilence()
    }

    @Test(
        "MQTT-3.10.4-4 (3.1.1, 5.0): UNSUBSCRIBE is answered with UNSUBACK and its packet identifier",
        arguments: ProtocolVersion.standard)
    func MQTT_3_10_4_4(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe(topic)
        let unsuback = try await client.unsubscribe(topic, identifier: 4711)
        #expect(unsuback.packetIdentifier == id(4711))
        #expect(unsuback.reasonCodes == (version == .v5 ? [.success] : []))
    }

    @Test(
        "MQTT-3.10.4-5 (3.1.1, 5.0): UNSUBSCRIBE from what was not subscribed is answered too",
        arguments: ProtocolVersion.standard)
    func MQTT_3_10_4_5(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        let unsuback = try await client.unsubscribe(unique("t"), identifier: 65_535)
        #expect(unsuback.packetIdentifier == id(65_535))
        #expect(unsuback.reasonCodes == (version == .v5 ? [.noSubscriptionExisted] : []))
    }

    @Test(
        "MQTT-3.10.4-6 (3.1.1, 5.0): several filters in one UNSUBSCRIBE get one UNSUBACK",
        arguments: ProtocolVersion.standard)
    func MQTT_3_10_4_6(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        for name in ["a", "b", "c"] { try await client.subscribe("\(topic)/\(name)") }
        try await client.unsubscribe("\(topic)/a", "\(topic)/b")
        for name in ["a", "b", "c"] { try await client.publish("\(topic)/\(name)", name) }
        #expect(try await client.message().text == "c")
        try await client.expectSilence()
    }

    @Test("MQTT-3.11.3-1 (5.0): the codes of UNSUBACK stand in the order of the filters")
    func MQTT_3_11_3_1_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.subscribe("\(topic)/b")
        try await client.subscribe("\(topic)/d/#")
        let unsuback = try await client.unsubscribe(
            "\(topic)/a", "\(topic)/b", "\(topic)/c", "\(topic)/d/#", "\(topic)/b")
        #expect(
            unsuback.reasonCodes == [
                .noSubscriptionExisted, .success, .noSubscriptionExisted, .success, .noSubscriptionExisted,
            ])
    }

    @Test("MQTT-3.11.3-2 (5.0): UNSUBACK uses the codes of its table, 0x11 where nothing was subscribed")
    func MQTT_3_11_3_2_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        #expect(try await client.unsubscribe(topic).reasonCodes == [.noSubscriptionExisted])
        try await client.subscribe("$share/g/\(topic)")
        #expect(try await client.unsubscribe(topic).reasonCodes == [.noSubscriptionExisted])
        #expect(try await client.unsubscribe("$share/g/\(topic)").reasonCodes == [.success])
    }
}
