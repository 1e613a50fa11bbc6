import MQTTWire
import NIOCore
import TestSupport
import Testing

/// S3: no input from the network crashes the decoder or makes it hold more than it was allowed to.
@Suite struct FuzzTests {
    private static let limit = 1024

    @Test(.timeLimit(.minutes(5)), arguments: ProtocolVersion.allCases, [1, 2] as [UInt64])
    func `S3: mutated packets are refused, or decode to something that encodes again`(
        version: ProtocolVersion, seed: UInt64
    ) async throws {
        var mutator = Mutator(seed: seed, corpus: try Self.corpus(seed: seed, version: version))
        var buffer = ByteBuffer()
        var again = ByteBuffer()
        var decoded = 0
        var incomplete = 0
        for round in 0..<260_000 {
            // Others want to run too.
            if round.isMultiple(of: 1000) { await Task.yield() }
            let bytes = mutator.next()
            buffer.clear()
            buffer.writeBytes(bytes)
            let server = round & 7 == 0
            var decoder =
                server
                ? PacketDecoder(maximumPacketSize: Self.limit)
                : PacketDecoder(version: version, maximumPacketSize: Self.limit)
            guard let packet = try? decoder.decode(from: &buffer) else {
                if buffer.readableBytes != bytes.count { Self.record("bytes were taken", bytes, seed, round) }
                // Nothing thrown and nothing decoded: it waits for more, which it may do below its limit only.
                if decoder.brokenRule(by: buffer) == nil {
                    incomplete += 1
                    if bytes.count >= Self.limit { Self.record("it asks for more than the limit", bytes, seed, round) }
                }
                continue
            }
            decoded += 1
            let version = decoder.version ?? version
            again.clear()
            do {
                try packet.encode(into: &again, version: packet.version ?? version)
                let size = again.readableBytes
                if try packet.encodedSize(version: packet.version ?? version) != size {
                    Self.record("another size than stated", bytes, seed, round)
                }
                // The shortest form may be shorter than what came in, never longer.
                if size > bytes.count - buffer.readableBytes { Self.record("it grew", bytes, seed, round) }
                var second = PacketDecoder(version: version, maximumPacketSize: Self.limit)
                if try second.decode(from: &again) != packet || again.readableBytes > 0 {
                    Self.record("it does not come back", bytes, seed, round)
                }
            } catch {
                Self.record("\(error)", bytes, seed, round)
            }
        }
        // A mutator whose packets all fail, or all pass, would test nothing.
        #expect(decoded > 20_000 && decoded < 240_000, "\(decoded) decoded, seed \(seed)")
        #expect(incomplete > 1_000, "\(incomplete) incomplete, seed \(seed)")
    }

    private static func corpus(seed: UInt64, version: ProtocolVersion) throws -> [[UInt8]] {
        var generator = PacketGenerator(seed: seed, version: version)
        return try (0..<500).map { _ in
            var buffer = ByteBuffer()
            try generator.packet().encode(into: &buffer, version: version)
            return [UInt8](buffer.readableBytesView)
        }
    }

    private static func record(_ problem: String, _ bytes: [UInt8], _ seed: UInt64, _ round: Int) {
        Issue.record("\(problem): \(bytes.hex), seed \(seed), round \(round)")
    }
}

extension Packet {
    /// CONNECT's own.
    fileprivate var version: ProtocolVersion? {
        if case .connect(let connect) = self { connect.version } else { nil }
    }
}

/// Spoils valid packets in the ways that lines, programs and attackers do, or makes noise.
private struct Mutator {
    private var random: SplitMix64
    private let corpus: [[UInt8]]

    init(seed: UInt64, corpus: [[UInt8]]) {
        random = SplitMix64(seed: seed)
        self.corpus = corpus
    }

    mutating func next() -> [UInt8] {
        if random.chance(1, in: 16) { return noise(1 + random.below(random.chance(1, in: 16) ? 1200 : 24)) }
        var bytes = corpus[random.below(corpus.count)]
        for _ in 0...random.below(3) where !bytes.isEmpty { mutate(&bytes) }
        if random.chance(1, in: 2) { repairLength(of: &bytes) }
        return bytes
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        let place = random.below(bytes.count)
        switch random.below(8) {
        case 0, 1:
            bytes[place] ^= 1 << UInt8(random.below(8))
        case 2:
            bytes[place] = interesting()
        case 3:
            bytes.insert(interesting(), at: place)
        case 4:
            bytes.remove(at: place)
        case 5:
            bytes.removeLast(bytes.count - place)
        case 6:
            let other = corpus[random.below(corpus.count)]
            bytes.replaceSubrange(place..., with: other[random.below(other.count)...])
        default:
            // The length of the packet, or of something in it.
            bytes[min(bytes.count - 1, random.chance(1, in: 2) ? 1 : place)] &+= random.chance(1, in: 2) ? 1 : 0xFF
        }
    }

    private mutating func interesting() -> UInt8 {
        switch random.below(4) {
        case 0: 0x00
        case 1: 0xFF
        case 2: 0x80
        default: UInt8(truncatingIfNeeded: random.next())
        }
    }

    /// Makes the remaining length fit what follows, so that what is inside gets looked at.
    private func repairLength(of bytes: inout [UInt8]) {
        guard bytes.count >= 2 else { return }
        var end = 1
        while end < min(5, bytes.count), bytes[end] & 0x80 != 0 { end += 1 }
        guard end < bytes.count else { return }
        let length = bytes.count - end - 1
        if length < 0x80 {
            bytes.replaceSubrange(1...end, with: CollectionOfOne(UInt8(length)))
        } else {
            bytes.replaceSubrange(1...end, with: [UInt8(length & 0x7F) | 0x80, UInt8(truncatingIfNeeded: length >> 7)])
        }
    }

    private mutating func noise(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { storage, initialized in
            for index in 0..<count { storage[index] = UInt8(truncatingIfNeeded: random.next()) }
            initialized = count
        }
    }
}
