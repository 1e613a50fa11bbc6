public import MQTTWire

/// What a server allows its client on one connection, as its CONNACK said (5.0 §3.2.2.3). Under 3.1.1 a server says
/// nothing, and the defaults hold.
public struct ServerLimits: Sendable, Hashable {
    /// QoS 1 and 2 messages that may be unacknowledged at once: 1 to 65,535.
    public var receiveMaximum: Int
    public var maximumQoS: QoS
    public var retainAvailable: Bool
    /// Bytes of a whole packet; nil: only the protocol's own limit.
    public var maximumPacketSize: Int?
    /// Topic aliases that it takes.
    public var topicAliasMaximum: Int

    public init(
        receiveMaximum: Int = 65_535, maximumQoS: QoS = .exactlyOnce, retainAvailable: Bool = true,
        maximumPacketSize: Int? = nil, topicAliasMaximum: Int = 0
    ) {
        self.receiveMaximum = receiveMaximum
        self.maximumQoS = maximumQoS
        self.retainAvailable = retainAvailable
        self.maximumPacketSize = maximumPacketSize
        self.topicAliasMaximum = topicAliasMaximum
    }

    public init(_ properties: Properties) {
        self.init(
            receiveMaximum: properties.receiveMaximum.map(Int.init) ?? 65_535,
            maximumQoS: properties.maximumQoS ?? .exactlyOnce,
            retainAvailable: properties.retainAvailable ?? true,
            maximumPacketSize: properties.maximumPacketSize.map(Int.init),
            topicAliasMaximum: properties.topicAliasMaximum.map(Int.init) ?? 0)
    }
}
