import MQTTWire
import Testing

/// Sessions (3.1.1 §3.1.2.4 and §4.1, 5.0 §3.1.2.4, §3.1.2.11.2 and §4.1).
@Suite("Sessions", .conformance)
struct SessionTests {
    @Test("MQTT-3.1.2-4 (3.1.1): CleanSession 0 goes on with the session, or starts one that stays")
    func MQTT_3_1_2_4_v3() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, new) = try await RawClient.connectLasting(.v3_1_1, identifier)
        #expect(!new.sessionPresent)
        try await client.subscribe(topic)
        try await client.disconnect()
        let (again, known) = try await RawClient.connectLasting(.v3_1_1, identifier)
        #expect(known.sessionPresent)
        try await again.publish(topic, "subscribed still")
        #expect(try await again.message().text == "subscribed still")
    }

    @Test(
        "MQTT-3.1.2-5 (3.1.1): messages of QoS 1 and 2 wait for a client that is away",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_5_v3(_ version: ProtocolVersion) async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(version, identifier)
        try await client.subscribe(topic)
        try await client.disconnect()
        let publisher = try await RawClient.connect(version)
        try await publisher.publish(topic, "1", .atLeastOnce)
        try await publisher.publish(topic, "2", .exactlyOnce)
        let (again, _) = try await RawClient.connectLasting(version, identifier)
        let messages = try await again.messages(2)
        #expect(messages.map(\.text).sorted() == ["1", "2"])
        #expect(messages.map(\.qos).sorted() == [.atLeastOnce, .exactlyOnce])
        #expect(messages.allSatisfy { !$0.duplicate && !$0.retain })
    }

    @Test(
        "MQTT-3.1.2-6 (3.1.1), MQTT-3.1.2-4 (5.0): a clean start discards the session that was there",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_6_v3_MQTT_3_1_2_4_v5(_ version: ProtocolVersion) async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(version, identifier)
        try await client.subscribe(topic)
        try await client.disconnect()
        let publisher = try await RawClient.connect(version)
        try await publisher.publish(topic, "waits")
        let clean = try await RawClient.connect(version, identifier, cleanStart: true)
        try await publisher.publish(topic, "not subscribed")
        try await clean.expectSilence()
        try await clean.disconnect()
        // The clean session is over too, its end is not the old one's return.
        let (again, connack) = try await RawClient.connectLasting(version, identifier)
        #expect(!connack.sessionPresent)
        try await again.expectSilence()
    }

    @Test("MQTT-3.1.2-7 (3.1.1): retained messages outlive the session", arguments: ProtocolVersion.standard)
    func MQTT_3_1_2_7_v3(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.publish(topic, "retained", retain: true)
        try await client.disconnect()
        let other = try await RawClient.connect(version, client.identifier, cleanStart: true)
        try await other.subscribe(topic)
        #expect(try await other.message().text == "retained")
    }

    @Test("MQTT-3.1.2-5 (5.0): Clean Start 0 goes on with the session")
    func MQTT_3_1_2_5_v5() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(.v5, identifier)
        try await client.subscribe(topic)
        try await client.drop()
        let (again, connack) = try await RawClient.connectLasting(.v5, identifier)
        #expect(connack.sessionPresent)
        try await again.publish(topic, "subscribed still")
        #expect(try await again.message().text == "subscribed still")
    }

    @Test("MQTT-3.1.2-6 (5.0): Clean Start 0 without a session starts one")
    func MQTT_3_1_2_6_v5() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, connack) = try await RawClient.connectLasting(.v5, identifier)
        #expect(!connack.sessionPresent)
        try await client.subscribe(topic)
        try await client.publish(topic, "works")
        #expect(try await client.message().text == "works")
    }

    @Test("MQTT-3.1.2-23 (5.0): a session with an expiry interval is kept when the connection ends")
    func MQTT_3_1_2_23_v5() async throws {
        for properly in [true, false] {
            let identifier = unique()
            let (client, _) = try await RawClient.connectLasting(.v5, identifier)
            if properly { try await client.disconnect() } else { try await client.drop() }
            let (_, connack) = try await RawClient.connectLasting(.v5, identifier)
            #expect(connack.sessionPresent)
        }
    }

    @Test(
        "5.0 §3.1.2.11.2: without an expiry interval the session ends with the connection",
        arguments: [nil, 0] as [UInt32?])
    func noExpiryInterval(_ interval: UInt32?) async throws {
        let identifier = unique()
        let client = try await RawClient.connect(
            .v5, identifier, cleanStart: false, properties: interval.map { [.sessionExpiryInterval($0)] } ?? [])
        try await client.subscribe(unique("t"))
        try await client.disconnect()
        let (_, connack) = try await RawClient.connectLasting(.v5, identifier)
        #expect(!connack.sessionPresent)
    }

    @Test("5.0 §3.1.2.11.2: a session that never expires is kept")
    func neverExpires() async throws {
        let identifier = unique()
        let client = try await RawClient.connect(.v5, identifier, properties: [.sessionExpiryInterval(.max)])
        try await client.disconnect()
        let (again, connack) = try await RawClient.connectLasting(.v5, identifier)
        #expect(connack.sessionPresent)
        // Not to leave it behind for ever.
        try await again.disconnect(properties: [.sessionExpiryInterval(0)])
    }

    @Test("5.0 §3.1.2.4: a clean start says nothing about how long the new session lasts")
    func cleanStartWithExpiryInterval() async throws {
        let identifier = unique()
        let (client, _) = try await RawClient.connectLasting(.v5, identifier, cleanStart: true)
        try await client.disconnect()
        let (_, connack) = try await RawClient.connectLasting(.v5, identifier)
        #expect(connack.sessionPresent)
    }

    @Test("5.0 §3.14.2.2.2: DISCONNECT can change the expiry interval")
    func disconnectChangesExpiry() async throws {
        let shortened = unique()
        let (client, _) = try await RawClient.connectLasting(.v5, shortened)
        try await client.disconnect(properties: [.sessionExpiryInterval(0)])
        let (_, gone) = try await RawClient.connectLasting(.v5, shortened)
        #expect(!gone.sessionPresent)

        let prolonged = unique()
        let other = try await RawClient.connect(.v5, prolonged, properties: [.sessionExpiryInterval(1)])
        try await other.disconnect(properties: [.sessionExpiryInterval(300)])
        try await Task.sleep(for: .milliseconds(2500))
        let (_, kept) = try await RawClient.connectLasting(.v5, prolonged)
        #expect(kept.sessionPresent)
    }

    @Test("5.0 §3.14.2.2.2: DISCONNECT cannot give an expiry interval to a session that has none")
    func disconnectCannotStartExpiry() async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(.disconnect(Disconnect(properties: [.sessionExpiryInterval(60)])))
        try await client.expectClosed(.protocolError)
    }

    @Test(
        "MQTT-4.1.0-1 (3.1.1, 5.0), MQTT-4.1.0-2 (3.1.1): a session lasts as long as its connection",
        arguments: ProtocolVersion.standard)
    func MQTT_4_1_0_1(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        // An expiry interval runs from the connection's end only.
        let client = try await RawClient.connect(
            version, properties: version == .v5 ? [.sessionExpiryInterval(1)] : [])
        try await client.subscribe(topic)
        try await Task.sleep(for: .milliseconds(2500))
        try await client.publish(topic, "subscribed still")
        #expect(try await client.message().text == "subscribed still")
    }

    @Test("MQTT-4.1.0-2 (5.0): a session is discarded when its expiry interval has passed")
    func MQTT_4_1_0_2_v5() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let client = try await RawClient.connect(.v5, identifier, properties: [.sessionExpiryInterval(1)])
        try await client.subscribe(topic)
        try await client.drop()
        let publisher = try await RawClient.connect(.v5)
        try await publisher.publish(topic, "waits")
        try await Task.sleep(for: .milliseconds(3000))
        let (again, connack) = try await RawClient.connectLasting(.v5, identifier)
        #expect(!connack.sessionPresent)
        try await publisher.publish(topic, "not subscribed")
        try await again.expectSilence()
    }

    @Test("3.1.1 §3.1.2.4, 5.0 §3.1.2.4: a session is found across protocol versions")
    func acrossVersions() async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(.v3_1_1, identifier)
        try await client.subscribe(topic)
        try await client.disconnect()
        let (again, connack) = try await RawClient.connectLasting(.v5, identifier)
        #expect(connack.sessionPresent)
        try await again.publish(topic, "subscribed still")
        #expect(try await again.message().text == "subscribed still")
    }
}
