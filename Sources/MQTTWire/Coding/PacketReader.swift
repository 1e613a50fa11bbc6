internal import NIOCore

/// Reads the fields of one packet, and knows which packet that is when something is wrong with it.
struct PacketReader {
    /// What follows the fixed header, and nothing else.
    private var bytes: ByteBuffer
    let packet: PacketType
    /// CONNECT sets it to what it states.
    var version: ProtocolVersion

    init(_ bytes: ByteBuffer, packet: PacketType, version: ProtocolVersion) {
        self.bytes = bytes
        self.packet = packet
        self.version = version
    }

    var remaining: Int { bytes.readableBytes }

    func failure(_ rule: ProtocolRule, found: Int? = nil) -> DecodingError {
        DecodingError(rule, in: packet, version: version, found: found)
    }

    /// Throws when bytes are left over.
    func finish() throws(DecodingError) {
        if remaining > 0 { throw failure(.trailingBytes, found: remaining) }
    }

    mutating func readByte() throws(DecodingError) -> UInt8 {
        guard let value = bytes.readInteger(as: UInt8.self) else { throw failure(.truncated) }
        return value
    }

    mutating func readUInt16() throws(DecodingError) -> UInt16 {
        guard let value = bytes.readInteger(as: UInt16.self) else { throw failure(.truncated) }
        return value
    }

    mutating func readUInt32() throws(DecodingError) -> UInt32 {
        guard let value = bytes.readInteger(as: UInt32.self) else { throw failure(.truncated) }
        return value
    }

    mutating func readVariableByteInteger() throws(DecodingError) -> Int {
        switch VariableByteInteger.peek(in: bytes, at: bytes.readerIndex) {
        case .incomplete: throw failure(.truncated)
        case .tooLong: throw failure(.variableByteIntegerTooLong)
        case .value(let value, let size):
            if size != VariableByteInteger.size(value) { throw failure(.variableByteIntegerNotMinimal, found: value) }
            bytes.moveReaderIndex(forwardBy: size)
            return value
        }
    }

    /// Well-formed UTF-8 without NUL (5.0 §1.5.4). Control characters and noncharacters, which a receiver may refuse,
    /// are let through, and U+FEFF stays where it stands.
    mutating func readString() throws(DecodingError) -> String {
        let length = Int(try readUInt16())
        if length == 0 { return "" }
        guard remaining >= length else { throw failure(.truncated) }
        let (string, hasNUL) = bytes.withUnsafeReadableBytes { all in
            let text = UnsafeRawBufferPointer(rebasing: all[..<length]).bindMemory(to: UInt8.self)
            return (String(validating: text, as: UTF8.self), text.contains(0))
        }
        if hasNUL { throw failure(.nullCharacter) }
        guard let string else { throw failure(.malformedUTF8) }
        bytes.moveReaderIndex(forwardBy: length)
        return string
    }

    /// Binary data with its length in front, as a slice.
    mutating func readBinary() throws(DecodingError) -> ByteBuffer {
        let length = Int(try readUInt16())
        guard let slice = bytes.readSlice(length: length) else { throw failure(.truncated) }
        return slice
    }

    /// All that is left, as a slice.
    mutating func readRest() -> ByteBuffer {
        defer { bytes.moveReaderIndex(to: bytes.writerIndex) }
        return bytes.slice()
    }

    mutating func readTopicName() throws(DecodingError) -> TopicName {
        let string = try readString()
        do { return try TopicName(string) } catch { throw failure(ProtocolRule(error)) }
    }

    /// Nil for the empty topic that goes with an alias.
    mutating func readTopicNameOrNothing() throws(DecodingError) -> TopicName? {
        if bytes.getInteger(at: bytes.readerIndex, as: UInt16.self) == 0 {
            bytes.moveReaderIndex(forwardBy: 2)
            return nil
        }
        return try readTopicName()
    }

    mutating func readTopicFilter() throws(DecodingError) -> TopicFilter {
        let string = try readString()
        do { return try TopicFilter(string) } catch { throw failure(ProtocolRule(error)) }
    }

    mutating func readPacketIdentifier() throws(DecodingError) -> PacketIdentifier {
        guard let identifier = PacketIdentifier(rawValue: try readUInt16()) else {
            throw failure(.packetIdentifierZero)
        }
        return identifier
    }

    mutating func readReasonCode() throws(DecodingError) -> ReasonCode {
        let code = ReasonCode(rawValue: try readByte())
        guard code.isAllowed(in: packet) else { throw failure(.reasonCodeNotAllowed, found: Int(code.rawValue)) }
        return code
    }
}

extension ProtocolRule {
    init(_ error: TopicError) {
        switch error {
        case .empty: self = .topicEmpty
        case .tooLong: self = .stringTooLong
        case .containsNUL: self = .nullCharacter
        case .wildcardInName: self = .wildcardInTopicName
        case .misplacedWildcard: self = .misplacedWildcard
        case .malformedShare: self = .malformedShare
        }
    }
}
