/// Why received bytes are no packet. The connection they came from has to be closed (5.0 §4.13, 3.1.1 §4.8).
public struct DecodingError: Error, Sendable, Hashable {
    public let rule: ProtocolRule
    /// Nil when the packet type itself is unknown.
    public let packet: PacketType?
    /// The version whose rules applied; a server that has not seen the version yet reads by 5.0's.
    public let version: ProtocolVersion
    /// The offending number, where there is one: a property identifier, reason code, protocol level, length …
    public let found: Int?

    init(_ rule: ProtocolRule, in packet: PacketType?, version: ProtocolVersion, found: Int? = nil) {
        self.rule = rule
        self.packet = packet
        self.version = version
        self.found = found
    }

    /// What to answer with, in CONNACK or DISCONNECT of 5.0, before the connection is closed.
    public var reasonCode: ReasonCode { rule.answer(in: packet) }

    /// The specification's number of the rule, such as `MQTT-3.3.1-4`; nil where it has none.
    public var statement: String? { rule.statement(in: packet, version: version) }
}

extension DecodingError: CustomStringConvertible {
    /// For example: `PUBLISH (MQTT 5.0): DUP is set although the QoS is 0 [MQTT-3.3.1-2]`.
    public var description: String { rule.sentence(in: packet, version: version, found: found) }
}

extension ProtocolRule {
    func sentence(in packet: PacketType?, version: ProtocolVersion, found: Int?) -> String {
        var sentence = "\(packet.map(\.description) ?? "packet") (MQTT \(version)): \(explanation)"
        if let found { sentence += ", found \(found) (0x\(String(found, radix: 16)))" }
        if let statement = statement(in: packet, version: version) { sentence += " [\(statement)]" }
        return sentence
    }
}
