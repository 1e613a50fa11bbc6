/// Writes what Protocol Buffers call the wire format (protobuf.dev/programming-guides/encoding).
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    enum WireType: UInt8 {
        case varint = 0
        case fixed64 = 1
        case lengthDelimited = 2
        case fixed32 = 5
    }

    private mutating func tag(_ field: UInt32, _ type: WireType) { varint(UInt64(field) << 3 | UInt64(type.rawValue)) }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    private mutating func littleEndian(_ value: UInt64, count: Int) {
        for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))) }
    }

    mutating func field(_ field: UInt32, _ value: UInt64) {
        tag(field, .varint)
        varint(value)
    }

    mutating func field(_ field: UInt32, _ value: Bool) { self.field(field, value ? 1 : 0 as UInt64) }

    mutating func field(_ field: UInt32, _ value: Float) {
        tag(field, .fixed32)
        littleEndian(UInt64(value.bitPattern), count: 4)
    }

    mutating func field(_ field: UInt32, _ value: Double) {
        tag(field, .fixed64)
        littleEndian(value.bitPattern, count: 8)
    }

    mutating func field(_ field: UInt32, _ value: String) { self.field(field, Array(value.utf8)) }

    mutating func field(_ field: UInt32, _ value: [UInt8]) {
        tag(field, .lengthDelimited)
        varint(UInt64(value.count))
        bytes += value
    }
}
