import NIOCore
import TestSupport
import Testing

@testable import WebSocketTransport

struct FrameTests {
    /// What a decoder makes of bytes, with neighbouring data put together.
    private func decode(
        _ pieces: [[UInt8]], isServer: Bool = false, limit: Int = 100_000
    ) throws(FrameError) -> [FrameDecoder.Event] {
        var decoder = FrameDecoder(isServer: isServer, maximumFrameSize: limit)
        var events: [FrameDecoder.Event] = []
        for piece in pieces {
            decoder.receive(ByteBuffer(bytes: piece))
            while let event = try decoder.next() {
                if case .data(let more) = event, case .data(var bytes)? = events.last {
                    bytes.writeImmutableBuffer(more)
                    events[events.count - 1] = .data(bytes)
                } else {
                    events.append(event)
                }
            }
            #expect(decoder.pendingBytes <= 139)
        }
        return events
    }

    private func data(_ text: String) -> FrameDecoder.Event { .data(ByteBuffer(string: text)) }

    // MARK: RFC 6455 §5.7, with binary in place of text where the example is text

    @Test("A message in one frame, unmasked and masked")
    func oneFrame() throws {
        #expect(try decode([[0x82, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F]]) == [data("Hello")])
        let masked: [UInt8] = [0x82, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]
        #expect(try decode([masked], isServer: true) == [data("Hello")])
        var written = ByteBuffer()
        written.writeFrame(.binary, ByteBuffer(string: "Hello"), mask: MaskingKey(value: 0x37FA_213D))
        #expect(Array(buffer: written) == masked)
    }

    @Test("A fragmented message, with a ping between its fragments")
    func fragments() throws {
        let bytes: [UInt8] = [0x02, 0x03, 0x48, 0x65, 0x6C] + [0x80, 0x02, 0x6C, 0x6F]
        #expect(try decode([bytes]) == [data("Hello")])
        let ping: [UInt8] = [0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F]
        #expect(
            try decode([Array(bytes[..<5]) + ping + bytes[5...]])
                == [data("Hel"), .ping(ByteBuffer(string: "Hello")), data("lo")])
        let pong: [UInt8] = [0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]
        #expect(try decode([pong], isServer: true) == [.pong])
    }

    @Test(
        "Lengths in one, three and nine bytes are written as short as can be, and read",
        arguments: [
            (0, [0x82, 0]), (125, [0x82, 125]), (126, [0x82, 126, 0, 126]), (256, [0x82, 0x7E, 0x01, 0x00]),
            (65_535, [0x82, 126, 0xFF, 0xFF]), (65_536, [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] as [(Int, [UInt8])])
    func lengths(length: Int, header: [UInt8]) throws {
        let payload = ByteBuffer(repeating: 7, count: length)
        var written = ByteBuffer()
        written.writeFrame(.binary, payload, mask: nil)
        #expect(Array(written.readableBytesView.prefix(header.count)) == header)
        #expect(written.readableBytes == header.count + length)
        #expect(try decode([Array(buffer: written)]) == (length == 0 ? [] : [.data(payload)]))
    }

    // MARK: What is refused

    @Test(
        "A malformed frame is refused by name",
        arguments: [
            ([0xC2, 0], .reservedBits(4)), ([0x92, 0], .reservedBits(1)), ([0x83, 0], .reservedOpcode(3)),
            ([0x8B, 0], .reservedOpcode(11)), ([0x82, 0x80, 1, 2, 3, 4], .masked), ([0x81, 0], .text),
            ([0x80, 0], .nothingToContinue), ([0x02, 0, 0x82, 0], .messageNotEnded), ([0x02, 0, 0x81, 0], .text),
            ([0x82, 0, 0x80, 0], .nothingToContinue), ([0x02, 0, 0x80, 0, 0x80, 0], .nothingToContinue),
            ([0x09, 0], .fragmentedControl(.ping)), ([0x08, 0], .fragmentedControl(.close)),
            ([0x89, 126, 0, 126], .longControl(.ping, 126)), ([0x82, 126, 0, 125], .lengthNotMinimal),
            ([0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], .lengthNotMinimal),
            ([0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], .lengthTooLong),
            ([0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], .tooLarge(.max >> 1, limit: 100_000)),
            ([0x82, 127, 0, 0, 0, 0, 0, 1, 0x86, 0xA1], .tooLarge(100_001, limit: 100_000)),
            ([0x88, 1, 3], .closeWithHalfCode), ([0x88, 2, 0x03, 0xE7], .closeCode(999)),
            ([0x88, 2, 0x03, 0xEC], .closeCode(1004)), ([0x88, 2, 0x03, 0xED], .closeCode(1005)),
            ([0x88, 2, 0x03, 0xEE], .closeCode(1006)), ([0x88, 2, 0x03, 0xF7], .closeCode(1015)),
            ([0x88, 2, 0x0B, 0xB7], .closeCode(2999)), ([0x88, 2, 0x13, 0x88], .closeCode(5000)),
            ([0x88, 4, 0x03, 0xE8, 0xC3, 0x28], .closeReason),
        ] as [([UInt8], FrameError)])
    func malformed(bytes: [UInt8], error: FrameError) {
        #expect(throws: error) { try decode([bytes]) }
        // However it comes.
        #expect(throws: error) { try decode(bytes.map { [$0] }) }
        #expect(!error.deed.isEmpty)
    }

    @Test("A server refuses what is not masked")
    func unmasked() {
        #expect(throws: FrameError.unmasked) { try decode([[0x82, 0]], isServer: true) }
        #expect(throws: FrameError.unmasked) { try decode([[0x89, 0]], isServer: true) }
    }

    @Test("A close frame says why, or does not")
    func close() throws {
        #expect(try decode([[0x88, 0]]) == [.close(nil, reason: "")])
        #expect(try decode([[0x88, 2, 0x03, 0xE8]]) == [.close(.normal, reason: "")])
        let bytes = frame(0x88, [0x03, 0xF0] + Array("é".utf8), mask: [1, 2, 3, 4])
        #expect(try decode([bytes], isServer: true) == [.close(.policyViolation, reason: "é")])
    }

    // MARK: However it comes

    @Test("Every place to split a conversation at gives the same", arguments: [true, false])
    func everySplit(isServer: Bool) throws {
        let mask: [UInt8]? = isServer ? [0xA1, 0xB2, 0xC3, 0xD4] : nil
        let conversation =
            frame(0x02, Array("one ".utf8), mask: mask) + frame(0x89, [1, 2, 3], mask: mask)
            + frame(0x00, [], mask: mask) + frame(0x8A, [9], mask: mask)
            + frame(0x80, [UInt8](repeating: 65, count: 200), mask: mask) + frame(0x82, [66], mask: mask)
            + frame(0x88, [0x03, 0xE9, 0x78], mask: mask)
        let whole = try decode([conversation], isServer: isServer)
        #expect(whole.count == 5 && whole.last == .close(.goingAway, reason: "x"))
        for place in 0...conversation.count {
            let pieces = [Array(conversation[..<place]), Array(conversation[place...])]
            #expect(try decode(pieces, isServer: isServer) == whole, "split at \(place)")
        }
        #expect(try decode(conversation.map { [$0] }, isServer: isServer) == whole)
    }

    @Test("Any fragmentation, any split, any mask and control frames in between carry the same bytes")
    func randomFragmentation() throws {
        for seed in 0..<300 as Range<UInt64> {
            var generator = SplitMix64(seed: seed)
            let stream = generator.bytes(Int.random(in: 1...2000, using: &generator))
            var wire: [UInt8] = []
            var rest = stream[...]
            var isWithin = false
            while !rest.isEmpty || isWithin {
                let part = Array(rest.prefix(Int.random(in: 0...400, using: &generator)))
                rest = rest.dropFirst(part.count)
                let isFinal = Bool.random(using: &generator)
                let first: UInt8 = (isFinal ? 0x80 : 0) | (isWithin ? 0 : 2)
                wire += frame(first, part, mask: generator.bytes(4))
                isWithin = !isFinal
                if Bool.random(using: &generator) {
                    wire += frame(
                        Bool.random(using: &generator) ? 0x89 : 0x8A, generator.bytes(5), mask: generator.bytes(4))
                }
            }
            var decoder = FrameDecoder(isServer: true, maximumFrameSize: 400)
            var received: [UInt8] = []
            while !wire.isEmpty {
                let piece = wire.prefix(Int.random(in: 1...300, using: &generator))
                decoder.receive(ByteBuffer(bytes: piece))
                wire.removeFirst(piece.count)
                while let event = try decoder.next() {
                    if case .data(let bytes) = event { received += bytes.readableBytesView }
                }
                #expect(decoder.pendingBytes <= 139, "seed \(seed)")
            }
            #expect(received == stream, "seed \(seed)")
        }
    }

    @Test("Hostile bytes end in an error or wait for more, and are not kept (S3)")
    func hostile() {
        for seed in 0..<3000 as Range<UInt64> {
            var generator = SplitMix64(seed: seed)
            var decoder = FrameDecoder(isServer: seed % 2 == 0, maximumFrameSize: 1000)
            do throws(FrameError) {
                for _ in 0..<20 {
                    var bytes = generator.bytes(Int.random(in: 0...100, using: &generator))
                    // Half of them begin well.
                    if bytes.count > 1, seed % 4 < 2 {
                        bytes[0] = [0x82, 0x02, 0x80, 0x89, 0x88].randomElement(using: &generator) ?? 0
                        bytes[1] = bytes[1] % 100 | (seed % 2 == 0 ? 0x80 : 0)
                    }
                    decoder.receive(ByteBuffer(bytes: bytes))
                    while try decoder.next() != nil {}
                    #expect(decoder.pendingBytes <= 139, "seed \(seed)")
                }
            } catch {
                #expect(!error.deed.isEmpty, "seed \(seed)")
            }
        }
    }
}
