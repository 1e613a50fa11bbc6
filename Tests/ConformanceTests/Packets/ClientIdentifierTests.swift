import MQTTWire
import Testing

@Suite("Client identifiers", .conformance)
struct ClientIdentifierTests {
    @Test(
        "MQTT-3.1.3-2 (3.1.1, 5.0): the client identifier finds the session, another one does not",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_3_2(_ version: ProtocolVersion) async throws {
        let (topic, identifier) = (unique("t"), unique())
        let (client, _) = try await RawClient.connectLasting(version, identifier)
        try await client.subscribe(topic)
        try await client.disconnect()
        let (other, otherConnack) = try await RawClient.connectLasting(version, identifier + "0")
        #expect(!otherConnack.sessionPresent)
        try await other.publish(topic, "kept")
        try await other.expectSilence()
        let (again, connack) = try await RawClient.connectLasting(version, identifier)
        #expect(connack.sessionPresent)
        #expect(try await again.message().text == "kept")
    }

    @Test(
        "MQTT-3.1.3-3 (3.1.1, 5.0): a CONNECT without client identifier is refused", arguments: ProtocolVersion.standard
    )
    func MQTT_3_1_3_3(_ version: ProtocolVersion) async throws {
        let client = try await RawClient.open(version)
        try await client.send(bytes: connectBytes(version, payload: []))
        try await client.expectRefused(.malformedPacket, .protocolError)
    }

    @Test(
        "MQTT-3.1.3-4 (3.1.1, 5.0): a client identifier of ill-formed UTF-8 is refused",
        arguments: ProtocolVersion.standard, illFormed)
    func MQTT_3_1_3_4(_ version: ProtocolVersion, _ bytes: [UInt8]) async throws {
        let client = try await RawClient.open(version)
        try await client.send(bytes: connectBytes(version, payload: field(bytes)))
        try await client.expectRefused(.malformedPacket, .clientIdentifierNotValid)
    }

    @Test("MQTT-3.1.3-5 (3.1.1, 5.0): identifiers of 1 to 23 letters and digits are let in")
    func MQTT_3_1_3_5() async throws {
        let identifiers = ["0", "a", "Z", "0123456789abcdefghijklm", "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ"]
        for version in ProtocolVersion.standard {
            for identifier in identifiers {
                let client = try await RawClient.connect(version, identifier)
                try await client.disconnect()
            }
        }
    }

    @Test(
        "3.1.1 §3.1.3.1, 5.0 §3.1.3.1: longer identifiers and other characters are let in",
        arguments: ProtocolVersion.standard)
    func longerIdentifiers(_ version: ProtocolVersion) async throws {
        for identifier in [String(repeating: "x", count: 200), "brücke/7 №1 🌉"] {
            _ = try await RawClient.connect(version, unique() + identifier)
        }
    }

    @Test(
        "MQTT-3.1.3-6 (3.1.1, 5.0): each client with an empty identifier gets one of its own",
        arguments: ProtocolVersion.standard)
    func MQTT_3_1_3_6(_ version: ProtocolVersion) async throws {
        let first = try await RawClient.connect(version, "")
        let second = try await RawClient.connect(version, "")
        // With one identifier for both, the second would have taken over.
        try await first.expectSilence()
        try await second.expectSilence()
    }

    @Test(
        "MQTT-3.1.3-7 (3.1.1), MQTT-3.1.3-8 (3.1.1): an empty identifier that asks for a session is refused with code 2"
    )
    func MQTT_3_1_3_8_v3() async throws {
        let client = try await RawClient.open(.v3_1_1)
        try await client.send(bytes: connectBytes(.v3_1_1, flags: 0x00, identifier: ""))
        try await client.expectRefused(.clientIdentifierNotValid, mustAnswer: true)
    }

    @Test("MQTT-3.1.3-7 (5.0): CONNACK names the assigned identifier, and the session is found under it")
    func MQTT_3_1_3_7_v5() async throws {
        let topic = unique("t")
        let (client, connack) = try await RawClient.connectLasting(.v5, "", cleanStart: true)
        let assigned = try #require(connack.properties.assignedClientIdentifier)
        try await client.subscribe(topic)
        try await client.disconnect()
        let (again, resumed) = try await RawClient.connectLasting(.v5, assigned)
        #expect(resumed.sessionPresent)
        #expect(resumed.properties.assignedClientIdentifier == nil)
        try await again.publish(topic, "mine")
        #expect(try await again.message().text == "mine")
    }

    @Test("5.0 §3.1.3.1: an empty identifier may ask for no clean start")
    func emptyIdentifierWithoutCleanStart() async throws {
        let (_, connack) = try await RawClient.connectLasting(.v5, "")
        #expect(!connack.sessionPresent)
        #expect(connack.properties.assignedClientIdentifier?.isEmpty == false)
    }

    @Test("MQTT-3.2.2-16 (5.0): assigned identifiers are unlike all others")
    func MQTT_3_2_2_16_v5() async throws {
        var assigned: Set<String> = []
        for _ in 1...5 {
            let (_, connack) = try await RawClient.connecting(Connect(version: .v5, clientIdentifier: ""))
            assigned.insert(try #require(connack.properties.assignedClientIdentifier))
        }
        #expect(assigned.count == 5)
    }

    @Test(
        "MQTT-3.1.3-9 (3.1.1), MQTT-3.1.3-8 (5.0): an identifier that the broker does not accept is refused with the code for it",
        .enabled(if: !BrokerUnderTest.isForeign), arguments: ProtocolVersion.standard)
    func MQTT_3_1_3_9_v3_MQTT_3_1_3_8_v5(_ version: ProtocolVersion) async throws {
        try await BrokerUnderTest.withOwn(.init(refusedIdentifier: "mallory")) { port in
            let client = try await RawClient.open(version, port: port)
            try await client.send(.connect(Connect(version: version, clientIdentifier: "mallory")))
            try await client.expectRefused(.clientIdentifierNotValid, mustAnswer: version == .v3_1_1)
            _ = try await RawClient.connect(version, "alice", port: port)
        }
    }
}
