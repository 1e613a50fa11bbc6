import MQTTWire
import NIOCore
import Testing

/// Delivery and redelivery (chapters 4.3 to 4.5).
@Suite("Delivery", .conformance)
struct DeliveryTests {
    /// A subscriber with a lasting session, and a topic of its own.
    private func subscriber(
        _ version: ProtocolVersion, _ qos: QoS = .exactlyOnce, properties: Properties = []
    ) async throws -> (RawClient, topic: String) {
        let topic = unique("t")
        let (client, _) = try await RawClient.connectLasting(version, unique(), properties: properties)
        try await client.subscribe(topic, qos)
        return (client, topic)
    }

    private func back(_ client: RawClient) async throws -> RawClient {
        try await client.drop()
        let (again, connack) = try await RawClient.connectLasting(client.version, client.identifier)
        guard connack.sessionPresent else { throw Surprise("the session is gone") }
        return again
    }

    // MARK: The broker sends

    @Test(
        "MQTT-4.3.1-1 (3.1.1, 5.0): a message of QoS 0 goes out with QoS 0 and without DUP",
        arguments: ProtocolVersion.standard)
    func MQTT_4_3_1_1(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        try await client.publish(topic, "0", .atMostOnce)
        let message = try await client.publish()
        #expect(message.qos == .atMostOnce)
        #expect(!message.duplicate)
        #expect(message.packetIdentifier == nil)
    }

    @Test(
        "MQTT-4.3.2-1 (3.1.1, 5.0): each message of QoS 1 gets an identifier that is unused, and comes until PUBACK",
        arguments: ProtocolVersion.standard)
    func MQTT_4_3_2_1(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        for number in 1...3 { try await client.publish(topic, "\(number)", .atLeastOnce) }
        let sent = [try await client.publish(), try await client.publish(), try await client.publish()]
        #expect(Set(sent.map(\.packetIdentifier)).count == 3)
        #expect(sent.allSatisfy { $0.qos == .atLeastOnce && !$0.duplicate })
        try await client.acknowledge(sent[1])
        _ = try await client.fence()
        let again = try await back(client)
        #expect(try await again.messages(2).map(\.packetIdentifier) == [sent[0], sent[2]].map(\.packetIdentifier))
        try await again.expectSilence()
    }

    @Test("MQTT-4.3.2-2 (5.0): a message of QoS 1 goes out first with QoS 1 and without DUP")
    func MQTT_4_3_2_2_v5() async throws {
        let (client, topic) = try await subscriber(.v5)
        try await client.publish(topic, "1", .atLeastOnce)
        let message = try await client.publish()
        #expect(message.qos == .atLeastOnce)
        #expect(!message.duplicate)
        #expect(message.packetIdentifier != nil)
    }

    @Test("MQTT-4.3.2-3 (5.0): a message of QoS 1 is unacknowledged until PUBACK")
    func MQTT_4_3_2_3_v5() async throws {
        let (client, topic) = try await subscriber(.v5)
        try await client.publish(topic, "1", .atLeastOnce)
        _ = try await client.publish()
        let second = try await back(client)
        _ = try await second.publish()
        let third = try await back(second)
        let message = try await third.message()
        #expect(message.text == "1")
        _ = try await third.fence()
        let fourth = try await back(third)
        try await fourth.expectSilence()
    }

    @Test(
        "MQTT-4.3.3-1 (3.1.1, 5.0): each message of QoS 2 gets an identifier that is unused until PUBCOMP",
        arguments: ProtocolVersion.standard)
    func MQTT_4_3_3_1(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        try await client.publish(topic, "1", .exactlyOnce)
        let first = try #require(try await client.publish().packetIdentifier)
        try await client.send(.pubrec(Acknowledgement(packetIdentifier: first)))
        _ = try await client.pubrel()
        // Without PUBCOMP it is still in use.
        for number in 2...4 {
            try await client.publish(topic, "\(number)", .exactlyOnce)
            #expect(try await client.publish().packetIdentifier != first)
        }
    }

    @Test(
        "MQTT-4.3.3-2 (5.0): a message of QoS 2 goes out first with QoS 2 and without DUP",
        arguments: ProtocolVersion.standard)
    func MQTT_4_3_3_2_v5(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        try await client.publish(topic, "2", .exactlyOnce)
        let message = try await client.publish()
        #expect(message.qos == .exactlyOnce)
        #expect(!message.duplicate)
        #expect(message.packetIdentifier != nil)
    }

    @Test("MQTT-4.3.3-3 (5.0): a message of QoS 2 is unacknowledged until PUBREC", arguments: ProtocolVersion.standard)
    func MQTT_4_3_3_3_v5(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        try await client.publish(topic, "2", .exactlyOnce)
        let first = try await client.publish()
        let again = try await back(client)
        let second = try await again.message()
        #expect(second.packetIdentifier == first.packetIdentifier)
        #expect(second.duplicate)
    }

    @Test(
        "MQTT-4.3.3-4 (5.0): PUBREC is answered with PUBREL of the same identifier", arguments: ProtocolVersion.standard
    )
    func MQTT_4_3_3_4_v5(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        for number in 1...3 {
            try await client.publish(topic, "\(number)", .exactlyOnce)
            let identifier = try #require(try await client.publish().packetIdentifier)
            try await client.send(.pubrec(Acknowledgement(packetIdentifier: identifier)))
            #expect(try await client.pubrel().packetIdentifier == identifier)
        }
    }

    @Test("5.0 §4.3.3: PUBREC with an error ends the exchange without PUBREL")
    func pubrecWithError() async throws {
        let (client, topic) = try await subscriber(.v5, properties: [.receiveMaximum(1)])
        try await client.publish(topic, "refused", .exactlyOnce)
        let identifier = try #require(try await client.publish().packetIdentifier)
        try await client.send(.pubrec(Acknowledgement(packetIdentifier: identifier, reasonCode: .quotaExceeded)))
        // It counts as acknowledged, so the next may come.
        try await client.publish(topic, "next", .exactlyOnce)
        #expect(try await client.publish().text == "next")
        let unread = try await client.unread()
        #expect(!unread.contains { $0.type == .pubrel })
    }

    @Test(
        "MQTT-4.3.3-5 (5.0): PUBREL is unacknowledged until PUBCOMP, and sent again",
        arguments: ProtocolVersion.standard)
    func MQTT_4_3_3_5_v5(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        try await client.publish(topic, "2", .exactlyOnce)
        let identifier = try #require(try await client.publish().packetIdentifier)
        try await client.send(.pubrec(Acknowledgement(packetIdentifier: identifier)))
        _ = try await client.pubrel()
        let again = try await back(client)
        guard case .pubrel(let pubrel) = try await again.next() else { throw Surprise("PUBREL awaited") }
        #expect(pubrel.packetIdentifier == identifier)
        try await again.send(.pubcomp(Acknowledgement(packetIdentifier: identifier)))
        _ = try await again.fence()
        let third = try await back(again)
        try await third.expectSilence()
    }

    @Test("MQTT-4.3.3-6 (5.0): behind PUBREL the PUBLISH is not sent again", arguments: ProtocolVersion.standard)
    func MQTT_4_3_3_6_v5(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        try await client.publish(topic, "2", .exactlyOnce)
        let identifier = try #require(try await client.publish().packetIdentifier)
        try await client.send(.pubrec(Acknowledgement(packetIdentifier: identifier)))
        _ = try await client.pubrel()
        let again = try await back(client)
        let packets = try await again.fence()
        #expect(packets == [.pubrel(Acknowledgement(packetIdentifier: identifier))])
    }

    @Test("MQTT-4.3.3-7 (5.0): a message that was sent does not expire any more")
    func MQTT_4_3_3_7_v5() async throws {
        let (client, topic) = try await subscriber(.v5)
        try await client.publish(topic, "sent", .exactlyOnce, properties: [.messageExpiryInterval(1)])
        let identifier = try #require(try await client.publish().packetIdentifier)
        try await Task.sleep(for: .milliseconds(2500))
        try await client.send(.pubrec(Acknowledgement(packetIdentifier: identifier)))
        #expect(try await client.pubrel().reasonCode == .success)
    }

    // MARK: The broker receives

    @Test(
        "MQTT-4.3.2-2 (3.1.1), MQTT-4.3.2-4 (5.0): a message of QoS 1 is answered with PUBACK of its identifier",
        arguments: ProtocolVersion.standard)
    func MQTT_4_3_2_2_v3_MQTT_4_3_2_4_v5(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        try await client.send(try publication(topic, "1", .atLeastOnce, identifier: 77))
        #expect(try await client.puback().packetIdentifier == id(77))
        #expect(try await client.message().text == "1")
    }

    @Test(
        "MQTT-4.3.2-5 (5.0): behind PUBACK the same identifier is a new message, even with DUP",
        arguments: ProtocolVersion.standard)
    func MQTT_4_3_2_5_v5(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        for duplicate in [false, true, false] {
            try await client.send(
                try publication(topic, "\(duplicate)", .atLeastOnce, duplicate: duplicate, identifier: 5))
            _ = try await client.puback()
        }
        #expect(try await client.messages(3).map(\.text) == ["false", "true", "false"])
    }

    @Test(
        "MQTT-4.3.3-2 (3.1.1): a message of QoS 2 goes through PUBREC, PUBREL and PUBCOMP and is delivered once",
        arguments: ProtocolVersion.standard)
    func MQTT_4_3_3_2_v3(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        let publisher = try await RawClient.connect(version)
        try await publisher.send(try publication(topic, "once", .exactlyOnce, identifier: 9))
        #expect(try await publisher.pubrec().packetIdentifier == id(9))
        try await publisher.send(try publication(topic, "once", .exactlyOnce, duplicate: true, identifier: 9))
        #expect(try await publisher.pubrec().packetIdentifier == id(9))
        try await publisher.send(.pubrel(Acknowledgement(packetIdentifier: id(9))))
        #expect(try await publisher.pubcomp().packetIdentifier == id(9))
        try await publisher.publish(topic, "new", .exactlyOnce, identifier: 9)
        #expect(try await client.messages(2).map(\.text) == ["once", "new"])
        try await client.expectSilence()
    }

    @Test(
        "MQTT-4.3.3-8 (5.0): a message of QoS 2 is answered with PUBREC of its identifier",
        arguments: ProtocolVersion.standard)
    func MQTT_4_3_3_8_v5(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.connect(version)
        for number: UInt16 in [1, 65_535] {
            try await client.send(try publication(unique("t"), "2", .exactlyOnce, identifier: number))
            #expect(try await client.pubrec().packetIdentifier == id(number))
        }
    }

    @Test(
        "MQTT-4.3.3-9 (5.0): behind a PUBREC with an error the same identifier is a new message",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_4_3_3_9_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(readOnlyTopic: "forbidden")) { port in
            let client = try await RawClient.connect(.v5, port: port)
            try await client.subscribe("allowed")
            #expect(try await client.publish("forbidden", "1", .exactlyOnce, identifier: 3).isError)
            #expect(try await client.publish("allowed", "2", .exactlyOnce, identifier: 3) == .success)
            #expect(try await client.message().text == "2")
        }
    }

    @Test(
        "MQTT-4.3.3-10 (5.0): until PUBREL the same identifier is the same message, and is not delivered twice",
        arguments: ProtocolVersion.standard)
    func MQTT_4_3_3_10_v5(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        let (publisher, _) = try await RawClient.connectLasting(version, unique())
        try await publisher.send(try publication(topic, "once", .exactlyOnce, identifier: 4))
        _ = try await publisher.pubrec()
        // In the next connection of the session too.
        let again = try await back(publisher)
        try await again.send(try publication(topic, "once", .exactlyOnce, duplicate: true, identifier: 4))
        #expect(try await again.pubrec().packetIdentifier == id(4))
        try await again.send(.pubrel(Acknowledgement(packetIdentifier: id(4))))
        _ = try await again.pubcomp()
        try await again.publish(topic, "end", .exactlyOnce)
        #expect(try await client.messages(2).map(\.text) == ["once", "end"])
    }

    @Test("MQTT-4.3.3-11 (5.0): PUBREL is answered with PUBCOMP of its identifier", arguments: ProtocolVersion.standard)
    func MQTT_4_3_3_11_v5(_ version: ProtocolVersion) async throws {
        let (publisher, _) = try await RawClient.connectLasting(version, unique())
        try await publisher.send(try publication(unique("t"), "2", .exactlyOnce, identifier: 12))
        _ = try await publisher.pubrec()
        let again = try await back(publisher)
        try await again.send(.pubrel(Acknowledgement(packetIdentifier: id(12))))
        let pubcomp = try await again.pubcomp()
        #expect(pubcomp.packetIdentifier == id(12))
        #expect(pubcomp.reasonCode == .success)
    }

    @Test(
        "MQTT-4.3.3-12 (5.0): behind PUBCOMP the same identifier is a new message", arguments: ProtocolVersion.standard)
    func MQTT_4_3_3_12_v5(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        for number in 1...3 { try await client.publish(topic, "\(number)", .exactlyOnce, identifier: 6) }
        #expect(try await client.messages(3).map(\.text) == ["1", "2", "3"])
    }

    @Test("MQTT-4.3.3-13 (5.0): the exchange of QoS 2 goes on when the message has expired")
    func MQTT_4_3_3_13_v5() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.send(
            try publication(topic, "2", .exactlyOnce, identifier: 8, properties: [.messageExpiryInterval(1)]))
        _ = try await client.pubrec()
        try await Task.sleep(for: .milliseconds(2500))
        try await client.send(.pubrel(Acknowledgement(packetIdentifier: id(8))))
        #expect(try await client.pubcomp().reasonCode == .success)
    }

    // MARK: Redelivery

    @Test(
        "MQTT-4.4.0-1 (3.1.1, 5.0): what is unacknowledged is sent again in the next connection, in order and as it was",
        arguments: ProtocolVersion.standard)
    func MQTT_4_4_0_1(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        for number in 1...6 {
            try await client.publish(topic, "\(number)", number % 2 == 0 ? .exactlyOnce : .atLeastOnce)
        }
        var sent: [Publish] = []
        for _ in 1...6 { sent.append(try await client.publish()) }
        let again = try await back(client)
        var repeated: [Publish] = []
        for _ in 1...6 { repeated.append(try await again.publish()) }
        #expect(repeated.map(\.packetIdentifier) == sent.map(\.packetIdentifier))
        #expect(repeated.map(\.text) == sent.map(\.text))
        #expect(repeated.allSatisfy { $0.duplicate })
        // And never of its own accord in the same connection.
        try await Task.sleep(for: .milliseconds(1500))
        try await again.expectSilence()
    }

    @Test("MQTT-4.4.0-2 (5.0): what was refused with an error is not sent again")
    func MQTT_4_4_0_2_v5() async throws {
        let (client, topic) = try await subscriber(.v5)
        try await client.publish(topic, "1", .atLeastOnce)
        try await client.publish(topic, "2", .exactlyOnce)
        for _ in 1...2 {
            let message = try await client.publish()
            let refusal = Acknowledgement(
                packetIdentifier: try #require(message.packetIdentifier), reasonCode: .unspecifiedError)
            try await client.send(message.qos == .atLeastOnce ? .puback(refusal) : .pubrec(refusal))
        }
        try await client.expectSilence()
        let again = try await back(client)
        try await again.expectSilence()
    }

    @Test(
        "MQTT-4.5.0-1 (3.1.1, 5.0): a message joins the session of every client with a subscription that matches",
        arguments: ProtocolVersion.standard)
    func MQTT_4_5_0_1(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        var clients: [RawClient] = []
        for filter in ["\(topic)/a", "\(topic)/+", "\(topic)/#", "+/a"] {
            let (client, _) = try await RawClient.connectLasting(version, unique())
            try await client.subscribe(filter)
            clients.append(client)
        }
        try await clients[1].drop()
        try await clients[2].drop()
        let publisher = try await RawClient.connect(version)
        try await publisher.publish("\(topic)/a", "to all", .exactlyOnce)
        for (number, client) in clients.enumerated() {
            var reader = client
            if number == 1 || number == 2 {
                (reader, _) = try await RawClient.connectLasting(version, client.identifier)
            }
            // `+/a` matches topics of other tests too.
            var message = try await reader.message()
            while message.topic?.string != "\(topic)/a" { message = try await reader.message() }
            #expect(message.text == "to all")
        }
    }

    @Test(
        "3.1.1 §4.1, 5.0 §4.1: messages of QoS 0 to a client that is away may be lost, others not",
        arguments: ProtocolVersion.standard)
    func offlineQueue(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        try await client.drop()
        let publisher = try await RawClient.connect(version)
        for number in 1...30 {
            try await publisher.publish(topic, "\(number)", number % 3 == 0 ? .exactlyOnce : .atLeastOnce)
        }
        let (again, _) = try await RawClient.connectLasting(version, client.identifier)
        #expect(try await again.messages(30).map(\.text) == (1...30).map { "\($0)" })
    }
}
