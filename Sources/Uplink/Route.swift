public import MQTT
public import MQTTWire

/// How a sensor's readings travel.
public struct Route: Sendable, Hashable {
    public var topic: TopicTemplate
    public var qos: QoS
    public var retain: Bool
    public var priority: Priority
    /// After so long a reading is no longer worth delivering; nil: as long as the queue keeps it.
    public var expiry: Duration?
    /// JSON payloads carry the queue's sequence number as "seq". It counts everything that the device accepts, so a
    /// subscriber to all of a device's topics sees in a gap that something was given up.
    public var includesSequence: Bool
    /// What the plain profile's payloads look like.
    public var format: PlainFormat

    /// Alarms under `fieldpost/{device}/alarm/{alarm}`: retained, so that who comes later knows what is raised, and
    /// ahead of readings.
    public static let alarm = Route(topic: .alarm, retain: true, priority: .high)

    public init(
        topic: TopicTemplate, qos: QoS = .atLeastOnce, retain: Bool = false, priority: Priority = .normal,
        expiry: Duration? = nil, includesSequence: Bool = false, format: PlainFormat = .json
    ) {
        self.topic = topic
        self.qos = qos
        self.retain = retain
        self.priority = priority
        self.expiry = expiry
        self.includesSequence = includesSequence
        self.format = format
    }
}
