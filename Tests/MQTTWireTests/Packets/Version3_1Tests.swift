import MQTTWire
import NIOCore
import Testing

/// What MQTT V3.1 has otherwise than 3.1.1.
@Suite struct Version3_1Tests {
    /// CONNECT up to the level, without its length.
    private static let head = "00 06 4D 51 49 73 64 70 03"

    private func decode(_ hex: String, by decoder: PacketDecoder) throws -> Packet? {
        var decoder = decoder
        var buffer = ByteBuffer(hex: hex)
        let packet = try decoder.decode(from: &buffer)
        #expect(buffer.readableBytes == 0)
        return packet
    }

    @Test(
        arguments: [
            ("10 0F \(head) 02 00 3C 00 01 63", nil, nil),
            // The flags announce a user name, a password, both; and the packet ends.
            ("10 0F \(head) 82 00 3C 00 01 63", nil, nil),
            ("10 0F \(head) C2 00 3C 00 01 63", nil, nil),
            ("10 12 \(head) C2 00 3C 00 01 63 00 01 75", "u", nil),
            ("10 12 \(head) 82 00 3C 00 01 63 00 01 75", "u", nil),
            ("10 15 \(head) C2 00 3C 00 01 63 00 01 75 00 01 70", "u", "p"),
            // QoS and RETAIN of no will.
            ("10 0F \(head) 3A 00 3C 00 01 63", nil, nil),
        ] as [(String, String?, String?)])
    func `a CONNECT may announce fields that it lacks`(hex: String, username: String?, password: String?) throws {
        let connect = Connect(
            version: .v3_1, clientIdentifier: "c", username: username, password: password.map { ByteBuffer(string: $0) }
        )
        #expect(try decode(hex, by: PacketDecoder(maximumPacketSize: 100)) == .connect(connect))
    }

    @Test(arguments: [
        ("10 0D 00 04 4D 51 54 54 84 02 00 3C 00 01 63", ProtocolVersion.v3_1_1),
        ("10 0F 00 06 4D 51 49 73 64 70 83 02 00 3C 00 01 63", .v3_1),
    ])
    func `a bridge says so by the highest bit of the level`(hex: String, version: ProtocolVersion) throws {
        var connect = Connect(version: version, clientIdentifier: "c")
        connect.isBridge = true
        #expect(try decode(hex, by: PacketDecoder(maximumPacketSize: 100)) == .connect(connect))
        var buffer = ByteBuffer()
        try Packet.connect(connect).encode(into: &buffer, version: version)
        #expect(buffer == ByteBuffer(hex: hex))
    }

    @Test func `a client identifier may be longer than 23 characters`() throws {
        let connect = Connect(version: .v3_1, clientIdentifier: String(repeating: "c", count: 24), cleanStart: false)
        var buffer = ByteBuffer()
        try Packet.connect(connect).encode(into: &buffer, version: .v3_1)
        #expect(try decode(buffer.hex, by: PacketDecoder(maximumPacketSize: 100)) == .connect(connect))
    }

    @Test(arguments: ["6A 02 00 01", "8A 06 00 01 00 01 61 00", "AA 05 00 01 00 01 61"])
    func `what is sent again may say so`(hex: String) throws {
        for version in ProtocolVersion.allCases where version != .v3_1 {
            var decoder = PacketDecoder(version: version, maximumPacketSize: 100)
            #expect(decoder.brokenRule(by: ByteBuffer(hex: hex)) == .reservedFlags)
        }
        let packet = try decode(hex, by: PacketDecoder(version: .v3_1, maximumPacketSize: 100))
        var buffer = ByteBuffer()
        try packet?.encode(into: &buffer, version: .v3_1)
        var first = [UInt8](hex: hex)
        first[0] &= ~0x08
        #expect(buffer.hex == first.hex)
    }

    @Test func `CONNACK does not tell of a session, and SUBACK of no failure`() throws {
        var buffer = ByteBuffer()
        let connack = ConnAck(sessionPresent: true, reasonCode: .success)
        try Packet.connack(connack).encode(into: &buffer, version: .v3_1)
        let codes: [ReasonCode] = [.grantedQoS2, .notAuthorized, .grantedQoS1]
        try Packet.suback(SubAck(packetIdentifier: .first, reasonCodes: codes)).encode(into: &buffer, version: .v3_1)
        #expect(buffer.hex == "20 02 00 00 90 05 00 01 02 00 01")
        let reserved = try decode("20 02 FF 00", by: PacketDecoder(version: .v3_1, maximumPacketSize: 100))
        #expect(reserved == .connack(ConnAck(sessionPresent: false, reasonCode: .success)))
    }
}
