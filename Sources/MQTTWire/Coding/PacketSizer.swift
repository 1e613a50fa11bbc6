internal import NIOCore

/// Says how many bytes the fields of a packet take, and refuses those that have no form in its version. What it lets
/// through can be written without further checks.
struct PacketSizer {
    let packet: PacketType
    let version: ProtocolVersion

    func failure(_ rule: ProtocolRule, found: Int? = nil) -> EncodingError {
        EncodingError(rule, in: packet, version: version, found: found)
    }

    func size(of string: String) throws(EncodingError) -> Int {
        let count = string.utf8.count
        if count > Int(UInt16.max) { throw failure(.stringTooLong, found: count) }
        if string.utf8.contains(0) { throw failure(.nullCharacter) }
        return 2 + count
    }

    func size(of bytes: ByteBuffer) throws(EncodingError) -> Int {
        let count = bytes.readableBytes
        if count > Int(UInt16.max) { throw failure(.stringTooLong, found: count) }
        return 2 + count
    }

    func size(of topic: TopicName) -> Int { 2 + topic.string.utf8.count }

    func size(of filter: TopicFilter) -> Int { 2 + filter.string.utf8.count }

    func check(_ code: ReasonCode) throws(EncodingError) {
        if !code.isAllowed(in: packet) { throw failure(.reasonCodeNotAllowed, found: Int(code.rawValue)) }
    }
}

extension ByteBuffer {
    /// Writes the string with the length of its UTF-8, at most 65,535 bytes, in front.
    mutating func writePrefixed(_ string: String) {
        writeInteger(UInt16(truncatingIfNeeded: string.utf8.count))
        writeString(string)
    }

    /// Writes the bytes with their length, at most 65,535, in front.
    mutating func writePrefixed(_ bytes: ByteBuffer) {
        writeInteger(UInt16(truncatingIfNeeded: bytes.readableBytes))
        writeImmutableBuffer(bytes)
    }
}
