import TestSupport

extension SplitMix64 {
    /// A text with some bytes put in, taken out, doubled, swapped for others, or cut off.
    mutating func mutation(of bytes: [UInt8], alphabet: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...3, using: &self) where !bytes.isEmpty {
            let index = Int.random(in: bytes.indices, using: &self)
            let byte = Bool.random(using: &self) ? alphabet.randomElement(using: &self) ?? 0 : UInt8(next() & 0xFF)
            switch Int.random(in: 0..<12, using: &self) {
            case 0...3: bytes[index] = byte
            case 4...6: bytes.insert(byte, at: index)
            case 7...8: bytes.remove(at: index)
            case 9: bytes += bytes[index...]
            case 10: bytes.insert(contentsOf: bytes[..<index], at: index)
            default: bytes.removeSubrange(index...)
            }
        }
        return bytes
    }
}
