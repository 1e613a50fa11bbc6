public import NIOCore

/// Takes packets off the front of a stream of bytes, strictly: whatever the specifications call malformed is refused.
///
/// It keeps no bytes of its own, and refuses a packet that is too large as soon as its length has been seen, so that
/// nobody has to buffer more than `maximumPacketSize` bytes. What it hands out takes memory in proportion to the
/// packet: payloads and other binary fields are slices of the buffer, and keep it alive.
///
/// In a pipeline it stands in a `ByteToMessageHandler`; outside of one, `NIOSingleStepByteToMessageProcessor` drives
/// it, or ``decode(from:)`` is called until it returns nil.
public struct PacketDecoder: Sendable {
    /// Nil until a server's decoder has seen CONNECT.
    public private(set) var version: ProtocolVersion?
    /// Bytes, the fixed header included.
    /// A server may allow more, or less, once it knows who its client is.
    public var maximumPacketSize: Int

    /// A client's decoder.
    ///
    /// - Parameter maximumPacketSize: bytes, the fixed header included; the protocol itself ends at 268,435,460.
    public init(version: ProtocolVersion, maximumPacketSize: Int) {
        self.version = version
        self.maximumPacketSize = maximumPacketSize
    }

    /// A server's decoder: it expects CONNECT and goes on with the version that it states. Of a version that nobody
    /// speaks here it throws ``ProtocolRule/unsupportedProtocolVersion``.
    public init(maximumPacketSize: Int) {
        self.maximumPacketSize = maximumPacketSize
    }

    /// Takes one packet off the front of the buffer.
    ///
    /// - Returns: nil when its bytes are not there yet; the buffer is as it was then.
    /// - Throws: ``DecodingError``. The stream is beyond repair then, and the buffer as it was.
    public mutating func decode(from buffer: inout ByteBuffer) throws(DecodingError) -> Packet? {
        guard let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) else { return nil }
        let type = try checkedType(first)
        let length: Int
        let lengthSize: Int
        switch VariableByteInteger.peek(in: buffer, at: buffer.readerIndex + 1) {
        case .incomplete: return nil
        case .tooLong: throw failure(.variableByteIntegerTooLong, in: type)
        case .value(let value, let size): (length, lengthSize) = (value, size)
        }
        let total = 1 + lengthSize + length
        if total > maximumPacketSize { throw failure(.packetTooLarge, in: type, found: total) }
        let isMinimal = lengthSize == VariableByteInteger.size(length)
        if version == .v5, !isMinimal { throw failure(.variableByteIntegerNotMinimal, in: type, found: length) }
        guard let body = buffer.getSlice(at: buffer.readerIndex + 1 + lengthSize, length: length) else { return nil }

        var reader = PacketReader(body, packet: type, version: version ?? .v5)
        let packet = try Packet(first: first, from: &reader)
        try reader.finish()
        if case .connect(let connect) = packet {
            if connect.version == .v5, !isMinimal {
                throw reader.failure(.variableByteIntegerNotMinimal, found: length)
            }
            version = version ?? connect.version
        }
        buffer.moveReaderIndex(forwardBy: total)
        return packet
    }

    /// What the first byte alone can tell, before anything is waited for.
    private func checkedType(_ first: UInt8) throws(DecodingError) -> PacketType {
        guard let type = PacketType(rawValue: first >> 4), type != .auth || version ?? .v5 == .v5 else {
            throw failure(.unknownPacketType, in: nil, found: Int(first >> 4))
        }
        if version == nil, type != .connect { throw failure(.connectExpected, in: type) }
        let flags = first & 0x0F
        if let fixed = type.fixedFlags {
            // Under 3.1 PUBREL, SUBSCRIBE and UNSUBSCRIBE have DUP set where they are sent again (V3.1 §2.1).
            let duplicate: UInt8 = version == .v3_1 && fixed != 0 ? 0b1000 : 0
            if flags & ~duplicate != fixed { throw failure(.reservedFlags, in: type, found: Int(flags)) }
        } else if let rule = Publish.brokenRule(ofFlags: flags) {
            throw failure(rule, in: type, found: Int(flags))
        }
        return type
    }

    private func failure(_ rule: ProtocolRule, in packet: PacketType?, found: Int? = nil) -> DecodingError {
        DecodingError(rule, in: packet, version: version ?? .v5, found: found)
    }
}

extension PacketDecoder: NIOSingleStepByteToMessageDecoder {
    public typealias InboundOut = Packet

    public mutating func decode(buffer: inout ByteBuffer) throws -> Packet? {
        try decode(from: &buffer)
    }

    /// Whole packets that arrived together with the end are still handed out; what is left of an incomplete one stays
    /// in the buffer, and `ByteToMessageHandler` reports it as leftover.
    public mutating func decodeLast(buffer: inout ByteBuffer, seenEOF: Bool) throws -> Packet? {
        try decode(from: &buffer)
    }
}

extension Packet {
    init(first: UInt8, from reader: inout PacketReader) throws(DecodingError) {
        switch reader.packet {
        case .connect: self = .connect(try Connect(from: &reader))
        case .connack: self = .connack(try ConnAck(from: &reader))
        case .publish: self = .publish(try Publish(flags: first & 0x0F, from: &reader))
        case .puback: self = .puback(try Acknowledgement(from: &reader))
        case .pubrec: self = .pubrec(try Acknowledgement(from: &reader))
        case .pubrel: self = .pubrel(try Acknowledgement(from: &reader))
        case .pubcomp: self = .pubcomp(try Acknowledgement(from: &reader))
        case .subscribe: self = .subscribe(try Subscribe(from: &reader))
        case .suback: self = .suback(try SubAck(from: &reader))
        case .unsubscribe: self = .unsubscribe(try Unsubscribe(from: &reader))
        case .unsuback: self = .unsuback(try UnsubAck(from: &reader))
        case .pingreq: self = .pingreq
        case .pingresp: self = .pingresp
        case .disconnect: self = .disconnect(try Disconnect(from: &reader))
        case .auth: self = .auth(try Auth(from: &reader))
        }
    }
}
