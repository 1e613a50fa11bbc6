import MQTTWire
import NIOCore
import Testing

/// Chapter 3.3 without retained messages and properties, which have files of their own, and chapters 3.4 to 3.7.
@Suite("PUBLISH and its acknowledgements", .conformance)
struct PublishTests {
    // MARK: Flags

    @Test(
        "MQTT-3.3.1-1 (3.1.1, 5.0): a PUBLISH that is sent again has DUP",
        arguments: ProtocolVersion.standard, [QoS.atLeastOnce, .exactlyOnce])
    func MQTT_3_3_1_1(_ version: ProtocolVersion, _ qos: QoS) async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(version, identifier)
        try await client.subscribe(topic, qos)
        try await client.publish(topic, "again", qos)
        let first = try await client.publish()
        #expect(!first.duplicate)
        try await client.drop()
        let (again, _) = try await RawClient.connectLasting(version, identifier)
        let second = try await again.publish()
        #expect(second.duplicate)
        #expect(second.packetIdentifier == first.packetIdentifier)
        #expect(second.text == "again")
        try await again.acknowledge(second)
    }

    @Test("MQTT-3.3.1-2 (3.1.1, 5.0): messages of QoS 0 go out without DUP", arguments: ProtocolVersion.standard)
    func MQTT_3_3_1_2(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe(topic, .atMostOnce)
        try await client.send(try publication(topic, "d", .atLeastOnce, duplicate: true))
        let message = try await client.publish()
        #expect(message.qos == .atMostOnce)
        #expect(!message.duplicate)
    }

    @Test(
        "3.1.1 §3.3.1.1, 5.0 §3.3.1.1: DUP on a message of QoS 0 closes the connection",
        arguments: ProtocolVersion.standard)
    func duplicateWithQoS0(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: publishBytes(version, topic: Array("t".utf8), first: 0x38))
        try await client.expectClosed(.malformedPacket, .protocolError)
    }

    @Test(
        "MQTT-3.3.1-3 (3.1.1, 5.0): DUP of the publisher is not passed on",
        arguments: ProtocolVersion.standard, [QoS.atLeastOnce, .exactlyOnce])
    func MQTT_3_3_1_3(_ version: ProtocolVersion, _ qos: QoS) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe(topic)
        try await client.send(try publication(topic, "d", qos, duplicate: true))
        if qos == .exactlyOnce {
            // A broker may deliver only what was released.
            let identifier = try await client.pubrec().packetIdentifier
            try await client.send(.pubrel(Acknowledgement(packetIdentifier: identifier)))
        }
        let message = try await client.publish()
        #expect(message.qos == qos)
        #expect(!message.duplicate)
    }

    @Test("MQTT-3.3.1-4 (3.1.1, 5.0): QoS 3 closes the connection", arguments: ProtocolVersion.standard)
    func MQTT_3_3_1_4(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: publishBytes(version, topic: Array("t".utf8), first: 0x36, identifier: 1))
        try await client.expectClosed(.malformedPacket)
    }

    // MARK: Topic name

    @Test(
        "MQTT-3.3.2-1 (3.1.1, 5.0): a PUBLISH without a topic name closes the connection",
        arguments: ProtocolVersion.standard)
    func MQTT_3_3_2_1(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: publishBytes(version, topic: []))
        try await client.expectClosed(.protocolError, .topicNameInvalid, .malformedPacket)
    }

    @Test(
        "MQTT-3.3.2-2 (3.1.1, 5.0): wildcards in a topic name close the connection",
        arguments: ProtocolVersion.standard, ["#", "+", "a/+/b", "a/#", "a#", "+a"])
    func MQTT_3_3_2_2(_ version: ProtocolVersion, _ topic: String) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: publishBytes(version, topic: Array(topic.utf8)))
        try await client.expectClosed(.topicNameInvalid, .malformedPacket, .protocolError)
    }

    @Test(
        "MQTT-3.3.2-3 (3.1.1, 5.0): subscribers get what matches their filters and nothing else",
        arguments: ProtocolVersion.standard)
    func MQTT_3_3_2_3(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe("\(topic)/+/x")
        for name in ["a", "a/y", "a/x/b", "a/x", "b/x"] { try await client.publish("\(topic)/\(name)", name) }
        #expect(try await client.messages(2).map { $0.topic?.string } == ["\(topic)/a/x", "\(topic)/b/x"])
        try await client.expectSilence()
    }

    @Test(
        "3.1.1 §3.3.3, 5.0 §3.3.3: payloads of no byte and of many arrive as they are",
        arguments: ProtocolVersion.standard)
    func payloads(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe(topic)
        let large = String(repeating: "0123456789abcdef", count: 16 * 1024)
        for payload in ["", "x", large] {
            try await client.publish(topic, payload, .exactlyOnce)
            #expect(try await client.message().text == payload)
        }
    }

    // MARK: Answers

    @Test(
        "MQTT-3.3.4-1 (3.1.1, 5.0): QoS 0 is answered with nothing, 1 with PUBACK, 2 with PUBREC",
        arguments: ProtocolVersion.standard)
    func MQTT_3_3_4_1(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.send(try publication(topic, "0", .atMostOnce))
        try await client.expectSilence()
        try await client.send(try publication(topic, "1", .atLeastOnce, identifier: 1))
        guard case .puback = try await client.next() else { throw Surprise("PUBACK awaited") }
        try await client.send(try publication(topic, "2", .exactlyOnce, identifier: 2))
        guard case .pubrec = try await client.next() else { throw Surprise("PUBREC awaited") }
        try await client.expectSilence()
    }

    @Test(
        "MQTT-3.3.5-2 (3.1.1): a message that is not authorized is acknowledged, or the connection closed, and goes nowhere",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_3_3_5_2_v3() async throws {
        try await BrokerUnderTest.withOwn(.init(readOnlyTopic: "forbidden")) { port in
            let watcher = try await RawClient.connect(.v3_1_1, port: port)
            try await watcher.subscribe("forbidden", .exactlyOnce)
            try await watcher.subscribe("allowed", .exactlyOnce)
            for qos in [QoS.atLeastOnce, .exactlyOnce] {
                let client = try await RawClient.connect(.v3_1_1, port: port)
                try await client.send(try publication("forbidden", "forbidden", qos), .pingreq)
                // Either is allowed; silence is not.
                let answer = try? await client.next()
                #expect(answer != .pingresp)
                let other = try await RawClient.connect(.v3_1_1, port: port)
                try await other.publish("allowed", "allowed", qos)
                #expect(try await watcher.message().text == "allowed")
            }
        }
    }

    @Test(
        "5.0 §3.4.2.1, §3.5.2.1: a message that is not authorized is answered with 0x87",
        .enabled(if: !BrokerUnderTest.isForeign))
    func notAuthorized() async throws {
        try await BrokerUnderTest.withOwn(.init(readOnlyTopic: "forbidden")) { port in
            let client = try await RawClient.connect(.v5, port: port)
            #expect(try await client.publish("forbidden", "1", .atLeastOnce) == .notAuthorized)
            #expect(try await client.publish("forbidden", "2", .exactlyOnce) == .notAuthorized)
            try await client.expectSilence()
        }
    }

    @Test("MQTT-3.4.2-1 (5.0): PUBACK uses the codes of its table")
    func MQTT_3_4_2_1_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        let unread = try await client.publish(topic, "nobody reads this", .atLeastOnce)
        #expect([.success, .noMatchingSubscribers].contains(unread))
        try await client.subscribe(topic)
        #expect(try await client.publish(topic, "read", .atLeastOnce) == .success)
    }

    @Test("MQTT-3.5.2-1 (5.0): PUBREC uses the codes of its table")
    func MQTT_3_5_2_1_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        let unread = try await client.publish(topic, "nobody reads this", .exactlyOnce)
        #expect([.success, .noMatchingSubscribers].contains(unread))
        try await client.subscribe(topic)
        #expect(try await client.publish(topic, "read", .exactlyOnce) == .success)
    }

    @Test(
        "MQTT-3.6.1-1 (3.1.1, 5.0): PUBREL with other flags closes the connection",
        arguments: ProtocolVersion.standard, [0x60, 0x61, 0x63, 0x6A] as [UInt8])
    func MQTT_3_6_1_1(_ version: ProtocolVersion, _ first: UInt8) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(try publication(unique("t"), "2", .exactlyOnce, identifier: 1))
        _ = try await client.pubrec()
        try await client.send(bytes: [first, 0x02, 0x00, 0x01])
        try await client.expectClosed(.malformedPacket)
    }

    @Test("MQTT-3.6.2-1 (5.0): PUBREL uses the codes of its table, 0x92 for an identifier that is unknown")
    func MQTT_3_6_2_1_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.subscribe(topic)
        try await client.publish(topic, "2", .exactlyOnce)
        let identifier = try #require(try await client.publish().packetIdentifier)
        try await client.send(.pubrec(Acknowledgement(packetIdentifier: identifier)))
        #expect(try await client.pubrel().reasonCode == .success)
        try await client.send(.pubcomp(Acknowledgement(packetIdentifier: identifier)))
        try await client.send(.pubrec(Acknowledgement(packetIdentifier: id(40_000))))
        let pubrel = try await client.pubrel()
        #expect(pubrel.packetIdentifier == id(40_000))
        #expect(pubrel.reasonCode == .packetIdentifierNotFound)
    }

    @Test("MQTT-3.7.2-1 (5.0): PUBCOMP uses the codes of its table, 0x92 for an identifier that is unknown")
    func MQTT_3_7_2_1_v5() async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(try publication(unique("t"), "2", .exactlyOnce, identifier: 5))
        _ = try await client.pubrec()
        try await client.send(.pubrel(Acknowledgement(packetIdentifier: id(5))))
        #expect(try await client.pubcomp().reasonCode == .success)
        try await client.send(.pubrel(Acknowledgement(packetIdentifier: id(40_000))))
        let pubcomp = try await client.pubcomp()
        #expect(pubcomp.packetIdentifier == id(40_000))
        #expect(pubcomp.reasonCode == .packetIdentifierNotFound)
    }

    @Test("3.1.1 §4.3.3: PUBREL with an identifier that is unknown is still answered with PUBCOMP")
    func unknownPubrel() async throws {
        let client = try await RawClient.connect(.v3_1_1)
        try await client.send(.pubrel(Acknowledgement(packetIdentifier: id(40_000))))
        #expect(try await client.pubcomp().packetIdentifier == id(40_000))
    }

    @Test(
        "3.1.1 §4.3, 5.0 §4.3: acknowledgements of nothing do no harm",
        arguments: ProtocolVersion.standard)
    func strayAcknowledgements(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.send(
            .puback(Acknowledgement(packetIdentifier: id(40_001))),
            .pubcomp(Acknowledgement(packetIdentifier: id(40_002))))
        try await client.subscribe(topic)
        try await client.publish(topic, "works still")
        #expect(try await client.message().text == "works still")
    }

    @Test(
        """
        MQTT-3.4.2-2 (5.0), MQTT-3.4.2-3 (5.0), MQTT-3.5.2-2 (5.0), MQTT-3.5.2-3 (5.0), MQTT-3.6.2-2 (5.0), \
        MQTT-3.6.2-3 (5.0), MQTT-3.7.2-2 (5.0), MQTT-3.7.2-3 (5.0), MQTT-3.9.2-1 (5.0), MQTT-3.9.2-2 (5.0), \
        MQTT-3.11.2-1 (5.0), MQTT-3.11.2-2 (5.0), MQTT-3.14.2-3 (5.0), MQTT-3.14.2-4 (5.0): \
        what the broker explains does not outgrow the client's Maximum Packet Size
        """)
    func MQTT_3_4_2_2_v5() async throws {
        let limit = 24
        let client = try await RawClient.connect(.v5, properties: [.maximumPacketSize(UInt32(limit))])
        // Each is something that a broker may want to explain.
        try await client.send(try publication(unique("t"), "1", .atLeastOnce, identifier: 1))
        try await client.send(try publication(unique("t"), "2", .exactlyOnce, identifier: 2))
        try await client.send(.pubrec(Acknowledgement(packetIdentifier: id(3))))
        try await client.send(.pubrel(Acknowledgement(packetIdentifier: id(4))))
        try await client.send(
            .unsubscribe(Unsubscribe(packetIdentifier: id(5), filters: [try TopicFilter(unique("t"))])),
            .subscribe(
                Subscribe(
                    packetIdentifier: id(6), subscriptions: [Subscription(filter: try TopicFilter(unique("t")))])))
        let packets = try await client.fence()
        #expect(Set(packets.map(\.type)) == [.puback, .pubrec, .pubrel, .pubcomp, .unsuback, .suback])
        try await client.send(bytes: [0x00, 0x00])
        _ = try await client.ended()
        for packet in packets + (try await client.unread()) {
            #expect(try packet.encodedSize(version: .v5) <= limit)
        }
    }

    // MARK: Overlapping subscriptions

    @Test(
        "MQTT-3.3.5-1 (3.1.1), MQTT-3.3.4-2 (5.0): overlapping subscriptions give the message at their highest QoS",
        arguments: ProtocolVersion.standard)
    func MQTT_3_3_5_1_v3_MQTT_3_3_4_2_v5(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe("\(topic)/#", .exactlyOnce)
        try await client.subscribe("\(topic)/+", .atLeastOnce)
        let publisher = try await RawClient.connect(version)
        try await publisher.publish("\(topic)/a", "overlap", .exactlyOnce)
        try await publisher.publish("\(topic)/end", "end", .exactlyOnce)
        var copies: [Publish] = []
        while copies.filter({ $0.text == "end" }).isEmpty { copies.append(try await client.message()) }
        let qos = copies.filter { $0.text == "overlap" }.map(\.qos)
        // One copy, or one for each subscription.
        #expect(qos.max() == .exactlyOnce)
        #expect(qos.count == 1 || qos.sorted() == [.atLeastOnce, .exactlyOnce])
    }

    @Test(
        """
        MQTT-3.3.4-3 (5.0), MQTT-3.3.4-4 (5.0), MQTT-3.3.4-5 (5.0): \
        overlapping subscriptions give their identifiers, all in one copy or each in its own
        """)
    func MQTT_3_3_4_3_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.subscribe("\(topic)/#", identifier: 1)
        try await client.subscribe("\(topic)/+", identifier: 268_435_455)
        try await client.subscribe("\(topic)/a")
        let publisher = try await RawClient.connect(.v5)
        try await publisher.publish("\(topic)/a", "overlap")
        var copies = [try await client.message()]
        try await publisher.publish("\(topic)/a", "end")
        while let message = Optional(try await client.message()), message.text != "end" { copies.append(message) }
        let identifiers = copies.map { $0.properties.subscriptionIdentifiers.sorted() }
        if copies.count == 1 {
            #expect(identifiers == [[1, 268_435_455]])
        } else {
            #expect(
                identifiers.sorted { $0.count < $1.count || $0.count == $1.count && $0[0] < $1[0] } == [
                    [], [1], [268_435_455],
                ])
        }
    }

    @Test("5.0 §3.8.2.1.2: a subscription's identifier comes with its messages, also the retained ones")
    func subscriptionIdentifier() async throws {
        let topic = unique("t")
        let publisher = try await RawClient.connect(.v5)
        try await publisher.publish("\(topic)/a", "retained", retain: true)
        let client = try await RawClient.connect(.v5)
        try await client.subscribe("\(topic)/+", identifier: 42)
        #expect(try await client.message().properties.subscriptionIdentifiers == [42])
        try await publisher.publish("\(topic)/b", "live")
        #expect(try await client.message().properties.subscriptionIdentifiers == [42])
        // Subscribing again replaces it, and may take it away.
        try await client.subscribe("\(topic)/+", retainHandling: .never)
        try await publisher.publish("\(topic)/b", "live")
        #expect(try await client.message().properties.subscriptionIdentifiers == [])
    }

    @Test("5.0 §3.3.2.3.8: a subscription's identifier stays in the session")
    func subscriptionIdentifierStays() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(.v5, identifier)
        try await client.subscribe(topic, identifier: 7)
        try await client.drop()
        let publisher = try await RawClient.connect(.v5)
        try await publisher.publish(topic, "while away")
        let (again, _) = try await RawClient.connectLasting(.v5, identifier)
        #expect(try await again.message().properties.subscriptionIdentifiers == [7])
        try await publisher.publish(topic, "while here")
        #expect(try await again.message().properties.subscriptionIdentifiers == [7])
    }

    @Test("MQTT-3.3.4-6 (5.0): a PUBLISH of a client with a subscription identifier is a protocol error")
    func MQTT_3_3_4_6_v5() async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: publishBytes(.v5, topic: Array("t".utf8), properties: [0x0B, 0x01]))
        try await client.expectClosed(.protocolError, .malformedPacket)
    }
}
