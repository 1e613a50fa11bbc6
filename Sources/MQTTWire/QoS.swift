/// How often a message is delivered (MQTT 5.0 §4.3, 3.1.1 §4.3).
public enum QoS: UInt8, Sendable, Hashable, Comparable, CaseIterable {
    /// Sent once, never repeated; lost when the connection is.
    case atMostOnce = 0
    /// Repeated until acknowledged; may arrive more than once.
    case atLeastOnce = 1
    /// Arrives once, by a four-part exchange.
    case exactlyOnce = 2

    public static func < (left: QoS, right: QoS) -> Bool { left.rawValue < right.rawValue }
}
