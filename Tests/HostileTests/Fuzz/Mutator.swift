import TestSupport

/// Spoils a stream of packets in the ways that lines, programs and attackers do.
struct Mutator {
    var random: SplitMix64

    mutating func mutate(_ packets: inout [[UInt8]]) {
        for _ in 0...random.below(3) {
            guard !packets.isEmpty else { return }
            let place = random.below(packets.count)
            switch random.below(12) {
            case 0: packets.insert(packets[place], at: random.below(packets.count + 1))
            case 1: packets.swapAt(place, random.below(packets.count))
            case 2: packets.remove(at: place)
            case 3: packets.insert(random.bytes(random.below(60)), at: place)
            default:
                spoil(&packets[place])
                if random.once(in: 2) { repairLength(of: &packets[place]) }
            }
        }
    }

    private mutating func spoil(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        // Most of what matters is at the front.
        let place = random.below(random.once(in: 2) ? min(20, bytes.count) : bytes.count)
        switch random.below(8) {
        case 0, 1: bytes[place] ^= 1 << UInt8(random.below(8))
        case 2: bytes[place] = interesting()
        case 3: bytes.insert(interesting(), at: place)
        case 4: bytes.remove(at: place)
        case 5: bytes.removeLast(bytes.count - place)
        case 6: bytes.insert(contentsOf: random.bytes(random.below(10)), at: place)
        default:
            // The remaining length.
            let length = (0...random.below(5)).map { _ in random.once(in: 2) ? 0xFF : interesting() }
            bytes.replaceSubrange(1..<min(2, bytes.count), with: length)
        }
    }

    private mutating func interesting() -> UInt8 {
        random.pick([0, 1, 0x7F, 0x80, 0xFF, UInt8(truncatingIfNeeded: random.next())])
    }

    /// Makes the remaining length fit what follows, so that what is inside gets looked at.
    private func repairLength(of bytes: inout [UInt8]) {
        guard bytes.count >= 2 else { return }
        let end = bytes[1...].prefix(4).firstIndex { $0 < 0x80 } ?? 1
        var left = bytes.count - end - 1
        var length: [UInt8] = []
        repeat {
            length.append(UInt8(left & 0x7F) | (left > 0x7F ? 0x80 : 0))
            left >>= 7
        } while left > 0
        bytes.replaceSubrange(1...end, with: length)
    }
}
