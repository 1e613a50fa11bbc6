/// The protocol levels spoken here (the byte behind the protocol name in CONNECT: 3.1.1 §3.1.2.2, 5.0 §3.1.2.2).
public enum ProtocolVersion: UInt8, Sendable, Hashable, CaseIterable {
    case v3_1_1 = 4
    case v5 = 5
}

extension ProtocolVersion: CustomStringConvertible {
    public var description: String {
        switch self {
        case .v3_1_1: "3.1.1"
        case .v5: "5.0"
        }
    }
}
