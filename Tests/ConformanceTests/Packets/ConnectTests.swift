import MQTTWire
import NIOCore
import Testing

/// Chapter 3.1 without wills and client identifiers, which have files of their own.
@Suite("CONNECT", .conformance)
struct ConnectTests {
    @Test(
        "MQTT-3.1.0-1 (3.1.1, 5.0): a first packet other than CONNECT closes the connection",
        arguments: ProtocolVersion.standard,
        [
            [0xC0, 0x00], [0xE0, 0x00], [0x40, 0x02, 0x00, 0x01], [0xF0, 0x00],
            [0x30, 0x04, 0x00, 0x01, 0x74, 0x00], [0x82, 0x07, 0x00, 0x01, 0x00, 0x00, 0x01, 0x74, 0x00],
        ] as [[UInt8]])
    func MQTT_3_1_0_1(_ version: ProtocolVersion, _ bytes: [UInt8]) async throws {
        let client = try await RawClient.open(version)
        try await client.send(bytes: bytes)
        try await client.expectRefused(.protocolError, .malformedPacket)
    }

    @Test(
        "MQTT-3.1.0-2 (3.1.1, 5.0): a second CONNECT is a protocol error and closes the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_0_2(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(.connect(Connect(version: version, clientIdentifier: client.identifier)))
        try await client.expectClosed(.protocolError)
    }

    @Test(
        "MQTT-3.1.2-1 (3.1.1, 5.0): a wrong protocol name closes the connection",
        arguments: ProtocolVersion.standard, ["", "MQTX", "mqtt", "MQTTT", "HTTP/1.1"])
    func MQTT_3_1_2_1(_ version: ProtocolVersion, _ name: String) async throws {
        let client = try await RawClient.open(version)
        try await client.send(bytes: connectBytes(version, name: Array(name.utf8)))
        try await client.expectRefused(.unsupportedProtocolVersion, .malformedPacket, .protocolError)
    }

    @Test(
        "MQTT-3.1.2-2 (3.1.1): an unknown protocol level is answered with return code 1", arguments: [0, 2] as [UInt8])
    func MQTT_3_1_2_2_v3(_ level: UInt8) async throws {
        let client = try await RawClient.open(.v3_1_1)
        try await client.send(bytes: connectBytes(.v3_1_1, level: level))
        try await client.expectRefused(.unsupportedProtocolVersion, mustAnswer: true)
    }

    @Test("MQTT-3.1.2-2 (3.1.1): the level of 3.1 is none under the name of 3.1.1, nor the other way round")
    func levelsOf3_1() async throws {
        let new = try await RawClient.open(.v3_1_1)
        try await new.send(bytes: connectBytes(.v3_1_1, level: 3))
        try await new.expectRefused(.unsupportedProtocolVersion, mustAnswer: true)
        for level in [0, 4] as [UInt8] {
            let old = try await RawClient.open(.v3_1_1)
            try await old.send(bytes: connectBytes(.v3_1_1, name: Array("MQIsdp".utf8), level: level))
            try await old.expectRefused(.unsupportedProtocolVersion)
        }
    }

    @Test("V3.1 §3.1: a client of 3.1 is let in", .enabled(if: !BrokerUnderTest.isForeign))
    func version3_1() async throws {
        let (identifier, topic) = (unique(), unique("t"))
        let (old, connack) = try await RawClient.connectLasting(.v3_1, identifier)
        #expect(connack.reasonCode == .success)
        try await old.subscribe(topic)
        let (again, present) = try await RawClient.connectLasting(.v3_1, identifier)
        #expect(!present.sessionPresent)
        try await again.publish(topic, "old")
        #expect(try await again.message().text == "old")
    }

    @Test("MQTT-3.1.2-2 (5.0): an unknown protocol version closes the connection", arguments: [6, 127] as [UInt8])
    func MQTT_3_1_2_2_v5(_ level: UInt8) async throws {
        let client = try await RawClient.open(.v5)
        try await client.send(bytes: connectBytes(.v5, level: level))
        let ended = try await client.ended()
        // A server that does not know 5.0's successor may answer in 3.1.1's form or not at all.
        for packet in try await client.unread() {
            guard case .connack(let connack) = packet else { throw Surprise("\(packet)") }
            #expect(connack.reasonCode == .unsupportedProtocolVersion)
        }
        _ = ended
    }

    @Test(
        "MQTT-3.1.2-3 (3.1.1, 5.0): the reserved connect flag closes the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_3(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.open(version)
        try await client.send(bytes: connectBytes(version, flags: 0x03))
        try await client.expectRefused(.malformedPacket, .protocolError)
    }

    // MARK: User name and password

    @Test(
        "MQTT-3.1.2-18 (3.1.1), MQTT-3.1.2-16 (5.0): a user name that no flag announces closes the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_18_v3_MQTT_3_1_2_16_v5(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.open(version)
        try await client.send(bytes: connectBytes(version, flags: 0x02, payload: field(unique()) + field("user")))
        try await client.expectRefused(.malformedPacket, .protocolError)
    }

    @Test(
        "MQTT-3.1.2-19 (3.1.1), MQTT-3.1.2-17 (5.0): a user name that is announced and missing closes the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_19_v3_MQTT_3_1_2_17_v5(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.open(version)
        try await client.send(bytes: connectBytes(version, flags: 0x82, payload: field(unique())))
        try await client.expectRefused(.malformedPacket, .protocolError)
    }

    @Test(
        "MQTT-3.1.2-20 (3.1.1), MQTT-3.1.2-18 (5.0): a password that no flag announces closes the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_20_v3_MQTT_3_1_2_18_v5(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.open(version)
        try await client.send(
            bytes: connectBytes(version, flags: 0x82, payload: field(unique()) + field("user") + field("password")))
        try await client.expectRefused(.malformedPacket, .protocolError)
    }

    @Test(
        "MQTT-3.1.2-21 (3.1.1), MQTT-3.1.2-19 (5.0): a password that is announced and missing closes the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_21_v3_MQTT_3_1_2_19_v5(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.open(version)
        try await client.send(bytes: connectBytes(version, flags: 0xC2, payload: field(unique()) + field("user")))
        try await client.expectRefused(.malformedPacket, .protocolError)
    }

    @Test("MQTT-3.1.2-22 (3.1.1): a password without a user name closes the connection")
    func MQTT_3_1_2_22_v3() async throws {
        let client = try await RawClient.open(.v3_1_1)
        try await client.send(
            bytes: connectBytes(.v3_1_1, flags: 0x42, payload: field(unique()) + field("password")))
        try await client.expectRefused()
    }

    @Test("5.0 §3.1.2.9: a password may come without a user name")
    func passwordWithoutUserName() async throws {
        let client = try await RawClient.open(.v5)
        try await client.send(bytes: connectBytes(.v5, flags: 0x42, payload: field(unique()) + field("password")))
        // Whether it is good for anything is the server's business, but it is not malformed.
        let connack = try await client.connack()
        #expect([.success, .badUserNameOrPassword, .notAuthorized].contains(connack.reasonCode))
    }

    // MARK: Form and order

    @Test(
        "MQTT-3.1.3-1 (3.1.1, 5.0): client identifier, will, user name and password are read in this order",
        .enabled(if: !BrokerUnderTest.isForeign), arguments: ProtocolVersion.standard)
    func MQTT_3_1_3_1(_ version: ProtocolVersion) async throws {
        try await BrokerUnderTest.withOwn(.init(account: ("ada", "lovelace"))) { port in
            let watcher = try await RawClient.connect(version, username: "ada", password: "lovelace", port: port)
            try await watcher.subscribe("will/topic")
            let (client, connack) = try await RawClient.connecting(
                Connect(
                    version: version, clientIdentifier: unique(), username: "ada",
                    password: ByteBuffer(string: "lovelace"), will: will("will/topic", "will payload")), port: port)
            #expect(connack.reasonCode == .success)
            try await client.drop()
            #expect(try await watcher.message().text == "will payload")
        }
    }

    @Test(
        "MQTT-3.1.3-10 (3.1.1), MQTT-3.1.3-11 (5.0): a will topic of ill-formed UTF-8 closes the connection",
        arguments: ProtocolVersion.standard, illFormed)
    func MQTT_3_1_3_10_v3_MQTT_3_1_3_11_v5(_ version: ProtocolVersion, _ bytes: [UInt8]) async throws {
        let client = try await RawClient.open(version)
        try await client.send(
            bytes: connectBytes(
                version, flags: 0x06, payload: field(unique()) + properties(version) + field(bytes) + field("payload")))
        try await client.expectRefused(.malformedPacket, .topicNameInvalid)
    }

    @Test(
        "MQTT-3.1.3-11 (3.1.1), MQTT-3.1.3-12 (5.0): a user name of ill-formed UTF-8 closes the connection",
        arguments: ProtocolVersion.standard, illFormed)
    func MQTT_3_1_3_11_v3_MQTT_3_1_3_12_v5(_ version: ProtocolVersion, _ bytes: [UInt8]) async throws {
        let client = try await RawClient.open(version)
        try await client.send(bytes: connectBytes(version, flags: 0x82, payload: field(unique()) + field(bytes)))
        try await client.expectRefused(.malformedPacket, .badUserNameOrPassword)
    }

    @Test(
        "MQTT-3.1.4-1 (3.1.1, 5.0), MQTT-3.2.2-6 (3.1.1): a CONNECT that does not conform closes the connection",
        arguments: ProtocolVersion.standard,
        [
            [0x10, 0x00],
            [0x10, 0x04, 0x00, 0x04, 0x4D, 0x51],
            [0x10, 0x02, 0x00, 0x04],
        ] as [[UInt8]])
    func MQTT_3_1_4_1(_ version: ProtocolVersion, _ bytes: [UInt8]) async throws {
        let client = try await RawClient.open(version)
        try await client.send(bytes: bytes)
        // 3.1.1 forbids a CONNACK, 5.0 allows one with an error.
        if version == .v3_1_1 {
            try await client.expectRefused()
        } else {
            try await client.expectRefused(.malformedPacket, .protocolError, .unsupportedProtocolVersion)
        }
    }

    @Test("5.0 §3.1.2.11: bytes behind the last field of a CONNECT are malformed", arguments: ProtocolVersion.standard)
    func trailingBytes(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.open(version)
        try await client.send(bytes: connectBytes(version, payload: field(unique()) + [0x00]))
        try await client.expectRefused(.malformedPacket, .protocolError)
    }

    @Test(
        "5.0 §3.1.2.11: properties of CONNECT that are out of range, repeated or misplaced close the connection",
        arguments: [
            [0x21, 0x00, 0x00],  // Receive Maximum 0
            [0x27, 0x00, 0x00, 0x00, 0x00],  // Maximum Packet Size 0
            [0x19, 0x02], [0x17, 0x02],  // Request Response and Problem Information 2
            [0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1], [0x21, 0, 1, 0x21, 0, 1], [0x22, 0, 1, 0x22, 0, 1],
            [0x27, 0, 0, 1, 0, 0x27, 0, 0, 1, 0], [0x17, 1, 0x17, 1], [0x19, 1, 0x19, 1],
            [0x16, 0, 1, 0x61],  // Authentication Data without a method
            [0x23, 0, 1],  // Topic Alias
            [0x18, 0, 0, 0, 1],  // Will Delay Interval outside the will
        ] as [[UInt8]])
    func invalidProperties(_ bytes: [UInt8]) async throws {
        let client = try await RawClient.open(.v5)
        try await client.send(bytes: connectBytes(.v5, properties: bytes))
        try await client.expectRefused(.protocolError, .malformedPacket)
    }

    // MARK: Acceptance and refusal

    @Test(
        "MQTT-3.1.4-2 (5.0): a client that is not let in loses its connection",
        .enabled(if: !BrokerUnderTest.isForeign), arguments: ProtocolVersion.standard)
    func MQTT_3_1_4_2_v5(_ version: ProtocolVersion) async throws {
        try await BrokerUnderTest.withOwn(.init(account: ("ada", "lovelace"))) { port in
            for (username, password) in [("ada", "byron"), ("bob", "lovelace"), (nil, nil)] {
                let (client, connack) = try await RawClient.connecting(
                    Connect(
                        version: version, clientIdentifier: unique(), username: username,
                        password: password.map { ByteBuffer(string: $0) }), port: port)
                #expect([.badUserNameOrPassword, .notAuthorized].contains(connack.reasonCode))
                #expect(try await client.ended() == .closed)
            }
        }
    }

    @Test(
        "MQTT-3.1.4-2 (3.1.1), MQTT-3.1.4-3 (5.0): a client identifier that connects again takes over",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_4_2_v3_MQTT_3_1_4_3_v5(_ version: ProtocolVersion) async throws {
        let first = try await RawClient.connect(version)
        let second = try await RawClient.connect(version, first.identifier)
        try await first.expectClosed(.sessionTakenOver)
        try await second.expectSilence()
    }

    @Test("3.1.1 §3.1.4, 5.0 §3.1.4: a take-over works across protocol versions")
    func takeOverAcrossVersions() async throws {
        let first = try await RawClient.connect(.v3_1_1)
        let second = try await RawClient.connect(.v5, first.identifier)
        try await first.expectClosed()
        let third = try await RawClient.connect(.v3_1_1, first.identifier)
        try await second.expectClosed(.sessionTakenOver)
        try await third.expectSilence()
    }

    @Test(
        "MQTT-3.1.4-3 (3.1.1), MQTT-3.1.4-4 (5.0): a take-over that starts clean gets a clean session",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_4_3_v3_MQTT_3_1_4_4_v5(_ version: ProtocolVersion) async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (first, _) = try await RawClient.connectLasting(version, identifier)
        try await first.subscribe(topic)
        let (second, connack) = try await RawClient.connectLasting(version, identifier)
        #expect(connack.sessionPresent)
        try await second.publish(topic, "kept")
        #expect(try await second.message().text == "kept")
        let (third, clean) = try await RawClient.connectLasting(version, identifier, cleanStart: true)
        #expect(!clean.sessionPresent)
        try await third.publish(topic, "lost")
        try await third.expectSilence()
    }

    @Test(
        "MQTT-3.1.4-4 (3.1.1), MQTT-3.1.4-5 (5.0): a valid CONNECT is acknowledged with code 0",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_4_4_v3_MQTT_3_1_4_5_v5(_ version: ProtocolVersion) async throws {
        let (_, connack) = try await RawClient.connecting(Connect(version: version, clientIdentifier: unique()))
        #expect(connack.reasonCode == .success)
        #expect(!connack.sessionPresent)
    }

    @Test(
        "MQTT-3.1.4-5 (3.1.1), MQTT-3.1.4-6 (5.0): nothing that follows a refused CONNECT is processed",
        .enabled(if: !BrokerUnderTest.isForeign), arguments: ProtocolVersion.standard)
    func MQTT_3_1_4_5_v3_MQTT_3_1_4_6_v5(_ version: ProtocolVersion) async throws {
        try await BrokerUnderTest.withOwn(.init(account: ("ada", "lovelace"))) { port in
            let watcher = try await RawClient.connect(version, username: "ada", password: "lovelace", port: port)
            try await watcher.subscribe("t")
            let client = try await RawClient.open(version, port: port)
            try await client.send(
                .connect(
                    Connect(
                        version: version, clientIdentifier: unique(), username: "ada",
                        password: ByteBuffer(string: "byron"))),
                try publication("t", "of a refused client", .atMostOnce))
            _ = try await client.ended()
            try await watcher.publish("t", "of a client")
            #expect(try await watcher.message().text == "of a client")
        }
    }

    @Test("3.1.1 §3.1.4, 5.0 §3.1.4: a client need not wait for CONNACK", arguments: ProtocolVersion.standard)
    func packetsBeforeConnack(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.open(version)
        try await client.send(
            .connect(Connect(version: version, clientIdentifier: client.identifier)),
            .subscribe(
                Subscribe(packetIdentifier: id(1), subscriptions: [Subscription(filter: try TopicFilter(topic))])),
            try publication(topic, "at once", .atLeastOnce), .pingreq)
        #expect(try await client.connack().reasonCode == .success)
        _ = try await client.suback()
        #expect(try await client.publish().text == "at once")
    }
}
