internal import NIOCore

/// DISCONNECT (5.0 §3.14). Under 3.1.1 only a client sends it, without a reason.
public struct Disconnect: Sendable, Hashable {
    public var reasonCode: ReasonCode
    public var properties: Properties

    public init(reasonCode: ReasonCode = .normalDisconnection, properties: Properties = []) {
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

extension Disconnect {
    func size(_ sizer: PacketSizer) throws(EncodingError) -> Int {
        guard sizer.version == .v5 else {
            if reasonCode != .normalDisconnection {
                throw sizer.failure(.notInVersion, found: Int(reasonCode.rawValue))
            }
            return try sizer.size(of: properties, in: .packet(.disconnect))
        }
        try sizer.check(reasonCode)
        if properties.isEmpty { return reasonCode == .normalDisconnection ? 0 : 1 }
        return try 1 + sizer.size(of: properties, in: .packet(.disconnect))
    }

    func write(to buffer: inout ByteBuffer, version: ProtocolVersion) {
        buffer.writeEnd(reasonCode, properties, version: version)
    }

    init(from reader: inout PacketReader) throws(DecodingError) {
        (reasonCode, properties) = try reader.readEnd()
    }
}
