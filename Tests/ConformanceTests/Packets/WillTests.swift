import MQTTWire
import NIOCore
import Testing

/// The will (3.1.1 §3.1.2.5, 5.0 §3.1.2.5 and §3.1.3.2).
@Suite("Wills", .conformance)
struct WillTests {
    @Test(
        "MQTT-3.1.2-8 (3.1.1, 5.0), MQTT-3.1.2-7 (5.0): the will is published when the connection is lost",
        arguments: ProtocolVersion.standard, QoS.allCases)
    func MQTT_3_1_2_8(_ version: ProtocolVersion, _ qos: QoS) async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(version)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(version, will: will(topic, "lost", qos))
        try await client.drop()
        let message = try await watcher.message()
        #expect(message.text == "lost")
        #expect(message.qos == qos)
    }

    @Test(
        "3.1.1 §3.1.2.5, 5.0 §3.1.2.5: the will is published at a protocol error", arguments: ProtocolVersion.standard)
    func protocolError(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(version)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(version, will: will(topic, "broken"))
        try await client.send(bytes: [0x00, 0x00])
        #expect(try await watcher.message().text == "broken")
    }

    @Test(
        "3.1.1 §3.1.2.5, 5.0 §3.1.2.5: the will is published when keep-alive runs out",
        arguments: ProtocolVersion.standard)
    func keepAlive(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(version)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(version, keepAlive: 1, will: will(topic, "silent"))
        #expect(try await watcher.message().text == "silent")
        _ = try await client.ended()
    }

    @Test("3.1.1 §3.1.2.5, 5.0 §3.1.2.5: the will is published at a take-over", arguments: ProtocolVersion.standard)
    func takeOver(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(version)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(version, will: will(topic, "taken over"))
        _ = try await RawClient.connect(version, client.identifier)
        #expect(try await watcher.message().text == "taken over")
    }

    @Test(
        "MQTT-3.1.2-9 (3.1.1, 5.0): a will flag without will topic or payload closes the connection",
        arguments: ProtocolVersion.standard, [0, 1])
    func MQTT_3_1_2_9(_ version: ProtocolVersion, _ fields: Int) async throws {
        let client = try await RawClient.open(version)
        let payload = field(unique()) + properties(version) + (fields == 1 ? field(unique("t")) : [])
        try await client.send(bytes: connectBytes(version, flags: 0x06, payload: payload))
        try await client.expectRefused(.malformedPacket, .protocolError)
    }

    @Test(
        "MQTT-3.1.2-10 (3.1.1, 5.0): a will that was published is gone",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_10(_ version: ProtocolVersion) async throws {
        let (topic, identifier) = (unique("t"), unique())
        let watcher = try await RawClient.connect(version)
        try await watcher.subscribe(topic)
        let first = try await RawClient.connect(
            version, identifier, cleanStart: false, will: will(topic, "will"),
            properties: version == .v5 ? [.sessionExpiryInterval(300)] : [])
        try await first.drop()
        #expect(try await watcher.message().text == "will")
        // The session is the same, the will is not.
        let (second, _) = try await RawClient.connectLasting(version, identifier)
        try await second.drop()
        try await second.expectNothing(on: topic, watcher: watcher)
    }

    @Test(
        "MQTT-3.14.4-3 (3.1.1, 5.0): a DISCONNECT without a reason to the contrary discards the will",
        arguments: ProtocolVersion.standard)
    func MQTT_3_14_4_3(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(version)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(version, will: will(topic))
        try await client.disconnect()
        try await client.expectNothing(on: topic, watcher: watcher)
    }

    @Test("5.0 §3.14.2.1: a DISCONNECT with 0x04 publishes the will")
    func disconnectWithWill() async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(.v5)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(.v5, will: will(topic, "on request"))
        try await client.disconnect(.disconnectWithWill)
        #expect(try await watcher.message().text == "on request")
    }

    @Test(
        "5.0 §3.1.2.5: a DISCONNECT with an error publishes the will",
        arguments: [ReasonCode.unspecifiedError, .quotaExceeded])
    func disconnectWithError(_ reason: ReasonCode) async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(.v5)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(.v5, will: will(topic, "in error"))
        try await client.disconnect(reason)
        #expect(try await watcher.message().text == "in error")
    }

    @Test(
        "MQTT-3.1.2-11 (3.1.1): will fields without a will flag close the connection",
        arguments: [0x0A, 0x12, 0x22] as [UInt8])
    func MQTT_3_1_2_11_v3(_ flags: UInt8) async throws {
        let client = try await RawClient.open(.v3_1_1)
        try await client.send(bytes: connectBytes(.v3_1_1, flags: flags))
        try await client.expectRefused()
    }

    @Test("MQTT-3.1.2-12 (3.1.1): without a will flag nothing is published", arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_12_v3(_ version: ProtocolVersion) async throws {
        let watcher = try await RawClient.connect(version)
        let topic = unique("t")
        try await watcher.subscribe("\(topic)/#")
        let client = try await RawClient.connect(version)
        try await client.drop()
        try await client.expectNothing(on: "\(topic)/fence", watcher: watcher)
    }

    @Test(
        "MQTT-3.1.2-13 (3.1.1), MQTT-3.1.2-11 (5.0): a will QoS without a will flag closes the connection",
        arguments: ProtocolVersion.standard, [0x0A, 0x12, 0x1A] as [UInt8])
    func MQTT_3_1_2_13_v3_MQTT_3_1_2_11_v5(_ version: ProtocolVersion, _ flags: UInt8) async throws {
        let client = try await RawClient.open(version)
        try await client.send(bytes: connectBytes(version, flags: flags))
        try await client.expectRefused(.malformedPacket, .protocolError)
    }

    @Test(
        "MQTT-3.1.2-14 (3.1.1), MQTT-3.1.2-12 (5.0): a will QoS of 3 closes the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_14_v3_MQTT_3_1_2_12_v5(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.open(version)
        let payload = field(unique()) + properties(version) + field(unique("t")) + field("will")
        try await client.send(bytes: connectBytes(version, flags: 0x1E, payload: payload))
        try await client.expectRefused(.malformedPacket, .protocolError)
    }

    @Test(
        "MQTT-3.1.2-15 (3.1.1), MQTT-3.1.2-13 (5.0): will retain without a will flag closes the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_15_v3_MQTT_3_1_2_13_v5(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.open(version)
        try await client.send(bytes: connectBytes(version, flags: 0x22))
        try await client.expectRefused(.malformedPacket, .protocolError)
    }

    @Test(
        "MQTT-3.1.2-16 (3.1.1), MQTT-3.1.2-14 (5.0): without will retain the will is not retained",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_16_v3_MQTT_3_1_2_14_v5(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(version)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(version, will: will(topic))
        try await client.drop()
        #expect(try await watcher.message().retain == false)
        let later = try await RawClient.connect(version)
        try await later.subscribe(topic)
        try await later.expectSilence()
    }

    @Test(
        "MQTT-3.1.2-17 (3.1.1), MQTT-3.1.2-15 (5.0): with will retain the will is retained",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_17_v3_MQTT_3_1_2_15_v5(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(version)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(version, will: will(topic, "retained", .atLeastOnce, retain: true))
        try await client.drop()
        #expect(try await watcher.message().retain == false)
        let later = try await RawClient.connect(version)
        try await later.subscribe(topic)
        let message = try await later.message()
        #expect(message.retain)
        #expect(message.text == "retained")
        #expect(message.qos == .atLeastOnce)
    }

    @Test("3.1.1 §3.1.3.3, 5.0 §3.1.3.4: the will's payload may be empty", arguments: ProtocolVersion.standard)
    func emptyPayload(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(version)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(version, will: will(topic, ""))
        try await client.drop()
        #expect(try await watcher.message().text == "")
    }

    @Test(
        "3.1.1 §4.7.3, 5.0 §4.7.3: wildcards in a will topic are refused", arguments: ProtocolVersion.standard,
        ["a/#", "+", ""])
    func wildcardTopic(_ version: ProtocolVersion, _ topic: String) async throws {
        let client = try await RawClient.open(version)
        let payload = field(unique()) + properties(version) + field(topic) + field("will")
        try await client.send(bytes: connectBytes(version, flags: 0x06, payload: payload))
        try await client.expectRefused(.malformedPacket, .protocolError, .topicNameInvalid)
    }

    // MARK: 5.0

    @Test(
        "5.0 §3.1.3.2: properties of the will that are out of range, repeated or misplaced close the connection",
        arguments: [
            [0x18, 0, 0, 0, 1, 0x18, 0, 0, 0, 1], [0x01, 0x02], [0x01, 0x00, 0x01, 0x00],
            [0x02, 0, 0, 0, 1, 0x02, 0, 0, 0, 1], [0x03, 0, 1, 0x61, 0x03, 0, 1, 0x61],
            [0x08, 0, 1, 0x23],  // a wildcard as Response Topic
            [0x09, 0, 1, 0x61, 0x09, 0, 1, 0x61],
            [0x23, 0, 1],  // Topic Alias
            [0x11, 0, 0, 0, 1],  // Session Expiry Interval
            [0x26, 0, 1, 0x61, 0, 1, 0xFF],  // a user property of ill-formed UTF-8
        ] as [[UInt8]])
    func invalidProperties(_ bytes: [UInt8]) async throws {
        let client = try await RawClient.open(.v5)
        let payload = field(unique()) + properties(.v5, bytes) + field(unique("t")) + field("will")
        try await client.send(bytes: connectBytes(.v5, flags: 0x06, payload: payload))
        try await client.expectRefused(.protocolError, .malformedPacket, .topicNameInvalid)
    }

    @Test("MQTT-3.1.3-9 (5.0): a client that is back before the will delay has passed keeps its will from being sent")
    func MQTT_3_1_3_9_v5() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let watcher = try await RawClient.connect(.v5)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(
            .v5, identifier, will: will(topic, properties: [.willDelayInterval(1)]),
            properties: [.sessionExpiryInterval(300)])
        try await client.drop()
        let (again, connack) = try await RawClient.connectLasting(.v5, identifier)
        #expect(connack.sessionPresent)
        try await Task.sleep(for: .milliseconds(2500))
        try await again.expectNothing(on: topic, watcher: watcher)
    }

    @Test("5.0 §3.1.3.2.2: the will is published when its delay has passed, and not before")
    func willDelay() async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(.v5)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(
            .v5, will: will(topic, "late", properties: [.willDelayInterval(1)]),
            properties: [.sessionExpiryInterval(300)])
        let start = ContinuousClock.now
        try await client.drop()
        let message = try await watcher.message()
        #expect(message.text == "late")
        #expect(message.properties.willDelayInterval == nil)
        // A broker may count in whole seconds, from the second in which the connection was lost.
        #expect(ContinuousClock.now - start > .milliseconds(400))
    }

    @Test("5.0 §3.1.3.2.2: the will is published at the session's end if that comes before the delay")
    func sessionEndsBeforeDelay() async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(.v5)
        try await watcher.subscribe(topic)
        // A session that ends with its connection.
        let client = try await RawClient.connect(
            .v5, will: will(topic, "at once", properties: [.willDelayInterval(600)]))
        try await client.drop()
        #expect(try await watcher.message().text == "at once")
        // One that ends a second later.
        let other = try await RawClient.connect(
            .v5, will: will(topic, "a second later", properties: [.willDelayInterval(600)]),
            properties: [.sessionExpiryInterval(1)])
        try await other.drop()
        #expect(try await watcher.message().text == "a second later")
    }

    @Test("5.0 §3.1.4: a take-over that starts clean ends the session, and with it the will's delay")
    func cleanStartEndsDelay() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let watcher = try await RawClient.connect(.v5)
        try await watcher.subscribe(topic)
        let client = try await RawClient.connect(
            .v5, identifier, will: will(topic, "of the old session", properties: [.willDelayInterval(600)]),
            properties: [.sessionExpiryInterval(300)])
        _ = try await RawClient.connect(.v5, identifier, cleanStart: true)
        _ = try await client.ended()
        #expect(try await watcher.message().text == "of the old session")
    }

    @Test("MQTT-3.1.3-10 (5.0): the will's user properties keep their order")
    func MQTT_3_1_3_10_v5() async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(.v5)
        try await watcher.subscribe(topic)
        let pairs = [("b", "1"), ("a", "2"), ("b", "3"), ("", ""), ("a", "2")]
        let client = try await RawClient.connect(
            .v5, will: will(topic, properties: Properties(pairs.map { .userProperty(name: $0, value: $1) })))
        try await client.drop()
        let received = try await watcher.message().properties.userProperties
        #expect(received.map { "\($0.name)=\($0.value)" } == pairs.map { "\($0)=\($1)" })
    }

    @Test("5.0 §3.1.3.2: the will's properties reach its subscribers")
    func willProperties() async throws {
        let topic = unique("t")
        let watcher = try await RawClient.connect(.v5)
        try await watcher.subscribe(topic)
        let properties: Properties = [
            .payloadFormatIndicator(true), .contentType("text/plain"), .responseTopic(try TopicName("answer")),
            .correlationData(ByteBuffer(bytes: [0, 1, 255])),
        ]
        let client = try await RawClient.connect(.v5, will: will(topic, properties: properties))
        try await client.drop()
        let received = try await watcher.message().properties
        #expect(received.payloadFormatIndicator == true)
        #expect(received.contentType == "text/plain")
        #expect(received.responseTopic?.string == "answer")
        #expect(received.correlationData == ByteBuffer(bytes: [0, 1, 255]))
    }
}

extension RawClient {
    /// Nothing may have come to a watcher of a topic before what comes now: a message of somebody else.
    func expectNothing(on topic: String, watcher: RawClient) async throws {
        let publisher = try await RawClient.connect(version)
        try await publisher.publish(topic, "fence")
        let message = try await watcher.message()
        guard message.text == "fence" else { throw Surprise("nothing awaited on \(topic), got \(message)") }
    }
}
