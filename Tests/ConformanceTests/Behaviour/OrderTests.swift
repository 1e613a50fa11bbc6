import MQTTWire
import NIOCore
import Testing

/// The order of messages (chapter 4.6).
@Suite("Order of messages", .conformance)
struct OrderTests {
    /// A subscriber, and a topic of its own.
    private func subscriber(_ version: ProtocolVersion) async throws -> (RawClient, topic: String) {
        let topic = unique("t")
        let (client, _) = try await RawClient.connectLasting(version, unique())
        try await client.subscribe(topic)
        return (client, topic)
    }

    @Test(
        "MQTT-4.6.0-5 (5.0), MQTT-4.6.0-6 (3.1.1): messages of one client come in the order in which it sent them",
        arguments: ProtocolVersion.standard, QoS.allCases)
    func MQTT_4_6_0_5_v5(_ version: ProtocolVersion, _ qos: QoS) async throws {
        let (client, topic) = try await subscriber(version)
        let publisher = try await RawClient.connect(version)
        for number in 1...20 { try await publisher.publish(topic, "\(number)", qos, identifier: UInt16(number)) }
        #expect(try await client.messages(20).map(\.text) == (1...20).map { "\($0)" })
    }

    @Test(
        "MQTT-4.6.0-5 (3.1.1), MQTT-4.6.0-6 (5.0): every topic is an ordered one",
        arguments: ProtocolVersion.standard)
    func MQTT_4_6_0_5_v3_MQTT_4_6_0_6_v5(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe("\(topic)/#")
        let publisher = try await RawClient.connect(version)
        for number in 1...24 { try await publisher.publish("\(topic)/\(number % 3)", "\(number)") }
        var texts: [String: [Int]] = [:]
        for message in try await client.messages(24) {
            texts[message.topic?.string ?? "", default: []].append(try #require(Int(message.text)))
        }
        #expect(texts.count == 3)
        for numbers in texts.values { #expect(numbers == numbers.sorted()) }
    }

    @Test(
        "MQTT-4.6.0-2 (3.1.1), MQTT-4.6.0-3 (3.1.1): the broker acknowledges in the order in which messages came",
        arguments: ProtocolVersion.standard)
    func MQTT_4_6_0_2_v3(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        var numbers: [UInt16] = [9, 3, 7, 1, 5]
        for number in numbers { try await client.send(try publication(topic, "1", .atLeastOnce, identifier: number)) }
        for number in numbers { #expect(try await client.puback().packetIdentifier == id(number)) }
        numbers = [8, 2, 6, 4]
        for number in numbers { try await client.send(try publication(topic, "2", .exactlyOnce, identifier: number)) }
        for number in numbers { #expect(try await client.pubrec().packetIdentifier == id(number)) }
    }

    @Test(
        "MQTT-4.6.0-4 (3.1.1): the broker sends PUBREL in the order in which PUBREC came",
        arguments: ProtocolVersion.standard)
    func MQTT_4_6_0_4_v3(_ version: ProtocolVersion) async throws {
        let (client, topic) = try await subscriber(version)
        for number in 1...4 { try await client.publish(topic, "\(number)", .exactlyOnce) }
        var identifiers: [PacketIdentifier] = []
        for _ in 1...4 { identifiers.append(try #require(try await client.publish().packetIdentifier)) }
        for identifier in identifiers { try await client.send(.pubrec(Acknowledgement(packetIdentifier: identifier))) }
        for identifier in identifiers { #expect(try await client.pubrel().packetIdentifier == identifier) }
    }

    @Test(
        "MQTT-4.6.0-1 (3.1.1): what is sent again keeps its order", arguments: ProtocolVersion.standard,
        [QoS.atLeastOnce, .exactlyOnce])
    func MQTT_4_6_0_1_v3(_ version: ProtocolVersion, _ qos: QoS) async throws {
        let (client, topic) = try await subscriber(version)
        for number in 1...8 { try await client.publish(topic, "\(number)", qos) }
        for _ in 1...8 { _ = try await client.publish() }
        try await client.drop()
        let (again, _) = try await RawClient.connectLasting(version, client.identifier)
        var texts: [String] = []
        for _ in 1...8 { texts.append(try await again.publish().text) }
        #expect(texts == (1...8).map { "\($0)" })
    }
}
