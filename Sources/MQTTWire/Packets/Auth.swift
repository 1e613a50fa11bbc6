internal import NIOCore

/// AUTH (5.0 §3.15), for enhanced authentication; 3.1.1 has none.
public struct Auth: Sendable, Hashable {
    public var reasonCode: ReasonCode
    public var properties: Properties

    public init(reasonCode: ReasonCode, properties: Properties = []) {
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

extension Auth {
    func size(_ sizer: PacketSizer) throws(EncodingError) -> Int {
        guard sizer.version == .v5 else { throw sizer.failure(.notInVersion) }
        try sizer.check(reasonCode)
        if namesNoMethod { throw sizer.failure(.authenticationMethodMissing) }
        if properties.isEmpty { return 0 }
        return try 1 + sizer.size(of: properties, in: .packet(.auth))
    }

    func write(to buffer: inout ByteBuffer, version: ProtocolVersion) {
        buffer.writeEnd(reasonCode, properties, version: version)
    }

    init(from reader: inout PacketReader) throws(DecodingError) {
        (reasonCode, properties) = try reader.readEnd()
        if namesNoMethod { throw reader.failure(.authenticationMethodMissing) }
    }

    /// The method is required (5.0 §3.15.2.2.2), save in the empty AUTH that §3.15.2.1 allows for success.
    private var namesNoMethod: Bool {
        properties.authenticationMethod == nil && !(reasonCode == .success && properties.isEmpty)
    }
}
