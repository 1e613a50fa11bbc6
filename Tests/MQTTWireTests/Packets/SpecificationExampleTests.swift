import MQTTWire
import NIOCore
import Testing

/// The bytes that the specifications print in their figures and tables.
@Suite struct SpecificationExampleTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let source: String
        let version: ProtocolVersion
        let hex: String
        let packet: Packet
        var testDescription: String { source }
    }

    private static func connect(_ version: ProtocolVersion, _ properties: Properties) throws -> Packet {
        .connect(
            Connect(
                version: version, clientIdentifier: "c", cleanStart: true, keepAlive: 10, username: "u",
                password: ByteBuffer(string: "p"),
                will: Will(topic: try TopicName("w"), payload: ByteBuffer(string: "x"), qos: .atLeastOnce),
                properties: properties))
    }

    static func examples() throws -> [Example] {
        guard let ten = PacketIdentifier(rawValue: 10) else { return [] }
        let filters = [try TopicFilter("a/b"), try TopicFilter("c/d")]
        let publish = Publish(
            topic: try TopicName("a/b"), payload: ByteBuffer(), qos: .atLeastOnce, packetIdentifier: ten)
        let subscribe = Subscribe(
            packetIdentifier: ten,
            subscriptions: [
                Subscription(filter: filters[0], qos: .atLeastOnce),
                Subscription(filter: filters[1], qos: .exactlyOnce),
            ])
        let suback = SubAck(packetIdentifier: ten, reasonCodes: [.grantedQoS0, .grantedQoS2, .unspecifiedError])
        let unsubscribe = Unsubscribe(packetIdentifier: ten, filters: filters)
        return [
            Example(
                source: "V3.1 §3.1, CONNECT", version: .v3_1,
                hex: "10 1B  00 06 4D 51 49 73 64 70 03 CE 00 0A  00 01 63  00 01 77  00 01 78  00 01 75  00 01 70",
                packet: try connect(.v3_1, [])),
            Example(
                source: "3.1.1 figure 3.6, CONNECT", version: .v3_1_1,
                hex: "10 19  00 04 4D 51 54 54 04 CE 00 0A  00 01 63  00 01 77  00 01 78  00 01 75  00 01 70",
                packet: try connect(.v3_1_1, [])),
            Example(
                source: "5.0 figure 3-6, CONNECT", version: .v5,
                hex: """
                    10 20  00 04 4D 51 54 54 05 CE 00 0A 05 11 00 00 00 0A
                    00 01 63  00  00 01 77  00 01 78  00 01 75  00 01 70
                    """,
                packet: try connect(.v5, [.sessionExpiryInterval(10)])),
            Example(
                source: "3.1.1 figure 3.11, PUBLISH", version: .v3_1_1, hex: "32 07 00 03 61 2F 62 00 0A",
                packet: .publish(publish)),
            Example(
                source: "5.0 figure 3-9, PUBLISH", version: .v5, hex: "32 08 00 03 61 2F 62 00 0A 00",
                packet: .publish(publish)),
            Example(
                source: "3.1.1 figure 3.22 and 3.23, SUBSCRIBE", version: .v3_1_1,
                hex: "82 0E 00 0A 00 03 61 2F 62 01 00 03 63 2F 64 02", packet: .subscribe(subscribe)),
            Example(
                source: "5.0 figure 3-20 and 3-22, SUBSCRIBE", version: .v5,
                hex: "82 0F 00 0A 00 00 03 61 2F 62 01 00 03 63 2F 64 02", packet: .subscribe(subscribe)),
            Example(
                source: "3.1.1 figure 3.27, SUBACK", version: .v3_1_1, hex: "90 05 00 0A 00 02 80",
                packet: .suback(suback)),
            Example(
                source: "5.0 §3.9.3, SUBACK", version: .v5, hex: "90 06 00 0A 00 00 02 80",
                packet: .suback(suback)),
            Example(
                source: "3.1.1 figure 3.30, UNSUBSCRIBE", version: .v3_1_1,
                hex: "A2 0C 00 0A 00 03 61 2F 62 00 03 63 2F 64", packet: .unsubscribe(unsubscribe)),
            Example(
                source: "5.0 figure 3-30, UNSUBSCRIBE", version: .v5,
                hex: "A2 0D 00 0A 00 00 03 61 2F 62 00 03 63 2F 64", packet: .unsubscribe(unsubscribe)),
            Example(
                source: "3.1.1 figure 3.31, UNSUBACK", version: .v3_1_1, hex: "B0 02 00 0A",
                packet: .unsuback(UnsubAck(packetIdentifier: ten))),
            Example(
                source: "5.0 §3.4.2.1, PUBACK without reason code", version: .v5, hex: "40 02 00 0A",
                packet: .puback(Acknowledgement(packetIdentifier: ten))),
            Example(
                source: "5.0 §3.14.2.1, DISCONNECT without reason code", version: .v5, hex: "E0 00",
                packet: .disconnect(Disconnect())),
            Example(
                source: "5.0 §3.15.2.1, AUTH without reason code", version: .v5, hex: "F0 00",
                packet: .auth(Auth(reasonCode: .success))),
        ]
    }

    @Test(arguments: try examples())
    func `the figures of the specifications encode and decode`(example: Example) throws {
        var buffer = ByteBuffer()
        try example.packet.encode(into: &buffer, version: example.version)
        #expect(buffer.hex == [UInt8](hex: example.hex).hex)
        var decoder = PacketDecoder(version: example.version, maximumPacketSize: 1000)
        #expect(try decoder.decode(from: &buffer) == example.packet)
    }

    @Test(
        arguments: [
            (1, "01"), (127, "7F"), (128, "80 01"), (16_383, "FF 7F"), (16_384, "80 80 01"), (2_097_151, "FF FF 7F"),
            (2_097_152, "80 80 80 01"), (268_435_455, "FF FF FF 7F"),
        ] as [(UInt32, String)])
    func `variable byte integers take the bytes of the table in §1.5.5`(value: UInt32, hex: String) throws {
        let packet = Packet.subscribe(
            Subscribe(
                packetIdentifier: .first, subscriptions: [Subscription(filter: try TopicFilter("a"))],
                properties: [.subscriptionIdentifier(value)]))
        var buffer = ByteBuffer()
        try packet.encode(into: &buffer, version: .v5)
        let encoded = [UInt8](hex: hex)
        let size = UInt8(encoded.count)
        let head = [0x82, 8 + size, 0x00, 0x01, 1 + size, 0x0B]
        #expect(buffer.hex == (head + encoded + [0x00, 0x01, 0x61, 0x01]).hex)
        var decoder = PacketDecoder(version: .v5, maximumPacketSize: 1000)
        #expect(try decoder.decode(from: &buffer) == packet)
    }

    @Test(arguments: [
        ("41 F0 AA 9B 94", "A\u{2A6D4}"),
        ("EF BB BF 61", "\u{FEFF}a"),  // not a byte order mark: MQTT-1.5.4-3
        ("01 1F 7F C2 9F", "\u{1}\u{1F}\u{7F}\u{9F}"),  // control characters may be refused; they are not
        ("EF BF BF", "\u{FFFF}"),  // nor are noncharacters
        ("EE 80 80 F4 8F BF BF", "\u{E000}\u{10FFFF}"),
    ])
    func `strings keep every character that may stand in them`(hex: String, text: String) throws {
        let count = [UInt8](hex: hex).count
        var buffer = ByteBuffer(bytes: [0x30, UInt8(count + 2), 0x00, UInt8(count)] + [UInt8](hex: hex))
        let bytes = buffer
        var decoder = PacketDecoder(version: .v3_1_1, maximumPacketSize: 1000)
        let packet = try #require(try decoder.decode(from: &buffer))
        guard case .publish(let publish) = packet else {
            Issue.record("no PUBLISH")
            return
        }
        #expect(publish.topic?.string.unicodeScalars.elementsEqual(text.unicodeScalars) == true)
        var again = ByteBuffer()
        try packet.encode(into: &again, version: .v3_1_1)
        #expect(again == bytes)
    }
}
