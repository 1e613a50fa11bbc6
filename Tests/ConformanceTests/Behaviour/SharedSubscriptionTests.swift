import MQTTWire
import NIOCore
import Testing

/// Shared subscriptions (5.0 §4.8.2).
@Suite("Shared subscriptions", .conformance)
struct SharedSubscriptionTests {
    @Test(
        "MQTT-4.8.2-1 (5.0): a share has a name",
        arguments: ["$share//a", "$share/", "$share//"])
    func MQTT_4_8_2_1_v5(_ filter: String) async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: subscribeBytes(.v5, filter: Array(filter.utf8)))
        try await client.expectFilterRefused()
    }

    @Test(
        "MQTT-4.8.2-2 (5.0): a share's name has no wildcards, and a filter behind it",
        arguments: ["$share/a+/b", "$share/+/b", "$share/#/b", "$share/a#/b", "$share/a", "$share/a/", "$share/a/#/b"])
    func MQTT_4_8_2_2_v5(_ filter: String) async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: subscribeBytes(.v5, filter: Array(filter.utf8)))
        try await client.expectFilterRefused()
    }

    @Test("5.0 §4.8.2: each message goes to one of the share")
    func sharing() async throws {
        let topic = unique("t")
        var members: [RawClient] = []
        for _ in 1...3 {
            let member = try await RawClient.connect(.v5)
            try await member.subscribe("$share/g/\(topic)/+", .atLeastOnce)
            members.append(member)
        }
        let publisher = try await RawClient.connect(.v5)
        for number in 1...30 { try await publisher.publish("\(topic)/\(number)", "\(number)") }
        var texts: [String] = []
        var shares: [Int] = []
        for member in members {
            let own = try await member.fence().compactMap {
                if case .publish(let publish) = $0 { publish.text } else { nil }
            }
            texts += own
            shares.append(own.count)
        }
        #expect(texts.compactMap { Int($0) }.sorted() == Array(1...30))
        // How they are distributed is the broker's choice; that one gets all would be no sharing.
        #expect(shares.allSatisfy { $0 < 30 })
    }

    @Test("5.0 §4.8.2: shares of other names, and subscriptions of one's own, get their own copies")
    func groupsAreApart() async throws {
        let topic = unique("t")
        let first = try await RawClient.connect(.v5)
        let second = try await RawClient.connect(.v5)
        let alone = try await RawClient.connect(.v5)
        try await first.subscribe("$share/one/\(topic)")
        try await second.subscribe("$share/two/\(topic)")
        try await alone.subscribe(topic)
        try await alone.publish(topic, "to each")
        for client in [first, second, alone] { #expect(try await client.message().text == "to each") }
    }

    @Test("5.0 §4.8.2: no retained messages are sent to a share")
    func noRetained() async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.publish(topic, "retained", retain: true)
        try await client.subscribe("$share/g/\(topic)")
        try await client.expectSilence()
        try await client.publish(topic, "live")
        #expect(try await client.message().text == "live")
    }

    @Test("5.0 §4.8.2: who unsubscribes leaves the share to the others")
    func leaving() async throws {
        let topic = unique("t")
        let first = try await RawClient.connect(.v5)
        let second = try await RawClient.connect(.v5)
        try await first.subscribe("$share/g/\(topic)")
        try await second.subscribe("$share/g/\(topic)")
        #expect(try await first.unsubscribe("$share/g/\(topic)").reasonCodes == [.success])
        let publisher = try await RawClient.connect(.v5)
        for number in 1...6 { try await publisher.publish(topic, "\(number)") }
        #expect(try await second.messages(6).map(\.text) == (1...6).map { "\($0)" })
        try await first.expectSilence()
    }

    @Test("MQTT-4.8.2-3 (5.0): each of the share gets messages with the QoS granted to it", arguments: QoS.allCases)
    func MQTT_4_8_2_3_v5(_ granted: QoS) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(.v5)
        try await client.subscribe("$share/g/\(topic)", granted)
        for published in QoS.allCases {
            try await client.publish(topic, "\(published)", published)
            #expect(try await client.message().qos == min(granted, published))
        }
    }

    /// A share of two, of which the first had a message of QoS 2 and lost its connection.
    private func interrupted() async throws -> (topic: String, gone: RawClient, other: RawClient) {
        let topic = unique("t")
        let publisher = try await RawClient.connect(.v5)
        let (first, _) = try await RawClient.connectLasting(.v5, unique())
        try await first.subscribe("$share/g/\(topic)")
        try await publisher.publish(topic, "interrupted", .exactlyOnce)
        _ = try await first.publish()
        let (other, _) = try await RawClient.connectLasting(.v5, unique())
        try await other.subscribe("$share/g/\(topic)")
        try await first.drop()
        return (topic, first, other)
    }

    @Test("MQTT-4.8.2-4 (5.0): a delivery of QoS 2 that was interrupted is completed with the same client")
    func MQTT_4_8_2_4_v5() async throws {
        let (_, gone, other) = try await interrupted()
        let (again, _) = try await RawClient.connectLasting(.v5, gone.identifier)
        let message = try await again.message()
        #expect(message.text == "interrupted")
        #expect(message.duplicate)
        try await other.expectSilence()
    }

    @Test("MQTT-4.8.2-5 (5.0): if its session ends before, the message goes to nobody else")
    func MQTT_4_8_2_5_v5() async throws {
        let (topic, gone, other) = try await interrupted()
        let clean = try await RawClient.connect(.v5, gone.identifier, cleanStart: true)
        try await clean.expectSilence()
        let publisher = try await RawClient.connect(.v5)
        try await publisher.publish(topic, "next", .exactlyOnce)
        #expect(try await other.message().text == "next")
    }

    @Test(
        "MQTT-4.8.2-6 (5.0): a message that one of the share refuses goes to nobody else",
        arguments: [QoS.atLeastOnce, .exactlyOnce])
    func MQTT_4_8_2_6_v5(_ qos: QoS) async throws {
        let topic = unique("t")
        let publisher = try await RawClient.connect(.v5)
        let first = try await RawClient.connect(.v5)
        try await first.subscribe("$share/g/\(topic)")
        try await publisher.publish(topic, "refused", qos)
        let identifier = try #require(try await first.publish().packetIdentifier)
        let second = try await RawClient.connect(.v5)
        try await second.subscribe("$share/g/\(topic)")
        let refusal = Acknowledgement(packetIdentifier: identifier, reasonCode: .unspecifiedError)
        try await first.send(qos == .atLeastOnce ? .puback(refusal) : .pubrec(refusal))
        try await first.expectSilence()
        try await first.unsubscribe("$share/g/\(topic)")
        try await publisher.publish(topic, "next", qos)
        #expect(try await second.message().text == "next")
        try await second.expectSilence()
    }

    @Test("5.0 §3.2.2.3.13: a broker that has shared subscriptions does not say the contrary")
    func announced() async throws {
        let (_, connack) = try await RawClient.connecting(Connect(version: .v5, clientIdentifier: unique()))
        #expect(connack.properties.sharedSubscriptionAvailable != false)
        #expect(connack.properties.wildcardSubscriptionAvailable != false)
        #expect(connack.properties.subscriptionIdentifiersAvailable != false)
    }
}
