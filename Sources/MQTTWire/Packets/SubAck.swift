internal import NIOCore

/// SUBACK (5.0 §3.9): a reason code for each subscription, in order.
public struct SubAck: Sendable, Hashable {
    public var packetIdentifier: PacketIdentifier
    public var reasonCodes: [ReasonCode]
    public var properties: Properties

    public init(packetIdentifier: PacketIdentifier, reasonCodes: [ReasonCode], properties: Properties = []) {
        self.packetIdentifier = packetIdentifier
        self.reasonCodes = reasonCodes
        self.properties = properties
    }
}

extension SubAck {
    func size(_ sizer: PacketSizer) throws(EncodingError) -> Int {
        if reasonCodes.isEmpty { throw sizer.failure(.noReasonCodes) }
        for code in reasonCodes { try sizer.check(code) }
        return try 2 + sizer.size(of: properties, in: .packet(.suback)) + reasonCodes.count
    }

    func write(to buffer: inout ByteBuffer, version: ProtocolVersion) {
        buffer.writeInteger(packetIdentifier.rawValue)
        buffer.write(properties, version: version)
        for code in reasonCodes {
            // 3.1.1 has one code for all failures. 3.1 has none: what is not authorized has to look granted (V3.1 §3.8).
            let failure: UInt8 =
                switch version {
                case .v3_1: 0
                case .v3_1_1: 0x80
                case .v5: code.rawValue
                }
            buffer.writeInteger(code.isError ? failure : code.rawValue)
        }
    }

    init(from reader: inout PacketReader) throws(DecodingError) {
        packetIdentifier = try reader.readPacketIdentifier()
        properties = try reader.readProperties(in: .packet(.suback))
        reasonCodes = []
        reasonCodes.reserveCapacity(reader.remaining)
        while reader.remaining > 0 {
            let code = try reader.readReasonCode()
            if code.isError, reader.version == .v3_1 || reader.version == .v3_1_1 && code != .unspecifiedError {
                throw reader.failure(.reasonCodeNotAllowed, found: Int(code.rawValue))
            }
            reasonCodes.append(code)
        }
        if reasonCodes.isEmpty { throw reader.failure(.noReasonCodes) }
    }
}
