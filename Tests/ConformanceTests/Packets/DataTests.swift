import MQTTWire
import Testing

/// Chapters 1 and 2: data types, fixed header, packet identifiers, properties.
@Suite("Data representation and packet format", .conformance)
struct DataTests {
    @Test(
        "MQTT-1.5.3-1 (3.1.1), MQTT-1.5.4-1 (5.0): ill-formed UTF-8 closes the connection",
        arguments: ProtocolVersion.standard, illFormed)
    func MQTT_1_5_3_1_v3_MQTT_1_5_4_1_v5(_ version: ProtocolVersion, _ bytes: [UInt8]) async throws {
        let publisher = try await RawClient.connect(version)
        try await publisher.send(bytes: publishBytes(version, topic: Array(unique("t").utf8) + bytes))
        try await publisher.expectClosed(.malformedPacket, .topicNameInvalid)

        let subscriber = try await RawClient.connect(version)
        try await subscriber.send(bytes: subscribeBytes(version, filter: bytes))
        try await subscriber.expectClosed(.malformedPacket, .topicFilterInvalid)
    }

    @Test(
        "MQTT-1.5.3-2 (3.1.1), MQTT-1.5.4-2 (5.0): U+0000 in a string closes the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_1_5_3_2_v3_MQTT_1_5_4_2_v5(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.open(version)
        try await client.send(bytes: connectBytes(version, payload: field([0x61, 0x00, 0x62])))
        try await client.expectRefused(.malformedPacket, .clientIdentifierNotValid)
    }

    @Test(
        "MQTT-1.5.3-3 (3.1.1), MQTT-1.5.4-3 (5.0): U+FEFF is a character like others and stays where it is",
        arguments: ProtocolVersion.standard)
    func MQTT_1_5_3_3_v3_MQTT_1_5_4_3_v5(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe("\u{FEFF}\(topic)")
        try await client.publish(topic, "without")
        try await client.publish("\u{FEFF}\(topic)", "with")
        let message = try await client.message()
        #expect(message.text == "with")
        #expect(message.topic.map { Array($0.string.utf8) } == [0xEF, 0xBB, 0xBF] + Array(topic.utf8))
    }

    @Test("MQTT-1.5.5-1 (5.0): a variable byte integer that takes more bytes than it needs is malformed")
    func MQTT_1_5_5_1_v5() async throws {
        let ping = try await RawClient.connect(.v5)
        try await ping.send(bytes: [0xC0, 0x80, 0x00])
        try await ping.expectClosed(.malformedPacket)

        let publisher = try await RawClient.connect(.v5)
        try await publisher.send(bytes: packet(0x30, field(unique("t")) + [0x80, 0x00] + [0x70]))
        try await publisher.expectClosed(.malformedPacket)
    }

    @Test(
        "3.1.1 §2.2.3, 5.0 §1.5.5: a remaining length of five bytes is malformed", arguments: ProtocolVersion.standard)
    func remainingLengthOfFiveBytes(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: [0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01])
        try await client.expectClosed(.malformedPacket)
    }

    @Test("MQTT-1.5.7-1 (5.0): both strings of a pair are well-formed UTF-8", arguments: [0, 1])
    func MQTT_1_5_7_1_v5(_ position: Int) async throws {
        var pair: [[UInt8]] = [[0x61], [0x62]]
        pair[position] = [0xED, 0xA0, 0x80]
        let client = try await RawClient.connect(.v5)
        try await client.send(
            bytes: publishBytes(.v5, topic: Array("t".utf8), properties: [0x26] + pair.flatMap { field($0) }))
        try await client.expectClosed(.malformedPacket)
    }

    @Test(
        "MQTT-2.2.2-1 (3.1.1), MQTT-2.1.3-1 (5.0): the broker's packets have the reserved flags as listed",
        arguments: ProtocolVersion.standard)
    func MQTT_2_2_2_1_v3_MQTT_2_1_3_1_v5(_ version: ProtocolVersion) async throws {
        // The decoder refuses any other flags: the exchanges only have to come to their ends.
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe(topic)
        for qos in QoS.allCases {
            try await client.publish(topic, "\(qos)", qos)
            #expect(try await client.message().text == "\(qos)")
        }
        try await client.unsubscribe(topic)
        try await client.expectSilence()
    }

    @Test(
        "MQTT-2.2.2-2 (3.1.1): invalid flags in the fixed header close the connection",
        arguments: ProtocolVersion.standard,
        [
            [0x31 ^ 0x01 ^ 0x06, 0x03, 0x00, 0x01, 0x74],  // PUBLISH with QoS 3
            [0x41, 0x02, 0x00, 0x01], [0x52, 0x02, 0x00, 0x01], [0x60, 0x02, 0x00, 0x01], [0x78, 0x02, 0x00, 0x01],
            [0xC1, 0x00], [0xC8, 0x00], [0xE1, 0x00], [0xE2, 0x00],
        ] as [[UInt8]])
    func MQTT_2_2_2_2_v3(_ version: ProtocolVersion, _ bytes: [UInt8]) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: bytes)
        try await client.expectClosed(.malformedPacket, .protocolError)
    }

    @Test(
        "3.1.1 §2.2.1, 5.0 §2.1.2: packet type 0, and in 3.1.1 type 15, is forbidden",
        arguments: ProtocolVersion.standard)
    func reservedPacketTypes(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: [0x00, 0x00])
        try await client.expectClosed(.malformedPacket, .protocolError)
        guard version == .v3_1_1 else { return }
        let other = try await RawClient.connect(version)
        try await other.send(bytes: [0xF0, 0x00])
        try await other.expectClosed()
    }

    @Test(
        "3.1.1 §2.2.1, 5.0 §2.1.2: packets that only a server sends are protocol errors when a client sends them",
        arguments: ProtocolVersion.standard,
        [
            [0x20, 0x02, 0x00, 0x00], [0x20, 0x03, 0x00, 0x00, 0x00],  // CONNACK of either version
            [0x90, 0x03, 0x00, 0x01, 0x00], [0x90, 0x04, 0x00, 0x01, 0x00, 0x00],  // SUBACK
            [0xB0, 0x02, 0x00, 0x01], [0xB0, 0x04, 0x00, 0x01, 0x00, 0x00],  // UNSUBACK
            [0xD0, 0x00],  // PINGRESP
        ] as [[UInt8]])
    func packetsOfServers(_ version: ProtocolVersion, _ bytes: [UInt8]) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: bytes)
        try await client.expectClosed(.malformedPacket, .protocolError)
    }

    @Test(
        "MQTT-2.3.1-1 (3.1.1), MQTT-2.2.1-3 (5.0): packet identifier 0 closes the connection",
        arguments: ProtocolVersion.standard, ["PUBLISH 1", "PUBLISH 2", "SUBSCRIBE", "UNSUBSCRIBE"])
    func MQTT_2_3_1_1_v3_MQTT_2_2_1_3_v5(_ version: ProtocolVersion, _ kind: String) async throws {
        let topic = Array(unique("t").utf8)
        let client = try await RawClient.connect(version)
        switch kind {
        case "PUBLISH 1": try await client.send(bytes: publishBytes(version, topic: topic, first: 0x32, identifier: 0))
        case "PUBLISH 2": try await client.send(bytes: publishBytes(version, topic: topic, first: 0x34, identifier: 0))
        case "SUBSCRIBE": try await client.send(bytes: subscribeBytes(version, filter: topic, identifier: 0))
        default: try await client.send(bytes: unsubscribeBytes(version, filter: topic, identifier: 0))
        }
        try await client.expectClosed(.malformedPacket, .protocolError)
    }

    @Test(
        "MQTT-2.3.1-4 (3.1.1), MQTT-2.2.1-4 (5.0): the broker gives each message a packet identifier that is unused",
        arguments: ProtocolVersion.standard)
    func MQTT_2_3_1_4_v3_MQTT_2_2_1_4_v5(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let subscriber = try await RawClient.connect(version)
        let publisher = try await RawClient.connect(version)
        try await subscriber.subscribe(topic)
        for number in 1...8 {
            try await publisher.publish(topic, "\(number)", number % 2 == 0 ? .exactlyOnce : .atLeastOnce)
        }
        var identifiers: [PacketIdentifier?] = []
        for _ in 1...8 { identifiers.append(try await subscriber.publish().packetIdentifier) }
        #expect(!identifiers.contains(nil))
        #expect(Set(identifiers).count == 8)
    }

    @Test(
        "MQTT-2.3.1-5 (3.1.1), MQTT-2.2.1-2 (5.0): a PUBLISH with QoS 0 has no packet identifier",
        arguments: ProtocolVersion.standard)
    func MQTT_2_3_1_5_v3_MQTT_2_2_1_2_v5(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe(topic, .atMostOnce)
        try await client.publish(topic, "payload", .atLeastOnce)
        let message = try await client.publish()
        #expect(message.qos == .atMostOnce)
        // An identifier would stand before the payload.
        #expect(message.text == "payload")
    }

    @Test(
        "MQTT-2.3.1-6 (3.1.1), MQTT-2.2.1-5 (5.0): acknowledgements carry the packet identifier of their PUBLISH",
        arguments: ProtocolVersion.standard)
    func MQTT_2_3_1_6_v3_MQTT_2_2_1_5_v5(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.send(try publication(topic, "1", .atLeastOnce, identifier: 65_535))
        #expect(try await client.puback().packetIdentifier == id(65_535))
        try await client.send(try publication(topic, "2", .exactlyOnce, identifier: 256))
        #expect(try await client.pubrec().packetIdentifier == id(256))
        try await client.send(.pubrel(Acknowledgement(packetIdentifier: id(256))))
        #expect(try await client.pubcomp().packetIdentifier == id(256))

        try await client.subscribe(topic)
        try await client.publish(topic, "3", .exactlyOnce)
        let publish = try await client.publish()
        let identifier = try #require(publish.packetIdentifier)
        try await client.send(.pubrec(Acknowledgement(packetIdentifier: identifier)))
        #expect(try await client.pubrel().packetIdentifier == identifier)
    }

    @Test(
        "MQTT-2.3.1-7 (3.1.1), MQTT-2.2.1-6 (5.0): SUBACK and UNSUBACK carry the packet identifier of the request",
        arguments: ProtocolVersion.standard)
    func MQTT_2_3_1_7_v3_MQTT_2_2_1_6_v5(_ version: ProtocolVersion) async throws {
        let topic = try TopicFilter(unique("t"))
        let client = try await RawClient.connect(version)
        for number: UInt16 in [1, 255, 256, 65_535] {
            try await client.send(
                .subscribe(Subscribe(packetIdentifier: id(number), subscriptions: [Subscription(filter: topic)])))
            #expect(try await client.suback().packetIdentifier == id(number))
            try await client.send(.unsubscribe(Unsubscribe(packetIdentifier: id(number), filters: [topic])))
            #expect(try await client.unsuback().packetIdentifier == id(number))
        }
    }

    @Test("MQTT-2.2.2-1 (5.0): a packet without properties says so with a length of 0")
    func MQTT_2_2_2_1_v5() async throws {
        let topic = unique("t")
        let subscriber = try await RawClient.connect(.v5)
        try await subscriber.subscribe(topic)
        try await subscriber.publish(topic, "payload")
        // Without the length the payload's first byte would be taken for it.
        let publish = try await subscriber.publish()
        #expect(publish.text == "payload")
        #expect(publish.properties.isEmpty)

        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: packet(0x82, [0, 10] + field("t") + [0]))
        try await client.expectClosed(.malformedPacket, .protocolError)
    }

    @Test("5.0 §2.2.2.2: an unknown property is malformed, in whatever packet")
    func unknownProperty() async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: publishBytes(.v5, topic: Array("t".utf8), properties: [0x7F, 0x00]))
        try await client.expectClosed(.malformedPacket, .protocolError)
    }

    @Test(
        "5.0 §2.2.2.2: a property that does not belong to the packet is a protocol error",
        arguments: [
            // Server Keep Alive in PUBLISH, Topic Alias in SUBSCRIBE, Session Expiry Interval in PUBACK
            publishBytes(.v5, topic: Array("t".utf8), properties: [0x13, 0x00, 0x10]),
            subscribeBytes(.v5, filter: Array("t".utf8), properties: [0x23, 0x00, 0x01]),
            packet(0x40, [0x00, 0x01, 0x00, 0x05, 0x11, 0x00, 0x00, 0x00, 0x01]),
        ])
    func misplacedProperty(_ bytes: [UInt8]) async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: bytes)
        try await client.expectClosed(.malformedPacket, .protocolError)
    }

    @Test(
        "5.0 §3.3.2.3: a property that stands twice is a protocol error",
        arguments: [
            [0x01, 0x00, 0x01, 0x00], [0x02, 0, 0, 0, 9, 0x02, 0, 0, 0, 9], [0x23, 0, 1, 0x23, 0, 1],
            [0x03, 0, 1, 0x61, 0x03, 0, 1, 0x61], [0x08, 0, 1, 0x61, 0x08, 0, 1, 0x61],
            [0x09, 0, 1, 0x61, 0x09, 0, 1, 0x61],
        ] as [[UInt8]])
    func repeatedProperty(_ bytes: [UInt8]) async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: publishBytes(.v5, topic: Array("t".utf8), properties: bytes))
        try await client.expectClosed(.protocolError, .malformedPacket)
    }

    @Test("5.0 §3.3.2.3.2: a payload format indicator other than 0 and 1 is a protocol error")
    func payloadFormatIndicatorOutOfRange() async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: publishBytes(.v5, topic: Array("t".utf8), properties: [0x01, 0x02]))
        try await client.expectClosed(.protocolError, .malformedPacket, .payloadFormatInvalid)
    }

    @Test(
        "3.1.1 §2, 5.0 §2: packets that are too short or too long for their fields are malformed",
        arguments: ProtocolVersion.standard,
        [
            [0x30, 0x01, 0x00], [0x32, 0x04, 0x00, 0x01, 0x74, 0x00], [0x40, 0x01, 0x00], [0x40, 0x00],
            [0x62, 0x01, 0x00], [0x82, 0x01, 0x00], [0x82, 0x05, 0x00, 0x01, 0x00, 0x09, 0x61], [0xC0, 0x01, 0x00],
            [0xA2, 0x05, 0x00, 0x01, 0x00, 0x09, 0x61],
        ] as [[UInt8]])
    func truncatedPackets(_ version: ProtocolVersion, _ bytes: [UInt8]) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: bytes)
        try await client.expectClosed(.malformedPacket, .protocolError)
    }

    @Test("3.1.1 §4.2, 5.0 §4.2: packets arrive in any pieces", arguments: ProtocolVersion.standard)
    func bytewise(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.open(version)
        for byte in connectBytes(version) { try await client.send(bytes: [byte]) }
        #expect(try await client.connack().reasonCode == .success)
        for byte in subscribeBytes(version, filter: Array(topic.utf8)) { try await client.send(bytes: [byte]) }
        _ = try await client.suback()
        for byte in publishBytes(version, topic: Array(topic.utf8)) + [0xC0, 0x00] {
            try await client.send(bytes: [byte])
        }
        #expect(try await client.publish().text == "p")
        #expect(try await client.next() == .pingresp)
    }
}
