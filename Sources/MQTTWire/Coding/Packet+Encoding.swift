public import NIOCore

extension Packet {
    /// Appends the packet to a buffer.
    ///
    /// - Throws: ``EncodingError`` when the packet breaks a rule or the version cannot express it; the buffer is as
    ///   it was then.
    public func encode(into buffer: inout ByteBuffer, version: ProtocolVersion) throws(EncodingError) {
        let remainingLength = try remainingLength(version: version)
        buffer.reserveCapacity(minimumWritableBytes: 5 + remainingLength)
        buffer.writeInteger(type.rawValue << 4 | flags)
        buffer.writeVariableByteInteger(remainingLength)
        switch self {
        case .connect(let packet): packet.write(to: &buffer)
        case .connack(let packet): packet.write(to: &buffer, version: version)
        case .publish(let packet): packet.write(to: &buffer, version: version)
        case .puback(let packet), .pubrec(let packet), .pubrel(let packet), .pubcomp(let packet):
            packet.write(to: &buffer, version: version)
        case .subscribe(let packet): packet.write(to: &buffer, version: version)
        case .suback(let packet): packet.write(to: &buffer, version: version)
        case .unsubscribe(let packet): packet.write(to: &buffer, version: version)
        case .unsuback(let packet): packet.write(to: &buffer, version: version)
        case .pingreq, .pingresp: break
        case .disconnect(let packet): packet.write(to: &buffer, version: version)
        case .auth(let packet): packet.write(to: &buffer, version: version)
        }
    }

    /// The bytes that the packet takes on the wire, its fixed header included: what a peer's Maximum Packet Size
    /// limits (5.0 §3.1.2.11.4).
    ///
    /// - Throws: what ``encode(into:version:)`` throws.
    public func encodedSize(version: ProtocolVersion) throws(EncodingError) -> Int {
        let remainingLength = try remainingLength(version: version)
        return 1 + VariableByteInteger.size(remainingLength) + remainingLength
    }

    public var type: PacketType {
        switch self {
        case .connect: .connect
        case .connack: .connack
        case .publish: .publish
        case .puback: .puback
        case .pubrec: .pubrec
        case .pubrel: .pubrel
        case .pubcomp: .pubcomp
        case .subscribe: .subscribe
        case .suback: .suback
        case .unsubscribe: .unsubscribe
        case .unsuback: .unsuback
        case .pingreq: .pingreq
        case .pingresp: .pingresp
        case .disconnect: .disconnect
        case .auth: .auth
        }
    }

    /// The lower four bits of the first byte.
    private var flags: UInt8 {
        if case .publish(let publish) = self { publish.flags } else { type.fixedFlags ?? 0 }
    }

    private func remainingLength(version: ProtocolVersion) throws(EncodingError) -> Int {
        let sizer = PacketSizer(packet: type, version: version)
        let length =
            switch self {
            case .connect(let packet): try packet.size(sizer)
            case .connack(let packet): try packet.size(sizer)
            case .publish(let packet): try packet.size(sizer)
            case .puback(let packet), .pubrec(let packet), .pubrel(let packet), .pubcomp(let packet):
                try packet.size(sizer)
            case .subscribe(let packet): try packet.size(sizer)
            case .suback(let packet): try packet.size(sizer)
            case .unsubscribe(let packet): try packet.size(sizer)
            case .unsuback(let packet): try packet.size(sizer)
            case .pingreq, .pingresp: 0
            case .disconnect(let packet): try packet.size(sizer)
            case .auth(let packet): try packet.size(sizer)
            }
        if length > VariableByteInteger.maximum { throw sizer.failure(.packetTooLarge, found: length) }
        return length
    }
}
