internal import NIOCore

/// CONNACK (5.0 §3.2). Under 3.1.1 the return codes 0 to 5 appear as the 5.0 reason codes that mean the same.
public struct ConnAck: Sendable, Hashable {
    /// Not told under 3.1, where its byte is reserved.
    public var sessionPresent: Bool
    public var reasonCode: ReasonCode
    public var properties: Properties

    public init(sessionPresent: Bool, reasonCode: ReasonCode, properties: Properties = []) {
        self.sessionPresent = sessionPresent
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

extension ConnAck {
    func size(_ sizer: PacketSizer) throws(EncodingError) -> Int {
        if sessionPresent, reasonCode != .success { throw sizer.failure(.sessionPresentWithError) }
        switch sizer.version {
        case .v5:
            try sizer.check(reasonCode)
        case .v3_1, .v3_1_1:
            if returnCode == nil { throw sizer.failure(.notInVersion, found: Int(reasonCode.rawValue)) }
        }
        return try 2 + sizer.size(of: properties, in: .packet(.connack))
    }

    func write(to buffer: inout ByteBuffer, version: ProtocolVersion) {
        buffer.writeInteger(sessionPresent && version != .v3_1 ? 1 as UInt8 : 0)
        switch version {
        case .v5: buffer.writeInteger(reasonCode.rawValue)
        case .v3_1, .v3_1_1: buffer.writeInteger(returnCode ?? Self.serverUnavailable)
        }
        buffer.write(properties, version: version)
    }

    init(from reader: inout PacketReader) throws(DecodingError) {
        let flags = try reader.readByte()
        if flags > 1, reader.version != .v3_1 { throw reader.failure(.connackFlagsReserved, found: Int(flags)) }
        sessionPresent = flags == 1 && reader.version != .v3_1
        switch reader.version {
        case .v5:
            reasonCode = try reader.readReasonCode()
        case .v3_1, .v3_1_1:
            let code = Int(try reader.readByte())
            guard code < Self.returnCodes.count else { throw reader.failure(.reasonCodeNotAllowed, found: code) }
            reasonCode = Self.returnCodes[code]
        }
        if sessionPresent, reasonCode != .success { throw reader.failure(.sessionPresentWithError) }
        properties = try reader.readProperties(in: .packet(.connack))
    }

    /// What the return codes 0 to 5 mean (3.1.1 §3.2.2.3).
    private static let returnCodes: [ReasonCode] = [
        .success, .unsupportedProtocolVersion, .clientIdentifierNotValid, .serverUnavailable, .badUserNameOrPassword,
        .notAuthorized,
    ]
    private static let serverUnavailable: UInt8 = 3

    /// Nil when 3.1.1 has none for the reason.
    private var returnCode: UInt8? { Self.returnCodes.firstIndex(of: reasonCode).map { UInt8($0) } }
}
