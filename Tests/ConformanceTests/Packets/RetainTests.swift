import MQTTWire
import Testing

/// Retained messages (3.1.1 §3.3.1.3, 5.0 §3.3.1.3).
@Suite("Retained messages", .conformance)
struct RetainTests {
    @Test(
        "MQTT-3.3.1-5 (3.1.1, 5.0): a retained message is kept with its QoS and replaces the one before",
        arguments: ProtocolVersion.standard)
    func MQTT_3_3_1_5(_ version: ProtocolVersion) async throws {
        for qos in QoS.allCases {
            let topic = unique("t")
            let publisher = try await RawClient.connect(version)
            try await publisher.publish(topic, "old", .exactlyOnce, retain: true)
            try await publisher.publish(topic, "new", qos, retain: true)
            let client = try await RawClient.connect(version)
            try await client.subscribe(topic)
            let message = try await client.message()
            #expect(message.text == "new")
            #expect(message.qos == qos)
            try await client.expectSilence()
        }
    }

    @Test(
        "MQTT-3.3.1-6 (3.1.1): a new subscription gets the last retained message of each matching topic",
        arguments: ProtocolVersion.standard)
    func MQTT_3_3_1_6_v3(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let publisher = try await RawClient.connect(version)
        for name in ["a", "b", "b/c", "d"] { try await publisher.publish("\(topic)/\(name)", name, retain: true) }
        let client = try await RawClient.connect(version)
        try await client.subscribe("\(topic)/#")
        #expect(try await client.messages(4).map(\.text).sorted() == ["a", "b", "b/c", "d"])
        let other = try await RawClient.connect(version)
        try await other.subscribe("\(topic)/+")
        #expect(try await other.messages(3).map(\.text).sorted() == ["a", "b", "d"])
        try await other.expectSilence()
    }

    @Test(
        "MQTT-3.3.1-7 (3.1.1): a retained message of QoS 0 discards the one before", arguments: ProtocolVersion.standard
    )
    func MQTT_3_3_1_7_v3(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let publisher = try await RawClient.connect(version)
        try await publisher.publish(topic, "old", .atLeastOnce, retain: true)
        try await publisher.publish(topic, "new", .atMostOnce, retain: true)
        let client = try await RawClient.connect(version)
        try await client.subscribe(topic)
        // The new one may be forgotten at any time, the old one must not come back.
        let texts = try await client.fence().map {
            if case .publish(let publish) = $0 { publish.text } else { "\($0)" }
        }
        #expect(texts == ["new"] || texts == [])
    }

    @Test(
        "MQTT-3.3.1-8 (3.1.1): what a subscription finds has RETAIN",
        arguments: ProtocolVersion.standard)
    func MQTT_3_3_1_8_v3(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.publish(topic, "retained", retain: true)
        try await client.subscribe(topic)
        #expect(try await client.message().retain)
    }

    @Test(
        "MQTT-3.3.1-9 (3.1.1), MQTT-3.3.1-12 (5.0): what comes to a subscription that is there has no RETAIN",
        arguments: ProtocolVersion.standard)
    func MQTT_3_3_1_9_v3_MQTT_3_3_1_12_v5(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe(topic)
        for qos in QoS.allCases {
            try await client.publish(topic, "live", qos, retain: true)
            #expect(try await client.message().retain == false)
        }
    }

    @Test(
        "MQTT-3.3.1-10 (3.1.1), MQTT-3.3.1-6 (5.0): an empty payload removes the retained message, and is delivered",
        arguments: ProtocolVersion.standard)
    func MQTT_3_3_1_10_v3_MQTT_3_3_1_6_v5(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let publisher = try await RawClient.connect(version)
        try await publisher.publish(topic, "retained", retain: true)
        let client = try await RawClient.connect(version)
        try await client.subscribe(topic)
        #expect(try await client.message().text == "retained")
        try await publisher.publish(topic, "", retain: true)
        let message = try await client.message()
        #expect(message.text == "")
        #expect(!message.retain)
        let later = try await RawClient.connect(version)
        try await later.subscribe(topic)
        try await later.expectSilence()
    }

    @Test(
        "MQTT-3.3.1-11 (3.1.1), MQTT-3.3.1-7 (5.0): an empty payload is not retained itself",
        arguments: ProtocolVersion.standard)
    func MQTT_3_3_1_11_v3_MQTT_3_3_1_7_v5(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let publisher = try await RawClient.connect(version)
        try await publisher.publish(topic, "", retain: true)
        try await publisher.subscribe(topic)
        try await publisher.expectSilence()
    }

    @Test(
        "MQTT-3.3.1-12 (3.1.1), MQTT-3.3.1-8 (5.0): without RETAIN a message neither stays nor replaces one that does",
        arguments: ProtocolVersion.standard)
    func MQTT_3_3_1_12_v3_MQTT_3_3_1_8_v5(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let publisher = try await RawClient.connect(version)
        try await publisher.publish("\(topic)/none", "passing")
        try await publisher.publish("\(topic)/some", "retained", retain: true)
        try await publisher.publish("\(topic)/some", "passing")
        try await publisher.publish("\(topic)/some", "")
        let client = try await RawClient.connect(version)
        try await client.subscribe("\(topic)/#")
        #expect(try await client.message().text == "retained")
        try await client.expectSilence()
    }

    // MARK: 5.0: retain handling and retain as published

    @Test("MQTT-3.3.1-9 (5.0): retain handling 0 sends the retained messages at every subscribe")
    func MQTT_3_3_1_9_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.publish(topic, "retained", retain: true)
        for _ in 1...3 {
            try await client.subscribe(topic, retainHandling: .onSubscribe)
            let message = try await client.message()
            #expect(message.text == "retained")
            #expect(message.retain)
        }
    }

    @Test("MQTT-3.3.1-10 (5.0): retain handling 1 sends the retained messages to new subscriptions only")
    func MQTT_3_3_1_10_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.publish(topic, "retained", retain: true)
        try await client.subscribe(topic, retainHandling: .onNewSubscribe)
        #expect(try await client.message().text == "retained")
        try await client.subscribe(topic, .atLeastOnce, retainHandling: .onNewSubscribe)
        try await client.expectSilence()
        try await client.unsubscribe(topic)
        try await client.subscribe(topic, retainHandling: .onNewSubscribe)
        #expect(try await client.message().text == "retained")
    }

    @Test("5.0 §3.3.1.3: retain handling 1 knows the subscriptions of a session that was resumed")
    func retainHandlingOfResumedSession() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(.v5, identifier)
        try await client.publish(topic, "retained", retain: true)
        try await client.subscribe(topic, retainHandling: .never)
        try await client.disconnect()
        let (again, _) = try await RawClient.connectLasting(.v5, identifier)
        try await again.subscribe(topic, retainHandling: .onNewSubscribe)
        try await again.expectSilence()
    }

    @Test("MQTT-3.3.1-11 (5.0): retain handling 2 sends no retained messages")
    func MQTT_3_3_1_11_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.publish(topic, "retained", retain: true)
        for _ in 1...2 {
            try await client.subscribe(topic, retainHandling: .never)
            try await client.expectSilence()
        }
        try await client.publish(topic, "live")
        #expect(try await client.message().text == "live")
    }

    @Test("MQTT-3.3.1-13 (5.0): retain as published passes the flag on as it was")
    func MQTT_3_3_1_13_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.subscribe(topic, retainAsPublished: true)
        for retain in [true, false] {
            try await client.publish(topic, "live", retain: retain)
            #expect(try await client.message().retain == retain)
        }
    }

    @Test("5.0 §3.3.1.3: retained messages found by a subscription have RETAIN whatever its retain as published")
    func retainAsPublishedOfRetained() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.publish(topic, "retained", retain: true)
        for asPublished in [true, false] {
            try await client.subscribe(topic, retainAsPublished: asPublished)
            #expect(try await client.message().retain)
        }
    }

    @Test("5.0 §3.3.1.3: retained messages keep their properties")
    func propertiesOfRetained() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.publish(
            topic, "retained", retain: true,
            properties: [.contentType("text/plain"), .userProperty(name: "a", value: "b"), .messageExpiryInterval(600)])
        try await client.subscribe(topic)
        let properties = try await client.message().properties
        #expect(properties.contentType == "text/plain")
        #expect(properties.userProperty("a") == "b")
        #expect((590...600).contains(properties.messageExpiryInterval ?? 0))
    }
}
