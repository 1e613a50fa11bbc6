public import NIOCore

/// A control packet of MQTT 3.1.1 or 5.0.
///
/// One set of types serves both versions: what only 5.0 has (properties, most reason codes, the subscription
/// options, AUTH) is empty or at its default under 3.1.1, and encoding refuses what the version cannot say.
public enum Packet: Sendable, Hashable {
    case connect(Connect)
    case connack(ConnAck)
    case publish(Publish)
    case puback(Acknowledgement)
    case pubrec(Acknowledgement)
    case pubrel(Acknowledgement)
    case pubcomp(Acknowledgement)
    case subscribe(Subscribe)
    case suback(SubAck)
    case unsubscribe(Unsubscribe)
    case unsuback(UnsubAck)
    case pingreq
    case pingresp
    case disconnect(Disconnect)
    case auth(Auth)
}

/// CONNECT: the first packet of a client (5.0 §3.1).
public struct Connect: Sendable, Hashable {
    public var version: ProtocolVersion
    /// Empty: the server assigns one (under 3.1.1 only together with `cleanStart`).
    public var clientIdentifier: String
    /// 5.0 Clean Start; 3.1.1 Clean Session.
    public var cleanStart: Bool
    /// Seconds, 0 to 65,535; 0 turns keep-alive off.
    public var keepAlive: UInt16
    public var username: String?
    public var password: ByteBuffer?
    public var will: Will?
    public var properties: Properties

    public init(
        version: ProtocolVersion, clientIdentifier: String, cleanStart: Bool = true, keepAlive: UInt16 = 60,
        username: String? = nil, password: ByteBuffer? = nil, will: Will? = nil, properties: Properties = []
    ) {
        self.version = version
        self.clientIdentifier = clientIdentifier
        self.cleanStart = cleanStart
        self.keepAlive = keepAlive
        self.username = username
        self.password = password
        self.will = will
        self.properties = properties
    }
}

/// The message that the server publishes when it loses its client (5.0 §3.1.2.5).
public struct Will: Sendable, Hashable {
    public var topic: TopicName
    public var payload: ByteBuffer
    public var qos: QoS
    public var retain: Bool
    public var properties: Properties

    public init(
        topic: TopicName, payload: ByteBuffer, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: Properties = []
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties
    }
}

/// CONNACK (5.0 §3.2). Under 3.1.1 the return codes 0 to 5 appear as the 5.0 reason codes that mean the same.
public struct ConnAck: Sendable, Hashable {
    public var sessionPresent: Bool
    public var reasonCode: ReasonCode
    public var properties: Properties

    public init(sessionPresent: Bool, reasonCode: ReasonCode, properties: Properties = []) {
        self.sessionPresent = sessionPresent
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

/// PUBLISH (5.0 §3.3).
public struct Publish: Sendable, Hashable {
    /// Nil only under 5.0, when the packet carries a topic alias in its place.
    public var topic: TopicName?
    /// A slice of the bytes that were received; nothing is copied.
    public var payload: ByteBuffer
    public var qos: QoS
    public var retain: Bool
    /// Set when this may be a repetition (DUP).
    public var duplicate: Bool
    /// There for QoS 1 and 2, absent for QoS 0.
    public var packetIdentifier: PacketIdentifier?
    public var properties: Properties

    public init(
        topic: TopicName?, payload: ByteBuffer, qos: QoS = .atMostOnce, retain: Bool = false,
        duplicate: Bool = false, packetIdentifier: PacketIdentifier? = nil, properties: Properties = []
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.duplicate = duplicate
        self.packetIdentifier = packetIdentifier
        self.properties = properties
    }
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP: the four have one form (5.0 §3.4 to §3.7).
public struct Acknowledgement: Sendable, Hashable {
    public var packetIdentifier: PacketIdentifier
    /// Always `.success` under 3.1.1.
    public var reasonCode: ReasonCode
    public var properties: Properties

    public init(packetIdentifier: PacketIdentifier, reasonCode: ReasonCode = .success, properties: Properties = []) {
        self.packetIdentifier = packetIdentifier
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

/// One line of a SUBSCRIBE (5.0 §3.8.3).
public struct Subscription: Sendable, Hashable {
    /// When the server sends retained messages for this subscription (5.0 §3.8.3.1); 3.1.1 knows only `.onSubscribe`.
    public enum RetainHandling: UInt8, Sendable, Hashable, CaseIterable {
        case onSubscribe = 0
        case onNewSubscribe = 1
        case never = 2
    }

    public var filter: TopicFilter
    public var qos: QoS
    /// 5.0: do not send back what this client itself published.
    public var noLocal: Bool
    /// 5.0: keep the RETAIN flag as it was published.
    public var retainAsPublished: Bool
    public var retainHandling: RetainHandling

    public init(
        filter: TopicFilter, qos: QoS = .atLeastOnce, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .onSubscribe
    ) {
        self.filter = filter
        self.qos = qos
        self.noLocal = noLocal
        self.retainAsPublished = retainAsPublished
        self.retainHandling = retainHandling
    }
}

/// SUBSCRIBE (5.0 §3.8): at least one subscription.
public struct Subscribe: Sendable, Hashable {
    public var packetIdentifier: PacketIdentifier
    public var subscriptions: [Subscription]
    public var properties: Properties

    public init(packetIdentifier: PacketIdentifier, subscriptions: [Subscription], properties: Properties = []) {
        self.packetIdentifier = packetIdentifier
        self.subscriptions = subscriptions
        self.properties = properties
    }
}

/// SUBACK (5.0 §3.9): a reason code for each subscription, in order.
public struct SubAck: Sendable, Hashable {
    public var packetIdentifier: PacketIdentifier
    public var reasonCodes: [ReasonCode]
    public var properties: Properties

    public init(packetIdentifier: PacketIdentifier, reasonCodes: [ReasonCode], properties: Properties = []) {
        self.packetIdentifier = packetIdentifier
        self.reasonCodes = reasonCodes
        self.properties = properties
    }
}

/// UNSUBSCRIBE (5.0 §3.10): at least one filter.
public struct Unsubscribe: Sendable, Hashable {
    public var packetIdentifier: PacketIdentifier
    public var filters: [TopicFilter]
    public var properties: Properties

    public init(packetIdentifier: PacketIdentifier, filters: [TopicFilter], properties: Properties = []) {
        self.packetIdentifier = packetIdentifier
        self.filters = filters
        self.properties = properties
    }
}

/// UNSUBACK (5.0 §3.11). Under 3.1.1 it carries no reason codes: the list is empty.
public struct UnsubAck: Sendable, Hashable {
    public var packetIdentifier: PacketIdentifier
    public var reasonCodes: [ReasonCode]
    public var properties: Properties

    public init(packetIdentifier: PacketIdentifier, reasonCodes: [ReasonCode] = [], properties: Properties = []) {
        self.packetIdentifier = packetIdentifier
        self.reasonCodes = reasonCodes
        self.properties = properties
    }
}

/// DISCONNECT (5.0 §3.14). Under 3.1.1 only a client sends it, without a reason.
public struct Disconnect: Sendable, Hashable {
    public var reasonCode: ReasonCode
    public var properties: Properties

    public init(reasonCode: ReasonCode = .normalDisconnection, properties: Properties = []) {
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

/// AUTH (5.0 §3.15), for enhanced authentication; 3.1.1 has none.
public struct Auth: Sendable, Hashable {
    public var reasonCode: ReasonCode
    public var properties: Properties

    public init(reasonCode: ReasonCode, properties: Properties = []) {
        self.reasonCode = reasonCode
        self.properties = properties
    }
}
