public import MQTTWire

/// The server broke the protocol: the connection is to be closed with this reason (5.0 §4.13).
public struct ProtocolViolation: Error, Sendable, Hashable, CustomStringConvertible {
    public var reasonCode: ReasonCode
    public var description: String

    public init(_ description: String, reasonCode: ReasonCode = .protocolError) {
        self.description = description
        self.reasonCode = reasonCode
    }
}
