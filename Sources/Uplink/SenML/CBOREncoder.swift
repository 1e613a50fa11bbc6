/// Writes CBOR (RFC 8949) in its one deterministic way (§4.2.1): the shortest head, the shortest float that is the same
/// number, definite lengths; keys of maps have to come in the order of their bytes.
struct CBOREncoder {
    private(set) var bytes: [UInt8] = []

    private enum Major: UInt8 {
        case unsigned = 0, negative, bytes, text, array, map, tag, simple
    }

    mutating func write(_ value: Int64) {
        if value >= 0 { head(.unsigned, UInt64(value)) } else { head(.negative, UInt64(-1 - value)) }
    }

    mutating func write(_ text: String) {
        head(.text, UInt64(text.utf8.count))
        bytes += text.utf8
    }

    mutating func write(_ value: Bool) { bytes.append(value ? 0xF5 : 0xF4) }

    /// A whole number becomes an integer, which every decoder takes for the same number, and is shorter (§4.2.2).
    mutating func write(_ value: Double) {
        if let integer = Int64(exactly: value), value.sign == .plus || integer != 0 {
            write(integer)
        } else if value.isNaN {
            bytes += [0xF9, 0x7E, 0x00]
        } else if let half = Self.half(value) {
            bytes.append(0xF9)
            append(UInt64(half), bytes: 2)
        } else if Double(Float(value)) == value {
            bytes.append(0xFA)
            append(UInt64(Float(value).bitPattern), bytes: 4)
        } else {
            bytes.append(0xFB)
            append(value.bitPattern, bytes: 8)
        }
    }

    mutating func beginArray(count: Int) { head(.array, UInt64(count)) }
    mutating func beginMap(count: Int) { head(.map, UInt64(count)) }

    private mutating func head(_ major: Major, _ argument: UInt64) {
        let type = major.rawValue << 5
        switch argument {
        case ..<24: bytes.append(type | UInt8(argument))
        case ...0xFF: append(type | 24, argument, bytes: 1)
        case ...0xFFFF: append(type | 25, argument, bytes: 2)
        case ...0xFFFF_FFFF: append(type | 26, argument, bytes: 4)
        default: append(type | 27, argument, bytes: 8)
        }
    }

    private mutating func append(_ first: UInt8, _ argument: UInt64, bytes count: Int) {
        bytes.append(first)
        append(argument, bytes: count)
    }

    private mutating func append(_ argument: UInt64, bytes count: Int) {
        for place in (0..<count).reversed() { bytes.append(UInt8(truncatingIfNeeded: argument >> (8 * UInt64(place)))) }
    }

    /// The bits of the half-precision number (IEEE 754 binary16) that is the same; nil if there is none. `Float16` is
    /// not there on every processor.
    private static func half(_ value: Double) -> UInt16? {
        let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
        if value.isInfinite { return sign | 0x7C00 }
        if value == 0 { return sign }
        let magnitude = value.magnitude
        let exponent = magnitude.exponent
        guard (-24...15).contains(exponent) else { return nil }
        // Below 2^-14 numbers are multiples of 2^-24; above, they have ten bits behind the leading one.
        let unit = max(exponent - 10, -24)
        let multiple = magnitude / Double(sign: .plus, exponent: unit, significand: 1)
        guard multiple == multiple.rounded(.towardZero), multiple < 2048 else { return nil }
        let bits = UInt16(multiple)
        return exponent < -14 ? sign | bits : sign | UInt16(exponent + 15) << 10 | (bits & 0x3FF)
    }
}
