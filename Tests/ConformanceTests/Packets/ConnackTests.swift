import MQTTWire
import NIOCore
import Testing

/// Chapter 3.2.
@Suite("CONNACK", .conformance)
struct ConnackTests {
    @Test(
        "MQTT-3.2.0-1 (3.1.1, 5.0): CONNACK comes first, also when messages wait",
        arguments: ProtocolVersion.standard)
    func MQTT_3_2_0_1(_ version: ProtocolVersion) async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(version, identifier)
        try await client.subscribe(topic)
        try await client.drop()
        let publisher = try await RawClient.connect(version)
        for number in 1...5 { try await publisher.publish(topic, "\(number)") }
        // `connack()` fails if anything else is the first.
        let (again, _) = try await RawClient.connectLasting(version, identifier)
        #expect(try await again.messages(5).map(\.text) == ["1", "2", "3", "4", "5"])
    }

    @Test("MQTT-3.2.0-2 (5.0): there is one CONNACK in a connection", arguments: ProtocolVersion.standard)
    func MQTT_3_2_0_2_v5(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(.connect(Connect(version: version, clientIdentifier: client.identifier)))
        _ = try await client.ended()
        let packets = try await client.unread()
        #expect(!packets.contains { if case .connack = $0 { true } else { false } })
    }

    @Test("MQTT-3.2.2-1 (5.0): the reserved bits of the acknowledge flags are 0", arguments: ProtocolVersion.standard)
    func MQTT_3_2_2_1_v5(_ version: ProtocolVersion) async throws {
        // The decoder refuses anything but 0 and 1.
        let identifier = unique()
        let (client, new) = try await RawClient.connectLasting(version, identifier)
        try await client.disconnect()
        let (_, known) = try await RawClient.connectLasting(version, identifier)
        #expect([new.sessionPresent, known.sessionPresent] == [false, true])
    }

    @Test(
        "MQTT-3.2.2-1 (3.1.1), MQTT-3.2.2-2 (5.0): a clean start is acknowledged without a session",
        arguments: ProtocolVersion.standard)
    func MQTT_3_2_2_1_v3_MQTT_3_2_2_2_v5(_ version: ProtocolVersion) async throws {
        let identifier = unique()
        let (client, _) = try await RawClient.connectLasting(version, identifier)
        try await client.subscribe(unique("t"))
        try await client.disconnect()
        let (_, connack) = try await RawClient.connectLasting(version, identifier, cleanStart: true)
        #expect(connack.reasonCode == .success)
        #expect(!connack.sessionPresent)
    }

    @Test(
        "MQTT-3.2.2-2 (3.1.1), MQTT-3.2.2-3 (5.0): a session that is there is acknowledged as present",
        arguments: ProtocolVersion.standard)
    func MQTT_3_2_2_2_v3_MQTT_3_2_2_3_v5(_ version: ProtocolVersion) async throws {
        let identifier = unique()
        let (client, new) = try await RawClient.connectLasting(version, identifier)
        #expect(!new.sessionPresent)
        try await client.drop()
        let (_, known) = try await RawClient.connectLasting(version, identifier)
        #expect(known.sessionPresent)
        #expect(known.reasonCode == .success)
    }

    @Test(
        "MQTT-3.2.2-3 (3.1.1): a session that is not there is acknowledged as absent",
        arguments: ProtocolVersion.standard)
    func MQTT_3_2_2_3_v3(_ version: ProtocolVersion) async throws {
        let (_, connack) = try await RawClient.connectLasting(version, unique())
        #expect(!connack.sessionPresent)
        #expect(connack.reasonCode == .success)
    }

    @Test(
        "MQTT-3.2.2-4 (3.1.1), MQTT-3.2.2-6 (5.0): a refusal says that no session is present",
        .enabled(if: !BrokerUnderTest.isForeign), arguments: ProtocolVersion.standard)
    func MQTT_3_2_2_4_v3_MQTT_3_2_2_6_v5(_ version: ProtocolVersion) async throws {
        try await BrokerUnderTest.withOwn(.init(account: ("ada", "lovelace"))) { port in
            var connect = Connect(
                version: version, clientIdentifier: "known", cleanStart: false, username: "ada",
                password: ByteBuffer(string: "lovelace"),
                properties: version == .v5 ? [.sessionExpiryInterval(300)] : [])
            let (client, _) = try await RawClient.connecting(connect, port: port)
            try await client.disconnect()
            connect.password = ByteBuffer(string: "byron")
            let (_, connack) = try await RawClient.connecting(connect, port: port)
            #expect(connack.reasonCode.isError)
            #expect(!connack.sessionPresent)
        }
    }

    @Test(
        "MQTT-3.2.2-5 (3.1.1), MQTT-3.2.2-7 (5.0): the connection is closed behind a refusal",
        .enabled(if: !BrokerUnderTest.isForeign), arguments: ProtocolVersion.standard)
    func MQTT_3_2_2_5_v3_MQTT_3_2_2_7_v5(_ version: ProtocolVersion) async throws {
        try await BrokerUnderTest.withOwn(.init(account: ("ada", "lovelace"))) { port in
            let (client, connack) = try await RawClient.connecting(
                Connect(version: version, clientIdentifier: unique()), port: port)
            #expect(connack.reasonCode.isError)
            #expect(try await client.ended() == .closed)
            #expect(try await client.unread() == [])
        }
    }

    @Test(
        "MQTT-3.2.2-8 (5.0): refusals use the codes of the table",
        .enabled(if: !BrokerUnderTest.isForeign), arguments: ProtocolVersion.standard)
    func MQTT_3_2_2_8_v5(_ version: ProtocolVersion) async throws {
        try await BrokerUnderTest.withOwn(.init(account: ("ada", "lovelace"))) { port in
            let (_, connack) = try await RawClient.connecting(
                Connect(
                    version: version, clientIdentifier: unique(), username: "ada",
                    password: ByteBuffer(string: "byron")), port: port)
            #expect(connack.reasonCode.isAllowed(in: .connack))
            #expect([.badUserNameOrPassword, .notAuthorized].contains(connack.reasonCode))
        }
    }

    // MARK: What a 5.0 server announces

    @Test(
        "MQTT-3.2.2-9 (5.0), MQTT-3.2.2-11 (5.0): a broker of a lower QoS says so, and closes on a higher one",
        .enabled(if: !BrokerUnderTest.isForeign), arguments: [QoS.atMostOnce, .atLeastOnce])
    func MQTT_3_2_2_9_v5(_ maximum: QoS) async throws {
        try await BrokerUnderTest.withOwn(.init(maximumQoS: maximum)) { port in
            let (client, connack) = try await RawClient.connecting(
                Connect(version: .v5, clientIdentifier: unique()), port: port)
            #expect(connack.properties.maximumQoS == maximum)
            try await client.send(try publication("t", "too high", .exactlyOnce))
            try await client.expectClosed(.qosNotSupported)
        }
    }

    @Test(
        "MQTT-3.2.2-10 (5.0): a broker of a lower QoS still grants subscriptions of any QoS",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_3_2_2_10_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(maximumQoS: .atMostOnce)) { port in
            let client = try await RawClient.connect(.v5, port: port)
            let suback = try await client.subscribe(
                QoS.allCases.map { Subscription(filter: try TopicFilter("t/\($0)"), qos: $0) })
            #expect(suback.reasonCodes.allSatisfy { !$0.isError })
        }
    }

    @Test(
        "MQTT-3.2.2-12 (5.0): a will above the broker's QoS is refused",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_3_2_2_12_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(maximumQoS: .atMostOnce)) { port in
            let client = try await RawClient.open(.v5, port: port)
            try await client.send(
                .connect(Connect(version: .v5, clientIdentifier: unique(), will: will("t", "will", .atLeastOnce))))
            try await client.expectRefused(.qosNotSupported, mustAnswer: true)
        }
    }

    @Test(
        "MQTT-3.2.2-13 (5.0): a broker that retains nothing refuses a will that is to be retained",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_3_2_2_13_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(retainAvailable: false)) { port in
            let client = try await RawClient.open(.v5, port: port)
            try await client.send(
                .connect(Connect(version: .v5, clientIdentifier: unique(), will: will("t", retain: true))))
            try await client.expectRefused(.retainNotSupported, mustAnswer: true)
        }
    }

    @Test(
        "MQTT-3.2.2-14 (5.0): a broker that retains nothing says so, and closes on a message that is to be retained",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_3_2_2_14_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(retainAvailable: false)) { port in
            let (client, connack) = try await RawClient.connecting(
                Connect(version: .v5, clientIdentifier: unique()), port: port)
            #expect(connack.properties.retainAvailable == false)
            try await client.send(try publication("t", "kept", .atLeastOnce, retain: true))
            try await client.expectClosed(.retainNotSupported)
        }
    }

    @Test(
        "MQTT-3.2.2-15 (5.0): a broker with a Maximum Packet Size says so, and closes on a larger packet",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_3_2_2_15_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(maximumPacketSize: 200)) { port in
            let (client, connack) = try await RawClient.connecting(
                Connect(version: .v5, clientIdentifier: unique()), port: port)
            #expect(connack.properties.maximumPacketSize == 200)
            try await client.publish("t", String(repeating: "x", count: 150))
            // The length alone is enough to refuse it.
            try await client.send(bytes: [0x30, 0xFF, 0x01])
            try await client.expectClosed(.packetTooLarge)
        }
    }

    @Test(
        "5.0 §3.2.2.3.14: a broker that overrides keep-alive says so and acts upon it",
        .enabled(if: !BrokerUnderTest.isForeign))
    func serverKeepAlive() async throws {
        try await BrokerUnderTest.withOwn(.init(maximumKeepAlive: 10)) { port in
            for asked: UInt16 in [0, 60] {
                let (_, connack) = try await RawClient.connecting(
                    Connect(version: .v5, clientIdentifier: unique(), keepAlive: asked), port: port)
                #expect(connack.properties.serverKeepAlive == 10)
            }
            let (_, connack) = try await RawClient.connecting(
                Connect(version: .v5, clientIdentifier: unique(), keepAlive: 5), port: port)
            #expect(connack.properties.serverKeepAlive ?? 5 == 5)
        }
    }

    @Test(
        "5.0 §3.2.2.3.2: a broker that shortens the session says so, and acts upon it",
        .enabled(if: !BrokerUnderTest.isForeign))
    func sessionExpiryOfBroker() async throws {
        try await BrokerUnderTest.withOwn(.init(maximumSessionExpiry: 1)) { port in
            let identifier = unique()
            let (client, connack) = try await RawClient.connectLasting(.v5, identifier, port: port)
            #expect(connack.properties.sessionExpiryInterval == 1)
            try await client.disconnect()
            try await Task.sleep(for: .milliseconds(2500))
            let (_, again) = try await RawClient.connectLasting(.v5, identifier, port: port)
            #expect(!again.sessionPresent)
        }
    }

    @Test("5.0 §3.2.2.3: what the shared broker announces is in range and stands once")
    func announcements() async throws {
        // The decoder refuses what is not. A broker that keeps sessions must not shorten this one unasked.
        let (_, connack) = try await RawClient.connecting(
            Connect(version: .v5, clientIdentifier: unique(), properties: [.sessionExpiryInterval(60)]))
        #expect(connack.properties.sessionExpiryInterval ?? 60 == 60)
        #expect(connack.properties.receiveMaximum != 0)
        #expect(connack.properties.authenticationMethod == nil)
    }

    @Test(
        "MQTT-3.2.2-19 (5.0), MQTT-3.2.2-20 (5.0): a CONNACK does not outgrow the client's Maximum Packet Size",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_3_2_2_19_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(account: ("ada", "lovelace"))) { port in
            let client = try await RawClient.open(.v5, port: port)
            try await client.send(
                .connect(
                    Connect(
                        version: .v5, clientIdentifier: unique(), username: "ada",
                        password: ByteBuffer(string: "byron"),
                        properties: [.maximumPacketSize(8)])))
            _ = try await client.ended()
            for packet in try await client.unread() { #expect(try packet.encodedSize(version: .v5) <= 8) }
        }
    }

    // MARK: Keep-alive

    @Test(
        "MQTT-3.1.2-24 (3.1.1), MQTT-3.1.2-22 (5.0), MQTT-3.2.2-22 (5.0): silence for one and a half keep-alives closes the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_24_v3_MQTT_3_1_2_22_v5(_ version: ProtocolVersion) async throws {
        let (client, connack) = try await RawClient.connecting(
            Connect(version: version, clientIdentifier: unique(), keepAlive: 1))
        #expect(connack.properties.serverKeepAlive == nil)
        let start = ContinuousClock.now
        try await client.expectClosed(.keepAliveTimeout)
        let silence = ContinuousClock.now - start
        #expect(silence > .milliseconds(1200))
        #expect(silence < .seconds(5))
    }

    @Test(
        "3.1.1 §3.1.2.10, 5.0 §3.1.2.10: any packet of the client counts for keep-alive",
        arguments: ProtocolVersion.standard)
    func anyPacketKeepsAlive(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version, keepAlive: 2)
        // Longer than one and a half times as much, in steps that leave a busy machine two seconds.
        for _ in 1...4 {
            try await Task.sleep(for: .milliseconds(1000))
            try await client.publish(topic, "still here")
        }
        try await client.expectSilence()
    }

    @Test(
        "3.1.1 §3.1.2.10, 5.0 §3.1.2.10: what the broker sends does not count for keep-alive",
        arguments: ProtocolVersion.standard)
    func packetsOfBrokerDoNotCount(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version, keepAlive: 1)
        try await client.subscribe(topic, .atMostOnce)
        let publisher = try await RawClient.connect(version)
        let sending = Task {
            while !Task.isCancelled {
                try await publisher.publish(topic)
                try await Task.sleep(for: .milliseconds(200))
            }
        }
        defer { sending.cancel() }
        try await client.expectClosed(.keepAliveTimeout)
    }

    @Test("3.1.1 §3.1.2.10, 5.0 §3.1.2.10: keep-alive 0 is none", arguments: ProtocolVersion.standard)
    func noKeepAlive(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version, keepAlive: 0)
        try await Task.sleep(for: .milliseconds(2500))
        try await client.expectSilence()
    }
}
