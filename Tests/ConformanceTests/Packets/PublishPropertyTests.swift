import MQTTWire
import NIOCore
import Testing

/// The properties of PUBLISH (5.0 §3.3.2.3).
@Suite("Properties of PUBLISH", .conformance)
struct PublishPropertyTests {
    /// What a subscriber gets of these properties.
    private func passed(_ properties: Properties) async throws -> Properties {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.subscribe(topic)
        try await client.publish(topic, properties: properties)
        return try await client.message().properties
    }

    @Test("MQTT-3.3.2-4 (5.0): the payload format indicator is passed on unaltered", arguments: [true, false])
    func MQTT_3_3_2_4_v5(_ indicator: Bool) async throws {
        let received = try await passed([.payloadFormatIndicator(indicator)]).payloadFormatIndicator
        // Absent means 0.
        #expect(received == indicator || !indicator && received == nil)
    }

    @Test("MQTT-3.3.2-5 (5.0): a message that has expired is not delivered any more")
    func MQTT_3_3_2_5_v5() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(.v5, identifier)
        try await client.subscribe("\(topic)/#")
        try await client.disconnect()
        let publisher = try await RawClient.connect(.v5)
        try await publisher.publish("\(topic)/1", "expires", .atLeastOnce, properties: [.messageExpiryInterval(1)])
        try await publisher.publish("\(topic)/2", "expires", .exactlyOnce, properties: [.messageExpiryInterval(1)])
        try await publisher.publish("\(topic)/3", "stays", .atLeastOnce, properties: [.messageExpiryInterval(600)])
        try await publisher.publish("\(topic)/4", "expires", retain: true, properties: [.messageExpiryInterval(1)])
        try await Task.sleep(for: .milliseconds(2500))
        let (again, _) = try await RawClient.connectLasting(.v5, identifier)
        #expect(try await again.message().text == "stays")
        try await again.expectSilence()
        // Nor is it retained any more.
        let later = try await RawClient.connect(.v5)
        try await later.subscribe("\(topic)/#")
        try await later.expectSilence()
    }

    @Test("MQTT-3.3.2-6 (5.0): the expiry interval is passed on less the time that the message waited")
    func MQTT_3_3_2_6_v5() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(.v5, identifier)
        try await client.subscribe(topic)
        try await client.disconnect()
        let publisher = try await RawClient.connect(.v5)
        try await publisher.publish(topic, "waits", properties: [.messageExpiryInterval(100)])
        try await Task.sleep(for: .milliseconds(2200))
        let (again, _) = try await RawClient.connectLasting(.v5, identifier)
        let left = try #require(try await again.message().properties.messageExpiryInterval)
        #expect((90...98).contains(left))
        // One that does not wait keeps it, but for a second.
        try await publisher.publish(topic, "does not wait", properties: [.messageExpiryInterval(100)])
        let all = try #require(try await again.message().properties.messageExpiryInterval)
        #expect((95...100).contains(all))
    }

    @Test("MQTT-3.3.2-6 (5.0): a retained message's expiry interval counts down too")
    func MQTT_3_3_2_6_v5_retained() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.publish(topic, "waits", retain: true, properties: [.messageExpiryInterval(100)])
        try await Task.sleep(for: .milliseconds(2200))
        try await client.subscribe(topic)
        let left = try #require(try await client.message().properties.messageExpiryInterval)
        #expect((90...98).contains(left))
    }

    // MARK: Topic aliases of the client

    /// A connection, and how many topic aliases the broker lets it have.
    private func aliasing(_ identifier: String = unique(), cleanStart: Bool = true) async throws -> (RawClient, UInt16)
    {
        let (client, connack) = try await RawClient.connecting(
            Connect(
                version: .v5, clientIdentifier: identifier, cleanStart: cleanStart,
                properties: [.sessionExpiryInterval(60)]))
        return (client, connack.properties.topicAliasMaximum ?? 0)
    }

    @Test("5.0 §3.3.2.3.4: a topic alias stands for its topic, and can be given another")
    func aliases() async throws {
        let topic = unique("t")
        let (client, maximum) = try await aliasing()
        try #require(maximum > 0, "the broker allows no topic aliases")
        try await client.subscribe("\(topic)/+")
        func publish(_ name: String?, _ alias: UInt16) -> Packet {
            .publish(
                Publish(
                    topic: name.flatMap { try? TopicName("\(topic)/\($0)") }, payload: ByteBuffer(string: name ?? "-"),
                    properties: [.topicAlias(alias)]))
        }
        try await client.send(publish("a", 1), publish(nil, 1), publish("b", 1), publish(nil, 1))
        let messages = try await client.messages(4)
        #expect(messages.map { $0.topic?.string } == ["a", "a", "b", "b"].map { "\(topic)/\($0)" })
        #expect(messages.map(\.text) == ["a", "-", "b", "-"])
        // The publisher's alias is no business of the subscriber.
        #expect(messages.allSatisfy { $0.properties.topicAlias == nil })
    }

    @Test("MQTT-3.3.2-7 (5.0): topic aliases end with the connection, even if the session does not")
    func MQTT_3_3_2_7_v5() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, maximum) = try await aliasing(identifier)
        try #require(maximum > 0, "the broker allows no topic aliases")
        try await client.publish(topic, properties: [.topicAlias(1)])
        try await client.disconnect()
        let (again, _) = try await aliasing(identifier, cleanStart: false)
        try await again.send(.publish(Publish(topic: nil, payload: ByteBuffer(), properties: [.topicAlias(1)])))
        try await again.expectClosed(.protocolError, .topicAliasInvalid)
    }

    @Test("5.0 §3.3.2.3.4: a topic alias that stands for nothing is a protocol error")
    func unknownAlias() async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(.publish(Publish(topic: nil, payload: ByteBuffer(), properties: [.topicAlias(1)])))
        try await client.expectClosed(.protocolError, .topicAliasInvalid)
    }

    @Test("MQTT-3.3.2-8 (5.0): topic alias 0 closes the connection")
    func MQTT_3_3_2_8_v5() async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: publishBytes(.v5, topic: Array("t".utf8), properties: [0x23, 0x00, 0x00]))
        try await client.expectClosed(.topicAliasInvalid, .protocolError, .malformedPacket)
    }

    @Test("MQTT-3.3.2-9 (5.0), MQTT-3.2.2-17 (5.0): a topic alias above the broker's maximum closes the connection")
    func MQTT_3_3_2_9_v5() async throws {
        let (client, maximum) = try await aliasing()
        try #require(maximum < .max, "no alias is above the maximum")
        try await client.send(try publication(unique("t"), properties: [.topicAlias(maximum + 1)]))
        try await client.expectClosed(.topicAliasInvalid)
    }

    @Test(
        "MQTT-3.2.2-18 (5.0): a broker that announces no topic aliases closes on any",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_3_2_2_18_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(topicAliasMaximum: 0)) { port in
            let (client, connack) = try await RawClient.connecting(
                Connect(version: .v5, clientIdentifier: unique()), port: port)
            #expect(connack.properties.topicAliasMaximum ?? 0 == 0)
            try await client.send(try publication("t", properties: [.topicAlias(1)]))
            try await client.expectClosed(.topicAliasInvalid)
        }
    }

    @Test("MQTT-3.3.2-12 (5.0): all topic aliases up to the broker's maximum are accepted")
    func MQTT_3_3_2_12_v5() async throws {
        let topic = unique("t")
        let (client, maximum) = try await aliasing()
        try #require(maximum > 0, "the broker allows no topic aliases")
        try await client.subscribe("\(topic)/+", .atMostOnce)
        for alias in Set([1, maximum / 2 + 1, maximum]).sorted() {
            try await client.publish("\(topic)/\(alias)", "first", properties: [.topicAlias(alias)])
            try await client.send(
                .publish(Publish(topic: nil, payload: ByteBuffer(), properties: [.topicAlias(alias)])))
            #expect(
                try await client.messages(2).map { $0.topic?.string } == ["\(topic)/\(alias)", "\(topic)/\(alias)"])
        }
    }

    // MARK: Requests

    @Test("MQTT-3.3.2-13 (5.0): a response topic of ill-formed UTF-8 closes the connection", arguments: illFormed)
    func MQTT_3_3_2_13_v5(_ bytes: [UInt8]) async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: publishBytes(.v5, topic: Array("t".utf8), properties: [0x08] + field(bytes)))
        try await client.expectClosed(.malformedPacket)
    }

    @Test(
        "MQTT-3.3.2-14 (5.0): wildcards in a response topic close the connection",
        arguments: ["#", "a/+", "+/b", "a/#"])
    func MQTT_3_3_2_14_v5(_ topic: String) async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: publishBytes(.v5, topic: Array("t".utf8), properties: [0x08] + field(topic)))
        try await client.expectClosed(.topicNameInvalid, .protocolError, .malformedPacket)
    }

    @Test(
        "MQTT-3.3.2-15 (5.0): the response topic is passed on unaltered",
        arguments: ["answer", "/a//ö", "$share/a/b", "$SYS/x"])
    func MQTT_3_3_2_15_v5(_ topic: String) async throws {
        #expect(try await passed([.responseTopic(try TopicName(topic))]).responseTopic?.string == topic)
    }

    @Test(
        "MQTT-3.3.2-16 (5.0): correlation data is passed on unaltered",
        arguments: [[], [0], Array(0...255)] as [[UInt8]])
    func MQTT_3_3_2_16_v5(_ bytes: [UInt8]) async throws {
        let received = try await passed([.correlationData(ByteBuffer(bytes: bytes))]).correlationData
        #expect(received.map { Array($0.readableBytesView) } == bytes)
    }

    @Test("MQTT-3.3.2-17 (5.0): user properties are passed on unaltered")
    func MQTT_3_3_2_17_v5() async throws {
        let pairs = [("name", "value"), ("", ""), ("Ünï", "cödé 🌉"), ("long", String(repeating: "x", count: 5000))]
        let received = try await passed(Properties(pairs.map { .userProperty(name: $0, value: $1) })).userProperties
        #expect(received.map { "\($0.name)=\($0.value)" }.sorted() == pairs.map { "\($0)=\($1)" }.sorted())
    }

    @Test("MQTT-3.3.2-18 (5.0): user properties keep their order, repetitions too")
    func MQTT_3_3_2_18_v5() async throws {
        let pairs = [("b", "1"), ("a", "2"), ("b", "1"), ("c", "3"), ("a", "0")]
        let received = try await passed(Properties(pairs.map { .userProperty(name: $0, value: $1) })).userProperties
        #expect(received.map { "\($0.name)=\($0.value)" } == pairs.map { "\($0)=\($1)" })
    }

    @Test("MQTT-3.3.2-19 (5.0): a content type of ill-formed UTF-8 closes the connection", arguments: illFormed)
    func MQTT_3_3_2_19_v5(_ bytes: [UInt8]) async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: publishBytes(.v5, topic: Array("t".utf8), properties: [0x03] + field(bytes)))
        try await client.expectClosed(.malformedPacket)
    }

    @Test(
        "MQTT-3.3.2-20 (5.0): the content type is passed on unaltered", arguments: ["text/plain", "", "ö/ü; x=\"y\""])
    func MQTT_3_3_2_20_v5(_ type: String) async throws {
        #expect(try await passed([.contentType(type)]).contentType == type)
    }

    @Test("5.0 §3.3.2.3: properties survive the wait for a client that is away")
    func propertiesOfQueued() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(.v5, identifier)
        try await client.subscribe(topic)
        try await client.drop()
        let publisher = try await RawClient.connect(.v5)
        let properties: Properties = [
            .payloadFormatIndicator(true), .contentType("text/plain"), .responseTopic(try TopicName("answer")),
            .correlationData(ByteBuffer(bytes: [1, 0, 2])), .userProperty(name: "b", value: "1"),
            .userProperty(name: "a", value: "2"),
        ]
        try await publisher.publish(topic, properties: properties)
        let (again, _) = try await RawClient.connectLasting(.v5, identifier)
        let received = try await again.message().properties
        #expect(Set(received.all) == Set(properties.all))
    }

    @Test("5.0 §3.3: a client of 3.1.1 gets messages of 5.0 without their properties, and the other way round")
    func betweenVersions() async throws {
        let topic = unique("t")
        let old = try await RawClient.connect(.v3_1_1)
        let new = try await RawClient.connect(.v5)
        try await old.subscribe(topic)
        try await new.publish(topic, "new", properties: [.contentType("text/plain")])
        #expect(try await old.message().text == "new")
        try await new.subscribe(topic)
        try await old.publish(topic, "old")
        let message = try await new.message()
        #expect(message.text == "old")
        #expect(message.properties.isEmpty)
    }
}
