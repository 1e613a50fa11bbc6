public import MQTTWire
public import NIOCore

/// What is to be published, apart from how it travels.
public struct Message: Sendable, Hashable {
    public var topic: TopicName
    public var payload: ByteBuffer
    public var qos: QoS
    public var retain: Bool
    /// What goes first when not everything can go at once.
    public var priority: Priority
    /// From acceptance on; after it the message is no longer worth sending. What is left of it is told to the server
    /// (5.0, in the place of a Message Expiry Interval among `properties`). Nil: never.
    public var expiry: Duration?
    /// PUBLISH properties of MQTT 5.0; ignored under 3.1.1.
    public var properties: Properties

    public init(
        topic: TopicName, payload: ByteBuffer, qos: QoS = .atLeastOnce, retain: Bool = false,
        priority: Priority = .normal, expiry: Duration? = nil, properties: Properties = []
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.priority = priority
        self.expiry = expiry
        self.properties = properties
    }
}

/// A message's rank: a higher one is sent first and evicted last. Order is kept inside one rank only.
public enum Priority: UInt8, Sendable, Hashable, Comparable, CaseIterable {
    case low = 0
    case normal = 1
    case high = 2
    case urgent = 3

    /// Whether a backlog of it may be held back, to leave the line to what is new.
    public var isPaced: Bool { self < .high }

    public static func < (left: Priority, right: Priority) -> Bool { left.rawValue < right.rawValue }
}
