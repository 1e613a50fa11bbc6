/// A payload, or what a library says of it: the bytes of a short one, length and CRC-32 of a long one.
struct Payload: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// As a library's line has it: `payload=…`, or `digest=LENGTH:CRC32`.
    let description: String

    init(_ bytes: some Collection<UInt8>) {
        guard bytes.count > 64 else {
            description = Field("payload", bytes).line
            return
        }
        let crc = bytes.withContiguousStorageIfAvailable(Self.crc32) ?? Array(bytes).withUnsafeBufferPointer(Self.crc32)
        let digits = String(crc, radix: 16)
        description = "digest=\(bytes.count):" + String(repeating: "0", count: 8 - digits.count) + digits
    }

    init(stringLiteral text: String) { self.init(Array(text.utf8)) }

    /// From a library's line.
    init(_ fields: [Field]) {
        description =
            fields["digest"].map { "digest=\($0.text)" } ?? Field("payload", fields["payload"]?.value ?? []).line
    }

    /// Through pointers: without optimization, whatever else takes long for a megabyte.
    private static func crc32(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
        table.withUnsafeBufferPointer { table in
            var crc = ~UInt32(0)
            var index = 0
            while index < bytes.count {
                crc = table[Int((crc ^ UInt32(bytes[index])) & 0xFF)] ^ crc >> 8
                index &+= 1
            }
            return ~crc
        }
    }

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }
}
