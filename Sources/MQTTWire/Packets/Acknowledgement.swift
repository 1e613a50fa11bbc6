internal import NIOCore

/// PUBACK, PUBREC, PUBREL or PUBCOMP: the four have one form (5.0 §3.4 to §3.7).
public struct Acknowledgement: Sendable, Hashable {
    public var packetIdentifier: PacketIdentifier
    /// Always `.success` under 3.1.1.
    public var reasonCode: ReasonCode
    public var properties: Properties

    public init(packetIdentifier: PacketIdentifier, reasonCode: ReasonCode = .success, properties: Properties = []) {
        self.packetIdentifier = packetIdentifier
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

extension Acknowledgement {
    func size(_ sizer: PacketSizer) throws(EncodingError) -> Int {
        guard sizer.version == .v5 else {
            if reasonCode != .success { throw sizer.failure(.notInVersion, found: Int(reasonCode.rawValue)) }
            return try 2 + sizer.size(of: properties, in: .packet(sizer.packet))
        }
        try sizer.check(reasonCode)
        if properties.isEmpty { return reasonCode == .success ? 2 : 3 }
        return try 3 + sizer.size(of: properties, in: .packet(sizer.packet))
    }

    func write(to buffer: inout ByteBuffer, version: ProtocolVersion) {
        buffer.writeInteger(packetIdentifier.rawValue)
        buffer.writeEnd(reasonCode, properties, version: version)
    }

    init(from reader: inout PacketReader) throws(DecodingError) {
        packetIdentifier = try reader.readPacketIdentifier()
        (reasonCode, properties) = try reader.readEnd()
    }
}

// PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT and AUTH of 5.0 end in a reason code and properties. Both may be left
// out when there is nothing to say, the properties also alone (5.0 §3.4.2.1, §3.14.2.1, §3.15.2.1).

extension ByteBuffer {
    /// Writes the shortest form; nothing under 3.1.1.
    mutating func writeEnd(_ reasonCode: ReasonCode, _ properties: Properties, version: ProtocolVersion) {
        guard version == .v5, reasonCode != .success || !properties.isEmpty else { return }
        writeInteger(reasonCode.rawValue)
        if !properties.isEmpty { write(properties, version: version) }
    }
}

extension PacketReader {
    mutating func readEnd() throws(DecodingError) -> (ReasonCode, Properties) {
        guard version == .v5, remaining > 0 else { return (.success, []) }
        let reasonCode = try readReasonCode()
        return (reasonCode, remaining > 0 ? try readProperties(in: .packet(packet)) : [])
    }
}
