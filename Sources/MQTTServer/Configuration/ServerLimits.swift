public import MQTTWire

/// How much the server gives to all and to each. What is refused or dropped because of them is counted.
public struct ServerLimits: Sendable {
    /// Connections at the same time.
    public var maximumConnections = 10_000
    /// From the first byte of a connection, TLS and WebSocket included, to the end of its CONNECT.
    public var connectTimeout: Duration = .seconds(10)
    /// Bytes of the largest packet that is taken from a client that has been let in.
    public var maximumPacketSize = 4 << 20
    /// Bytes of the largest CONNECT.
    public var maximumConnectSize = 256 << 10
    /// Seconds; a client that asks for more, or for none, is told this as Server Keep Alive (5.0), nil: as it asks.
    public var maximumKeepAlive: UInt16?
    /// Seconds; how long sessions without a connection are kept at most, those of 3.1.1 too. Nil: as the client asks.
    public var maximumSessionExpiry: UInt32?
    /// Sessions, with and without a connection.
    public var maximumSessions = 20_000
    public var maximumQoS = QoS.exactlyOnce
    public var isRetainAvailable = true
    public var areWildcardsAvailable = true
    public var areSharedSubscriptionsAvailable = true
    /// QoS 1 and 2 messages that one client may have on their way to us.
    public var receiveMaximum: UInt16 = 1_000
    /// QoS 1 and 2 messages on their way to one client, unless it wants fewer.
    public var maximumInFlight = 20
    /// Topic aliases that a client may use towards us.
    public var topicAliasMaximum: UInt16 = 16

    /// What one session's queue holds behind the messages that are on their way; 0: nothing waits.
    public var queuedMessages = 1_000
    /// Bytes of topics, payloads and properties in one session's queue.
    public var queuedBytes = 4 << 20
    /// Bytes in all queues together; a message counts in each. Beyond it each session may still have its share of half as
    /// much again.
    public var totalQueuedBytes = 64 << 20
    /// What goes when a queue is full.
    public enum Eviction: Sendable, Hashable { case oldest, newest }
    public var eviction = Eviction.newest
    /// Whether QoS 0 messages wait for clients that are away.
    public var queuesQoS0 = false

    /// Without the values of `$SYS` that the server itself keeps up to date, as in `retainedBytes`.
    public var retainedMessages = 20_000
    public var retainedBytes = 32 << 20
    /// Of one session.
    public var subscriptions = 25_000
    /// Of all sessions.
    public var totalSubscriptions = 200_000
    /// Of all sessions, with the tree in which they are looked up, roughly: long filters of many levels take most.
    public var totalSubscriptionBytes = 64 << 20
    /// Levels of a topic filter, and of a topic whose message is retained. As many as Mosquitto takes, which counts 200
    /// separators.
    public var topicLevels = 201

    public init() {}
}
