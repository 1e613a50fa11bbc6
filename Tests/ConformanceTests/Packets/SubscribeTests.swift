import MQTTWire
import Testing

/// Chapters 3.8 and 3.9.
@Suite("SUBSCRIBE", .conformance)
struct SubscribeTests {
    @Test(
        "MQTT-3.8.1-1 (3.1.1, 5.0): SUBSCRIBE with other flags closes the connection",
        arguments: ProtocolVersion.standard, [0x80, 0x81, 0x83, 0x8A] as [UInt8])
    func MQTT_3_8_1_1(_ version: ProtocolVersion, _ first: UInt8) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: subscribeBytes(version, filter: Array("t".utf8), first: first))
        try await client.expectClosed(.malformedPacket)
    }

    @Test(
        "MQTT-3.8.3-1 (3.1.1, 5.0): a topic filter of ill-formed UTF-8 closes the connection",
        arguments: ProtocolVersion.standard, illFormed)
    func MQTT_3_8_3_1(_ version: ProtocolVersion, _ bytes: [UInt8]) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: subscribeBytes(version, filter: Array("a/".utf8) + bytes))
        try await client.expectClosed(.malformedPacket, .topicFilterInvalid)
    }

    @Test(
        "MQTT-3.8.3-3 (3.1.1), MQTT-3.8.3-2 (5.0): a SUBSCRIBE without a topic filter closes the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_3_8_3_3_v3_MQTT_3_8_3_2_v5(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: packet(0x82, [0, 10] + properties(version)))
        try await client.expectClosed(.protocolError, .malformedPacket)
    }

    @Test(
        "MQTT-3-8.3-4 (3.1.1), MQTT-3.8.3-5 (5.0): reserved bits in the options close the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_3_8_3_4_v3_MQTT_3_8_3_5_v5(_ version: ProtocolVersion) async throws {
        let reserved: [UInt8] = version == .v5 ? [0x40, 0x80] : [0x04, 0x08, 0x10, 0x20, 0x40, 0x80]
        for options in reserved {
            let client = try await RawClient.connect(version)
            try await client.send(bytes: subscribeBytes(version, filter: Array("t".utf8), options: options))
            try await client.expectClosed(.malformedPacket)
        }
    }

    @Test("3.1.1 §3.8.3, 5.0 §3.8.3.1: a requested QoS of 3 closes the connection", arguments: ProtocolVersion.standard)
    func requestedQoS3(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: subscribeBytes(version, filter: Array("t".utf8), options: 0x03))
        try await client.expectClosed(.protocolError, .malformedPacket)
    }

    @Test("5.0 §3.8.3.1: a retain handling of 3 closes the connection")
    func retainHandling3() async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: subscribeBytes(.v5, filter: Array("t".utf8), options: 0x30))
        try await client.expectClosed(.protocolError, .malformedPacket)
    }

    @Test(
        "5.0 §3.8.2.1.2: a subscription identifier of 0 or given twice closes the connection",
        arguments: [[0x0B, 0x00], [0x0B, 0x01, 0x0B, 0x02]] as [[UInt8]])
    func invalidSubscriptionIdentifier(_ bytes: [UInt8]) async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: subscribeBytes(.v5, filter: Array("t".utf8), properties: bytes))
        try await client.expectClosed(.protocolError, .malformedPacket)
    }

    @Test("MQTT-3.8.3-3 (5.0): No Local keeps a client's own messages from it")
    func MQTT_3_8_3_3_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        let other = try await RawClient.connect(.v5)
        try await client.subscribe(topic, noLocal: true)
        try await client.publish(topic, "own")
        try await other.publish(topic, "of another")
        #expect(try await client.message().text == "of another")
        try await client.expectSilence()
    }

    @Test("5.0 §3.8.3.1: No Local goes by the client identifier, in the next connection too")
    func noLocalAcrossConnections() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(.v5, identifier)
        try await client.subscribe(topic, noLocal: true)
        try await client.disconnect()
        let (again, _) = try await RawClient.connectLasting(.v5, identifier)
        try await again.publish(topic, "own")
        let other = try await RawClient.connect(.v5)
        try await other.publish(topic, "of another")
        #expect(try await again.message().text == "of another")
    }

    @Test("MQTT-3.8.3-4 (5.0): No Local on a shared subscription is a protocol error")
    func MQTT_3_8_3_4_v5() async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: subscribeBytes(.v5, filter: Array("$share/g/\(unique("t"))".utf8), options: 0x04))
        try await client.expectClosed(.protocolError)
    }

    @Test("MQTT-3.8.4-1 (3.1.1, 5.0): SUBSCRIBE is answered with SUBACK", arguments: ProtocolVersion.standard)
    func MQTT_3_8_4_1(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: subscribeBytes(version, filter: Array(unique("t").utf8)))
        guard case .suback = try await client.next() else { throw Surprise("SUBACK awaited") }
    }

    @Test(
        "MQTT-3.8.4-2 (3.1.1, 5.0): SUBACK has the packet identifier of its SUBSCRIBE",
        arguments: ProtocolVersion.standard)
    func MQTT_3_8_4_2(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        for number: UInt16 in [7, 300, 65_535] {
            try await client.send(bytes: subscribeBytes(version, filter: Array(unique("t").utf8), identifier: number))
        }
        for number: UInt16 in [7, 300, 65_535] {
            #expect(try await client.suback().packetIdentifier == id(number))
        }
    }

    @Test(
        "MQTT-3.8.4-3 (3.1.1, 5.0): subscribing to the same filter replaces the subscription",
        arguments: ProtocolVersion.standard)
    func MQTT_3_8_4_3(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.publish(topic, "retained", .exactlyOnce, retain: true)
        try await client.subscribe(topic, .atMostOnce)
        #expect(try await client.message().qos == .atMostOnce)
        try await client.subscribe(topic, .exactlyOnce)
        // The retained message comes again.
        #expect(try await client.message().qos == .exactlyOnce)
        try await client.publish(topic, "once", .exactlyOnce)
        let message = try await client.message()
        #expect(message.text == "once")
        #expect(message.qos == .exactlyOnce)
        try await client.expectSilence()
        // It was one subscription all the time.
        try await client.unsubscribe(topic)
        try await client.publish(topic, "none")
        try await client.expectSilence()
    }

    @Test("MQTT-3.8.4-4 (5.0): replacing a subscription sends retained messages again and loses no others")
    func MQTT_3_8_4_4_v5() async throws {
        let topic = unique("t")
        let publisher = try await RawClient.connect(.v5)
        try await publisher.publish("\(topic)/retained", "retained", retain: true)
        let client = try await RawClient.connect(.v5)
        try await client.subscribe("\(topic)/+")
        #expect(try await client.message().text == "retained")
        // Half the messages are sent before the replacement, half behind it, in one go with it.
        for number in 1...10 {
            try await publisher.publish("\(topic)/live", "\(number)", .atLeastOnce)
            if number == 5 { try await client.subscribe("\(topic)/+", retainHandling: .onSubscribe) }
        }
        var texts: [String] = []
        while texts.count < 11 { texts.append(try await client.message().text) }
        #expect(texts.filter { $0 != "retained" } == (1...10).map { "\($0)" })
        #expect(texts.contains("retained"))
    }

    @Test(
        "MQTT-3.8.4-4 (3.1.1), MQTT-3.8.4-5 (5.0): several filters in one SUBSCRIBE work like as many SUBSCRIBEs",
        arguments: ProtocolVersion.standard)
    func MQTT_3_8_4_4_v3_MQTT_3_8_4_5_v5(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.publish("\(topic)/a", "retained", retain: true)
        let suback = try await client.subscribe([
            Subscription(filter: try TopicFilter("\(topic)/a"), qos: .atMostOnce),
            Subscription(filter: try TopicFilter("\(topic)/b"), qos: .exactlyOnce),
            // The last one for a filter counts.
            Subscription(filter: try TopicFilter("\(topic)/a"), qos: .atLeastOnce),
        ])
        #expect(suback.reasonCodes == [.grantedQoS0, .grantedQoS2, .grantedQoS1])
        let retained = try await client.fence().compactMap {
            if case .publish(let publish) = $0 { publish } else { nil }
        }
        #expect(!retained.isEmpty && retained.allSatisfy { $0.text == "retained" })
        for case let publish in retained where publish.qos != .atMostOnce { try await client.acknowledge(publish) }
        try await client.publish("\(topic)/a", "a", .exactlyOnce)
        #expect(try await client.message().qos == .atLeastOnce)
        try await client.publish("\(topic)/b", "b", .exactlyOnce)
        #expect(try await client.message().qos == .exactlyOnce)
    }

    @Test(
        "MQTT-3.8.4-5 (3.1.1), MQTT-3.8.4-6 (5.0): SUBACK has a code for each filter",
        arguments: ProtocolVersion.standard, [1, 2, 50])
    func MQTT_3_8_4_5_v3_MQTT_3_8_4_6_v5(_ version: ProtocolVersion, _ count: Int) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        let suback = try await client.subscribe(
            (0..<count).map { Subscription(filter: try TopicFilter("\(topic)/\($0)"), qos: .atLeastOnce) })
        #expect(suback.reasonCodes.count == count)
    }

    @Test("MQTT-3.8.4-7 (5.0): SUBACK says which QoS was granted", arguments: ProtocolVersion.standard, QoS.allCases)
    func MQTT_3_8_4_7_v5(_ version: ProtocolVersion, _ qos: QoS) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        let suback = try await client.subscribe([Subscription(filter: try TopicFilter(topic), qos: qos)])
        let granted = try #require(QoS(rawValue: suback.reasonCodes[0].rawValue))
        #expect(granted <= qos)
        try await client.publish(topic, "2", .exactlyOnce)
        #expect(try await client.message().qos == granted)
    }

    @Test(
        "MQTT-3.8.4-6 (3.1.1), MQTT-3.8.4-8 (5.0): a message comes with the lower of its QoS and the one granted",
        arguments: ProtocolVersion.standard, QoS.allCases)
    func MQTT_3_8_4_6_v3_MQTT_3_8_4_8_v5(_ version: ProtocolVersion, _ granted: QoS) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe(topic, granted)
        for published in QoS.allCases {
            try await client.publish(topic, "\(published)", published)
            #expect(try await client.message().qos == min(granted, published))
        }
    }

    @Test(
        "MQTT-3.9.3-1 (3.1.1, 5.0): the codes of SUBACK stand in the order of the filters",
        arguments: ProtocolVersion.standard)
    func MQTT_3_9_3_1(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        let asked: [QoS] = [.exactlyOnce, .atMostOnce, .atLeastOnce, .atLeastOnce, .exactlyOnce, .atMostOnce]
        let suback = try await client.subscribe(
            asked.enumerated().map { Subscription(filter: try TopicFilter("\(topic)/\($0)"), qos: $1) })
        #expect(suback.reasonCodes.map(\.rawValue) == asked.map(\.rawValue))
    }

    @Test("MQTT-3.9.3-2 (3.1.1, 5.0): SUBACK uses the codes of its table", arguments: ProtocolVersion.standard)
    func MQTT_3_9_3_2(_ version: ProtocolVersion) async throws {
        // The decoder refuses any other. `$SYS` may be granted or not.
        let client = try await RawClient.connect(version)
        let suback = try await client.subscribe(
            [unique("t"), "$SYS/#", "$share/g/\(unique("t"))"].map {
                Subscription(filter: try TopicFilter($0), qos: .atLeastOnce)
            })
        #expect(suback.reasonCodes[0] == .grantedQoS1)
    }

    @Test(
        "MQTT-3.8.3-2 (3.1.1): a broker without wildcards refuses subscriptions with them",
        .enabled(if: !BrokerUnderTest.isForeign), arguments: ProtocolVersion.standard)
    func MQTT_3_8_3_2_v3(_ version: ProtocolVersion) async throws {
        try await BrokerUnderTest.withOwn(.init(wildcardsAvailable: false)) { port in
            let (client, connack) = try await RawClient.connecting(
                Connect(version: version, clientIdentifier: unique()), port: port)
            if version == .v5 { #expect(connack.properties.wildcardSubscriptionAvailable == false) }
            let suback = try? await client.subscribe([
                Subscription(filter: try TopicFilter("a/+"), qos: .atLeastOnce),
                Subscription(filter: try TopicFilter("a/b"), qos: .atLeastOnce),
            ])
            // 5.0 calls it a protocol error: either answer will do.
            if let suback {
                let refusal = version == .v5 ? ReasonCode.wildcardSubscriptionsNotSupported : .unspecifiedError
                #expect(suback.reasonCodes == [refusal, .grantedQoS1])
            } else {
                try await client.expectClosed(.wildcardSubscriptionsNotSupported)
            }
        }
    }

    @Test(
        "5.0 §3.2.2.3.13: a broker without shared subscriptions says so and refuses them",
        .enabled(if: !BrokerUnderTest.isForeign))
    func sharedSubscriptionsNotAvailable() async throws {
        try await BrokerUnderTest.withOwn(.init(sharedSubscriptionsAvailable: false)) { port in
            let (client, connack) = try await RawClient.connecting(
                Connect(version: .v5, clientIdentifier: unique()), port: port)
            #expect(connack.properties.sharedSubscriptionAvailable == false)
            let shared = Subscription(filter: try TopicFilter("$share/g/t"), qos: .atLeastOnce)
            if let suback = try? await client.subscribe([shared]) {
                #expect(suback.reasonCodes == [.sharedSubscriptionsNotSupported])
            } else {
                try await client.expectClosed(.sharedSubscriptionsNotSupported)
            }
        }
    }
}
