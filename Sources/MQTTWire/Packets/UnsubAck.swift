internal import NIOCore

/// UNSUBACK (5.0 §3.11). Under 3.1.1 it carries no reason codes: the list is empty.
public struct UnsubAck: Sendable, Hashable {
    public var packetIdentifier: PacketIdentifier
    public var reasonCodes: [ReasonCode]
    public var properties: Properties

    public init(packetIdentifier: PacketIdentifier, reasonCodes: [ReasonCode] = [], properties: Properties = []) {
        self.packetIdentifier = packetIdentifier
        self.reasonCodes = reasonCodes
        self.properties = properties
    }
}

extension UnsubAck {
    func size(_ sizer: PacketSizer) throws(EncodingError) -> Int {
        switch sizer.version {
        case .v5:
            if reasonCodes.isEmpty { throw sizer.failure(.noReasonCodes) }
            for code in reasonCodes { try sizer.check(code) }
        case .v3_1, .v3_1_1:
            if !reasonCodes.isEmpty { throw sizer.failure(.notInVersion) }
        }
        return try 2 + sizer.size(of: properties, in: .packet(.unsuback)) + reasonCodes.count
    }

    func write(to buffer: inout ByteBuffer, version: ProtocolVersion) {
        buffer.writeInteger(packetIdentifier.rawValue)
        buffer.write(properties, version: version)
        for code in reasonCodes { buffer.writeInteger(code.rawValue) }
    }

    init(from reader: inout PacketReader) throws(DecodingError) {
        packetIdentifier = try reader.readPacketIdentifier()
        properties = try reader.readProperties(in: .packet(.unsuback))
        reasonCodes = []
        guard reader.version == .v5 else { return }
        reasonCodes.reserveCapacity(reader.remaining)
        while reader.remaining > 0 { reasonCodes.append(try reader.readReasonCode()) }
        if reasonCodes.isEmpty { throw reader.failure(.noReasonCodes) }
    }
}
