import MQTTWire
import NIOCore
import Testing

@Suite struct ServerDecoderTests {
    @Test(arguments: ProtocolVersion.allCases)
    func `a server's decoder goes on with the version of CONNECT`(version: ProtocolVersion) throws {
        var buffer = ByteBuffer()
        let connect = Packet.connect(Connect(version: version, clientIdentifier: "c"))
        let publish = Packet.publish(Publish(topic: try TopicName("a"), payload: ByteBuffer(string: "x")))
        try connect.encode(into: &buffer, version: version)
        try publish.encode(into: &buffer, version: version)
        var decoder = PacketDecoder(maximumPacketSize: 100)
        #expect(decoder.version == nil)
        #expect(try decoder.decode(from: &buffer) == connect)
        #expect(decoder.version == version)
        #expect(try decoder.decode(from: &buffer) == publish)
    }

    @Test(arguments: PacketType.allCases.filter { $0 != .connect })
    func `anything before CONNECT is refused by its first byte`(type: PacketType) {
        var decoder = PacketDecoder(maximumPacketSize: 100)
        let buffer = ByteBuffer(bytes: [type.rawValue << 4])
        #expect(decoder.brokenRule(by: buffer) == .connectExpected)
    }

    @Test func `an unknown version and a foreign protocol are told apart`() {
        var decoder = PacketDecoder(maximumPacketSize: 100)
        var future = ByteBuffer(hex: "10 0D 00 04 4D 51 54 54 06 02 00 3C 00 01 63")
        #expect {
            try decoder.decode(from: &future)
        } throws: { error in
            guard let error = error as? DecodingError else { return false }
            return error.rule == .unsupportedProtocolVersion && error.found == 6
                && error.reasonCode == .unsupportedProtocolVersion
        }
        let foreign = ByteBuffer(hex: "10 0D 00 04 48 54 54 50 05 02 00 3C 00 01 63")
        #expect(decoder.brokenRule(by: foreign) == .invalidProtocolName)
        #expect(decoder.version == nil)
    }

    @Test func `a length with too many bytes is a fault of 5.0 only`() throws {
        var old = ByteBuffer(hex: "10 8D 00 00 04 4D 51 54 54 04 02 00 3C 00 01 63")
        var decoder = PacketDecoder(maximumPacketSize: 100)
        #expect(try decoder.decode(from: &old) == .connect(Connect(version: .v3_1_1, clientIdentifier: "c")))
        let new = ByteBuffer(hex: "10 8E 00 00 04 4D 51 54 54 05 02 00 3C 00 00 01 63")
        decoder = PacketDecoder(maximumPacketSize: 100)
        #expect(decoder.brokenRule(by: new) == .variableByteIntegerNotMinimal)
        #expect(decoder.version == nil)
    }
}
