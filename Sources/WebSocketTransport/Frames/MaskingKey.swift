internal import NIOCore

/// What a client's payload is covered with, so that no proxy takes it for something else (RFC 6455 §5.3).
struct MaskingKey: Sendable, Hashable {
    /// In network byte order: the first byte is the highest.
    let value: UInt32

    /// A new one, which nobody can foresee (RFC 6455 §10.3).
    static func random() -> MaskingKey { MaskingKey(value: .random(in: 0 ... .max)) }

    /// Covers or uncovers bytes.
    ///
    /// - Parameter phase: how many bytes of the same payload came before.
    func apply(to bytes: UnsafeMutableRawBufferPointer, phase: Int = 0) {
        let shift = UInt32(phase & 3) * 8
        let key = shift == 0 ? value : value << shift | value >> (32 - shift)
        let wide = (UInt64(key) << 32 | UInt64(key)).bigEndian
        var place = 0
        while place + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            bytes.storeBytes(of: word ^ wide, toByteOffset: place, as: UInt64.self)
            place += 8
        }
        while place < bytes.count {
            bytes[place] ^= UInt8(truncatingIfNeeded: key >> (24 - 8 * UInt32(place & 3)))
            place += 1
        }
    }
}
