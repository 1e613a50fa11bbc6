internal import Units

/// Reads the wire format of Protocol Buffers, field by field, whatever the bytes: what is malformed throws.
struct ProtobufReader {
    struct Field {
        let number: UInt64
        let value: Value
    }

    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(ArraySlice<UInt8>)
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    private static func malformed(_ what: String) -> InvalidText {
        InvalidText("is no Sparkplug payload: it holds \(what)")
    }

    /// - Returns: nil at the end.
    mutating func next() throws(InvalidText) -> Field? {
        guard !rest.isEmpty else { return nil }
        let tag = try varint()
        guard (1...0x1FFF_FFFF).contains(tag >> 3) else { throw Self.malformed("a field without a number") }
        switch tag & 7 {
        case 0: return Field(number: tag >> 3, value: .varint(try varint()))
        case 1: return Field(number: tag >> 3, value: .fixed64(try fixed(8)))
        case 2:
            let length = try varint()
            guard length <= UInt64(rest.count) else { throw Self.malformed("a field that is longer than its message") }
            return Field(number: tag >> 3, value: .bytes(take(Int(length))))
        case 5: return Field(number: tag >> 3, value: .fixed32(UInt32(truncatingIfNeeded: try fixed(4))))
        // Groups (3 and 4) are of proto1; the schema has none, and nothing else is defined.
        default: throw Self.malformed("a field of an unknown type")
        }
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8> {
        let taken = rest.prefix(count)
        rest = rest.dropFirst(count)
        return taken
    }

    private mutating func varint() throws(InvalidText) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0 as UInt64, to: 70, by: 7) {
            guard let byte = rest.popFirst() else { throw Self.malformed("a number that is cut off") }
            // Bits beyond the sixty-fourth are dropped, as everybody does.
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw Self.malformed("a number of more than ten bytes")
    }

    private mutating func fixed(_ count: Int) throws(InvalidText) -> UInt64 {
        guard rest.count >= count else { throw Self.malformed("a number that is cut off") }
        return take(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension ProtobufReader.Value {
    var number: UInt64? { if case .varint(let value) = self { value } else { nil } }
    var bytes: ArraySlice<UInt8>? { if case .bytes(let value) = self { value } else { nil } }

    func text() throws(InvalidText) -> String? {
        guard let bytes else { return nil }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw InvalidText("is no Sparkplug payload: it holds text that is not UTF-8")
        }
        return text
    }
}
