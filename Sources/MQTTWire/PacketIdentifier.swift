/// Names an exchange that is under way between two peers: 1 to 65,535, never 0 (5.0 §2.2.1).
public struct PacketIdentifier: RawRepresentable, Sendable, Hashable, Comparable {
    public let rawValue: UInt16

    /// - Returns: nil for 0, which the specification forbids ([MQTT-2.2.1-3]).
    public init?(rawValue: UInt16) {
        guard rawValue != 0 else { return nil }
        self.rawValue = rawValue
    }

    /// The lowest identifier, 1.
    public static let first = PacketIdentifier(unchecked: 1)

    /// The identifier after this one; behind 65,535 comes 1 again.
    public var next: PacketIdentifier { PacketIdentifier(unchecked: rawValue == .max ? 1 : rawValue + 1) }

    private init(unchecked rawValue: UInt16) { self.rawValue = rawValue }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension PacketIdentifier: CustomStringConvertible {
    public var description: String { String(rawValue) }
}
