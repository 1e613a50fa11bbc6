import MQTTWire
import NIOCore
import Testing

@Suite struct RoundTripTests {
    @Test(arguments: ProtocolVersion.allCases)
    func `every generated packet decodes to itself, from exactly its bytes`(version: ProtocolVersion) throws {
        let seed: UInt64 = 0x5EED
        var generator = PacketGenerator(seed: seed, version: version)
        for round in 0..<6_000 {
            let packet = try generator.packet()
            var buffer = ByteBuffer()
            try packet.encode(into: &buffer, version: version)
            let bytes = buffer.hex
            #expect(try packet.encodedSize(version: version) == buffer.readableBytes, "seed \(seed), round \(round)")

            var decoder = PacketDecoder(version: version, maximumPacketSize: buffer.readableBytes)
            let decoded = try decoder.decode(from: &buffer)
            #expect(decoded == packet, "seed \(seed), round \(round): \(bytes)")
            #expect(buffer.readableBytes == 0)

            var again = ByteBuffer()
            try decoded?.encode(into: &again, version: version)
            #expect(again.hex == bytes, "seed \(seed), round \(round)")
        }
    }

    @Test func `encoding appends to what the buffer holds`() throws {
        var buffer = ByteBuffer(hex: "01 02")
        try Packet.pingreq.encode(into: &buffer, version: .v5)
        try Packet.pingresp.encode(into: &buffer, version: .v5)
        #expect(buffer.hex == "01 02 C0 00 D0 00")
    }

    @Test func `a payload is a slice of the received bytes`() throws {
        let publish = Publish(topic: try TopicName("t"), payload: ByteBuffer(repeating: 7, count: 100_000))
        var buffer = ByteBuffer()
        try Packet.publish(publish).encode(into: &buffer, version: .v5)
        let start = buffer.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        let size = buffer.readableBytes
        var decoder = PacketDecoder(version: .v5, maximumPacketSize: size)
        guard case .publish(let decoded) = try decoder.decode(from: &buffer) else {
            Issue.record("no PUBLISH")
            return
        }
        let payload = decoded.payload.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        #expect(payload == start + UInt(size - 100_000))
    }

    @Test(arguments: [127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
    func `remaining lengths around the limits of their encoding survive`(length: Int) throws {
        // Two bytes of topic length, one of topic.
        let publish = Publish(topic: try TopicName("t"), payload: ByteBuffer(repeating: 1, count: length - 3))
        var buffer = ByteBuffer()
        try Packet.publish(publish).encode(into: &buffer, version: .v3_1_1)
        var decoder = PacketDecoder(version: .v3_1_1, maximumPacketSize: .max)
        #expect(try decoder.decode(from: &buffer) == .publish(publish))
        #expect(buffer.readableBytes == 0)
    }
}
