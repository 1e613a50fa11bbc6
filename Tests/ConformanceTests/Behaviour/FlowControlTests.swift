import MQTTWire
import NIOCore
import Testing

/// Flow control (5.0 §3.3.4 and §4.9).
@Suite("Flow control", .conformance)
struct FlowControlTests {
    /// A subscriber that lets so many messages be under way, and those that came before it has acknowledged any.
    private func flooded(_ receiveMaximum: UInt16, qos: QoS) async throws -> (RawClient, topic: String, [Publish]) {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5, properties: [.receiveMaximum(receiveMaximum)])
        try await client.subscribe(topic)
        let publisher = try await RawClient.connect(.v5)
        for number in 1...10 { try await publisher.publish(topic, "\(number)", qos) }
        let messages = try await client.fence().compactMap {
            if case .publish(let publish) = $0 { publish } else { nil }
        }
        return (client, topic, messages)
    }

    @Test(
        "MQTT-3.3.4-9 (5.0): no more than Receive Maximum messages are unacknowledged",
        arguments: [1, 3] as [UInt16], [QoS.atLeastOnce, .exactlyOnce])
    func MQTT_3_3_4_9_v5(_ receiveMaximum: UInt16, _ qos: QoS) async throws {
        let (client, _, first) = try await flooded(receiveMaximum, qos: qos)
        #expect((1...Int(receiveMaximum)).contains(first.count))
        var texts = first.map(\.text)
        for message in first { try await client.acknowledge(message) }
        while texts.count < 10 { texts.append(try await client.message().text) }
        #expect(texts == (1...10).map { "\($0)" })
    }

    @Test("5.0 §3.3.4: PUBREC alone does not make room for another message, PUBCOMP does")
    func pubrecMakesNoRoom() async throws {
        let (client, _, first) = try await flooded(1, qos: .exactlyOnce)
        let identifier = try #require(first.first?.packetIdentifier)
        try await client.send(.pubrec(Acknowledgement(packetIdentifier: identifier)))
        _ = try await client.pubrel()
        try await client.expectSilence()
        try await client.send(.pubcomp(Acknowledgement(packetIdentifier: identifier)))
        #expect(try await client.publish().text == "2")
    }

    @Test("5.0 §4.9: messages of QoS 0 do not count")
    func qos0DoesNotCount() async throws {
        let (client, topic, _) = try await flooded(2, qos: .atLeastOnce)
        try await client.publish(topic, "of QoS 0", .atMostOnce)
        // It may come now or wait for the others.
        let messages = try await client.fence().compactMap {
            if case .publish(let publish) = $0 { publish } else { nil }
        }
        #expect(messages.allSatisfy { $0.qos == .atMostOnce })
    }

    @Test("MQTT-3.3.4-10 (5.0): other packets are not held up by messages that wait")
    func MQTT_3_3_4_10_v5() async throws {
        let (client, _, _) = try await flooded(1, qos: .atLeastOnce)
        try await client.send(.pingreq)
        #expect(try await client.next() == .pingresp)
        try await client.subscribe(unique("t"))
        try await client.unsubscribe(unique("t"))
        try await client.publish(unique("t"), "1", .atLeastOnce)
        try await client.publish(unique("t"), "2", .exactlyOnce)
    }

    @Test("MQTT-4.9.0-1 (5.0): at first the broker may send at least one message, and no more than Receive Maximum")
    func MQTT_4_9_0_1_v5() async throws {
        for receiveMaximum: UInt16 in [1, 2, 5] {
            let (_, _, first) = try await flooded(receiveMaximum, qos: .atLeastOnce)
            #expect((1...Int(receiveMaximum)).contains(first.count))
        }
    }

    @Test("MQTT-4.9.0-2 (5.0): at a quota of 0 the broker sends no more messages with a QoS above 0")
    func MQTT_4_9_0_2_v5() async throws {
        let (client, topic, first) = try await flooded(2, qos: .atLeastOnce)
        #expect((1...2).contains(first.count))
        try await client.publish(topic, "one more", .atLeastOnce)
        try await client.expectSilence()
        // Each acknowledgement makes room for one.
        try await client.acknowledge(first[0])
        #expect(try await client.publish().text == "\(first.count + 1)")
        try await client.expectSilence()
    }

    @Test("MQTT-4.9.0-3 (5.0): at a quota of 0 the broker goes on to process and answer")
    func MQTT_4_9_0_3_v5() async throws {
        let (client, _, _) = try await flooded(1, qos: .exactlyOnce)
        let topic = unique("t")
        let watcher = try await RawClient.connect(.v5)
        try await watcher.subscribe(topic)
        try await client.publish(topic, "through", .exactlyOnce)
        #expect(try await watcher.message().text == "through")
        try await client.send(.pingreq)
        #expect(try await client.next() == .pingresp)
    }

    @Test("5.0 §4.9: the quota starts anew with each connection, and what is sent again counts")
    func quotaStartsAnew() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(.v5, identifier, properties: [.receiveMaximum(4)])
        try await client.subscribe(topic)
        for number in 1...6 { try await client.publish(topic, "\(number)") }
        let sent = try await client.fence().count { $0.type == .publish }
        #expect((1...4).contains(sent))
        try await client.drop()
        let (again, _) = try await RawClient.connectLasting(.v5, identifier, properties: [.receiveMaximum(2)])
        let first = try await again.fence().compactMap { if case .publish(let publish) = $0 { publish } else { nil } }
        #expect((1...2).contains(first.count))
        for message in first { try await again.acknowledge(message) }
        let rest = try await again.messages(6 - first.count)
        #expect((first + rest).map(\.text) == (1...6).map { "\($0)" })
        #expect((first + rest).count { $0.duplicate } == sent)
    }

    @Test(
        "MQTT-3.3.4-7 (5.0): a client that sends more than the broker's Receive Maximum is disconnected with 0x93",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_3_3_4_7_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(receiveMaximum: 3)) { port in
            let (client, connack) = try await RawClient.connecting(
                Connect(version: .v5, clientIdentifier: unique()), port: port)
            #expect(connack.properties.receiveMaximum == 3)
            // QoS 2 stays under way until PUBREL.
            for number: UInt16 in 1...3 {
                try await client.send(try publication("t", "2", .exactlyOnce, identifier: number))
                _ = try await client.pubrec()
            }
            try await client.send(try publication("t", "2", .exactlyOnce, identifier: 4))
            try await client.expectClosed(.receiveMaximumExceeded)
        }
    }

    @Test("3.1.1 §4.4: many messages under way at once", arguments: ProtocolVersion.standard)
    func manyUnderWay(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe(topic)
        let publisher = try await RawClient.connect(version)
        for number in 1...200 { try await publisher.publish(topic, "\(number)", .exactlyOnce) }
        #expect(try await client.messages(200).map(\.text) == (1...200).map { "\($0)" })
    }
}
