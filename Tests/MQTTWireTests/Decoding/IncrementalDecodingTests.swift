import MQTTWire
import NIOCore
import Testing

@Suite struct IncrementalDecodingTests {
    @Test(arguments: ProtocolVersion.allCases)
    func `a packet cut anywhere is asked for again, with the buffer untouched`(version: ProtocolVersion) throws {
        let seed: UInt64 = 11
        var generator = PacketGenerator(seed: seed, version: version)
        for round in 0..<150 {
            let packet = try generator.packet()
            var whole = ByteBuffer()
            try packet.encode(into: &whole, version: version)
            var decoder = PacketDecoder(version: version, maximumPacketSize: whole.readableBytes)
            for cut in 0..<whole.readableBytes {
                var part = try #require(whole.getSlice(at: 0, length: cut))
                #expect(try decoder.decode(from: &part) == nil, "seed \(seed), round \(round), cut \(cut)")
                #expect(part.readerIndex == 0 && part.readableBytes == cut)
            }
            #expect(try decoder.decode(from: &whole) == packet)
        }
    }

    @Test(arguments: ProtocolVersion.allCases)
    func `NIO's processor delivers a stream split at every point`(version: ProtocolVersion) throws {
        var generator = PacketGenerator(seed: 12, version: version)
        let packets = try PacketType.allCases.filter { $0 != .auth || version == .v5 }.map {
            try generator.packet($0)
        }
        var stream = ByteBuffer()
        for packet in packets { try packet.encode(into: &stream, version: version) }
        for split in 0...stream.readableBytes {
            let processor = NIOSingleStepByteToMessageProcessor(
                PacketDecoder(version: version, maximumPacketSize: 10_000))
            var received: [Packet] = []
            for part in [
                stream.getSlice(at: 0, length: split), stream.getSlice(at: split, length: stream.readableBytes - split),
            ] {
                try processor.process(buffer: try #require(part)) { received.append($0) }
            }
            #expect(received == packets, "split at \(split)")
        }
    }

    @Test func `one byte at a time is enough`() throws {
        var generator = PacketGenerator(seed: 13, version: .v5)
        let packets = try (0..<50).map { _ in try generator.packet() }
        var stream = ByteBuffer()
        for packet in packets { try packet.encode(into: &stream, version: .v5) }
        let processor = NIOSingleStepByteToMessageProcessor(PacketDecoder(version: .v5, maximumPacketSize: 10_000))
        var received: [Packet] = []
        for byte in stream.readableBytesView {
            try processor.process(buffer: ByteBuffer(bytes: [byte])) { received.append($0) }
        }
        #expect(received == packets)
    }

    @Test func `the end of the stream hands out what is whole and leaves the rest`() throws {
        var decoder = PacketDecoder(version: .v5, maximumPacketSize: 100)
        var buffer = ByteBuffer(hex: "C0 00 D0 00 40 02 00")
        #expect(try decoder.decodeLast(buffer: &buffer, seenEOF: true) == .pingreq)
        #expect(try decoder.decodeLast(buffer: &buffer, seenEOF: true) == .pingresp)
        #expect(try decoder.decodeLast(buffer: &buffer, seenEOF: true) == nil)
        #expect(buffer.hex == "40 02 00")
    }

    @Test func `bytes behind a packet stay for the next one`() throws {
        var decoder = PacketDecoder(version: .v3_1_1, maximumPacketSize: 100)
        var buffer = ByteBuffer(hex: "30 04 00 01 61 78 C0")
        guard case .publish(let publish) = try decoder.decode(from: &buffer) else {
            Issue.record("no PUBLISH")
            return
        }
        #expect(publish.payload == ByteBuffer(string: "x"))
        #expect(buffer.hex == "C0")
    }
}
