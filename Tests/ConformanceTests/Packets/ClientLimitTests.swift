import MQTTWire
import NIOCore
import Testing

/// What a client asks of the broker in the properties of its CONNECT (5.0 §3.1.2.11).
@Suite("Limits and wishes of clients", .conformance)
struct ClientLimitTests {
    @Test("MQTT-3.1.2-24 (5.0): the broker sends no packet larger than the client's Maximum Packet Size")
    func MQTT_3_1_2_24_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5, properties: [.maximumPacketSize(100)])
        let publisher = try await RawClient.connect(.v5)
        try await client.subscribe(topic)
        for qos in QoS.allCases {
            try await publisher.publish(topic, String(repeating: "x", count: 200), qos)
            try await publisher.publish(topic, "small", qos)
        }
        for _ in QoS.allCases {
            #expect(try await client.message().text == "small")
        }
        try await client.expectSilence()
    }

    @Test("5.0 §3.1.2.11.4: the Maximum Packet Size counts the whole packet, to the byte")
    func maximumPacketSizeToTheByte() async throws {
        let topic = unique("t")
        let fits = try publication(topic, String(repeating: "x", count: 50), .atMostOnce)
        let size = try fits.encodedSize(version: .v5)
        let client = try await RawClient.connect(.v5, properties: [.maximumPacketSize(UInt32(size))])
        let publisher = try await RawClient.connect(.v5)
        try await client.subscribe(topic, .atMostOnce)
        try await publisher.publish(topic, String(repeating: "y", count: 51), .atMostOnce)
        try await publisher.publish(topic, String(repeating: "x", count: 50), .atMostOnce)
        #expect(try await client.message().text.utf8.count == 50)
    }

    @Test("MQTT-3.1.2-25 (5.0): a message too large for the client is done with as if it had been sent")
    func MQTT_3_1_2_25_v5() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(
            .v5, identifier, properties: [.maximumPacketSize(100), .receiveMaximum(1)])
        try await client.subscribe(topic)
        let publisher = try await RawClient.connect(.v5)
        // Under a Receive Maximum of 1 a message that counted as sent and unacknowledged would stop all that follow.
        for number in 1...3 {
            try await publisher.publish(topic, String(repeating: "x", count: 200), .exactlyOnce)
            try await publisher.publish(topic, "\(number)", .exactlyOnce)
        }
        #expect(try await client.messages(3).map(\.text) == ["1", "2", "3"])
        try await client.drop()
        // Nor does it come back when the client can take more.
        let (again, connack) = try await RawClient.connectLasting(.v5, identifier)
        #expect(connack.sessionPresent)
        try await again.expectSilence()
    }

    @Test("MQTT-3.1.2-26 (5.0), MQTT-3.3.2-11 (5.0): the broker's topic aliases stay within the client's maximum")
    func MQTT_3_1_2_26_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5, properties: [.topicAliasMaximum(2)])
        try await client.subscribe("\(topic)/+")
        let publisher = try await RawClient.connect(.v5)
        var names: [UInt16: TopicName] = [:]
        for number in 0..<12 {
            try await publisher.publish("\(topic)/\(number % 4)", "\(number)")
            let message = try await client.message()
            if let alias = message.properties.topicAlias {
                #expect((1...2).contains(alias))
                if let name = message.topic { names[alias] = name }
            }
            let name = message.topic ?? message.properties.topicAlias.flatMap { names[$0] }
            #expect(name?.string == "\(topic)/\(number % 4)")
        }
    }

    @Test("MQTT-3.1.2-27 (5.0): a client that allows no topic aliases gets none", arguments: [nil, 0] as [UInt16?])
    func MQTT_3_1_2_27_v5(_ maximum: UInt16?) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5, properties: maximum.map { [.topicAliasMaximum($0)] } ?? [])
        try await client.subscribe(topic)
        for number in 1...4 {
            try await client.publish(topic, "\(number)")
            let message = try await client.message()
            #expect(message.properties.topicAlias == nil)
            #expect(message.topic?.string == topic)
        }
    }

    @Test(
        "MQTT-3.1.2-28 (5.0): a client that does not ask for response information gets none",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_3_1_2_28_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(responseInformation: "answers/%c")) { port in
            for properties in [[], [.requestResponseInformation(false)]] as [Properties] {
                let (_, connack) = try await RawClient.connecting(
                    Connect(version: .v5, clientIdentifier: unique(), properties: properties), port: port)
                #expect(connack.properties.responseInformation == nil)
            }
            let (_, connack) = try await RawClient.connecting(
                Connect(version: .v5, clientIdentifier: "me", properties: [.requestResponseInformation(true)]),
                port: port)
            #expect(connack.properties.responseInformation == "answers/me")
        }
    }

    @Test("MQTT-3.1.2-29 (5.0): a client that asks for no problem information gets none outside CONNACK and DISCONNECT")
    func MQTT_3_1_2_29_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5, properties: [.requestProblemInformation(false)])
        try await client.publish(topic, "nobody reads this", .atLeastOnce)
        try await client.send(.pubrel(Acknowledgement(packetIdentifier: id(77))))
        #expect(try await client.pubcomp().properties.isEmpty)
        let unsuback = try await client.unsubscribe(topic)
        #expect(unsuback.properties.isEmpty)
        let suback = try await client.subscribe([Subscription(filter: try TopicFilter(topic))])
        #expect(suback.properties.isEmpty)
        try await client.send(try publication(topic, "q", .exactlyOnce))
        #expect(try await client.pubrec().properties.isEmpty)
    }
}
