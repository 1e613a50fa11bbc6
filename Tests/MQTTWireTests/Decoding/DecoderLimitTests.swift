import MQTTWire
import NIOCore
import Testing

@Suite struct DecoderLimitTests {
    private static func rule(_ hex: String, limit: Int) -> ProtocolRule? {
        var decoder = PacketDecoder(version: .v5, maximumPacketSize: limit)
        return decoder.brokenRule(by: ByteBuffer(hex: hex))
    }

    @Test func `a packet over the limit is refused as soon as its length is known`() {
        #expect(Self.rule("30 7F", limit: 129) == nil)
        #expect(Self.rule("30 7F", limit: 128) == .packetTooLarge)
        #expect(Self.rule("30 80 01", limit: 131) == nil)
        #expect(Self.rule("30 80 01", limit: 130) == .packetTooLarge)
        #expect(Self.rule("30 FF FF FF 7F", limit: 268_435_460) == nil)
        #expect(Self.rule("30 FF FF FF 7F", limit: 268_435_459) == .packetTooLarge)
        #expect(Self.rule("C0 00", limit: 2) == nil)
        #expect(Self.rule("C0 00", limit: 1) == .packetTooLarge)
    }

    @Test func `the error says how large the packet is`() {
        var decoder = PacketDecoder(version: .v3_1_1, maximumPacketSize: 1024)
        var buffer = ByteBuffer(hex: "30 FF FF FF 7F")
        #expect {
            try decoder.decode(from: &buffer)
        } throws: { error in
            guard let error = error as? DecodingError else { return false }
            return error.found == 268_435_460 && error.reasonCode == .packetTooLarge && error.packet == .publish
        }
    }

    @Test func `a wrong first byte is refused before the length is there`() {
        #expect(Self.rule("36", limit: 100) == .invalidQoS)
        #expect(Self.rule("80", limit: 100) == .reservedFlags)
        #expect(Self.rule("00", limit: 100) == .unknownPacketType)
    }

    @Test(.timeLimit(.minutes(3)))
    func `a packet full of empty user properties takes time in proportion to its size`() throws {
        let count = 200_000
        var buffer = ByteBuffer(hex: "30")
        // Three bytes of topic, three of property length.
        let length = 5 * count
        Self.writeVariable(3 + 3 + length, to: &buffer)
        buffer.writeBytes([0x00, 0x01, 0x61])
        Self.writeVariable(length, to: &buffer)
        for _ in 0..<count { buffer.writeBytes([0x26, 0, 0, 0, 0]) }
        var decoder = PacketDecoder(version: .v5, maximumPacketSize: buffer.readableBytes)
        guard case .publish(let publish) = try decoder.decode(from: &buffer) else {
            Issue.record("no PUBLISH")
            return
        }
        #expect(publish.properties.all.count == count)
    }

    @Test(.timeLimit(.minutes(3)))
    func `a packet full of filters takes time in proportion to its size`() throws {
        let count = 200_000
        var buffer = ByteBuffer(hex: "A2")
        Self.writeVariable(2 + 3 * count, to: &buffer)
        buffer.writeBytes([0x00, 0x01])
        for _ in 0..<count { buffer.writeBytes([0x00, 0x01, 0x61]) }
        var decoder = PacketDecoder(version: .v3_1_1, maximumPacketSize: buffer.readableBytes)
        guard case .unsubscribe(let unsubscribe) = try decoder.decode(from: &buffer) else {
            Issue.record("no UNSUBSCRIBE")
            return
        }
        #expect(unsubscribe.filters.count == count)
    }

    private static func writeVariable(_ value: Int, to buffer: inout ByteBuffer) {
        var rest = value
        while rest >= 0x80 {
            buffer.writeInteger(UInt8(rest & 0x7F | 0x80))
            rest >>= 7
        }
        buffer.writeInteger(UInt8(rest))
    }
}
