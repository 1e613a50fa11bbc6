/// Why a packet cannot be put into bytes: it breaks a rule, or the protocol version has no way to say it.
public struct EncodingError: Error, Sendable, Hashable {
    public let rule: ProtocolRule
    public let packet: PacketType
    public let version: ProtocolVersion
    /// The offending number, where there is one: a property identifier, reason code, length …
    public let found: Int?

    init(_ rule: ProtocolRule, in packet: PacketType, version: ProtocolVersion, found: Int? = nil) {
        self.rule = rule
        self.packet = packet
        self.version = version
        self.found = found
    }

    /// The specification's number of the rule, such as `MQTT-3.3.1-4`; nil where it has none.
    public var statement: String? { rule.statement(in: packet, version: version) }
}

extension EncodingError: CustomStringConvertible {
    public var description: String { rule.sentence(in: packet, version: version, found: found) }
}
