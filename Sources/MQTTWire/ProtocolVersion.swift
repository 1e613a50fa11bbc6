/// The protocol levels spoken here (the byte behind the protocol name in CONNECT: 3.1.1 §3.1.2.2, 5.0 §3.1.2.2).
public enum ProtocolVersion: UInt8, Sendable, Hashable, CaseIterable {
    /// MQTT V3.1 (IBM and Eurotech, 2010), for servers: 3.1.1 in all but a few rules, which are named where they differ.
    case v3_1 = 3
    case v3_1_1 = 4
    case v5 = 5

    /// What CONNECT begins with.
    public var protocolName: String { self == .v3_1 ? "MQIsdp" : "MQTT" }
}

extension ProtocolVersion: CustomStringConvertible {
    public var description: String {
        switch self {
        case .v3_1: "3.1"
        case .v3_1_1: "3.1.1"
        case .v5: "5.0"
        }
    }
}
