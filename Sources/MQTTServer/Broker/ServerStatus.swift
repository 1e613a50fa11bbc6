public import MQTTWire

/// A client that is connected, for queries.
public struct ClientStatus: Sendable, Hashable {
    public var client: ClientInformation
    public var isCleanStart: Bool
    public var subscriptions: Int
    /// Messages for it that are on their way or wait.
    public var pendingMessages: Int
    /// Bytes of those.
    public var pendingBytes: Int
    public var hasWill: Bool
}

/// A session, with or without a connection, for queries.
public struct SessionStatus: Sendable, Hashable {
    public var clientIdentifier: String
    public var username: String?
    public var isConnected: Bool
    /// It outlives its connection, and, where there is persistence, the process.
    public var isPersistent: Bool
    /// Until it ends, unless its client comes back; nil: it is connected, or kept for ever.
    public var remaining: Duration?
    public var subscriptions: Int
    public var pendingMessages: Int
    public var pendingBytes: Int
}

public struct SubscriptionStatus: Sendable, Hashable {
    public var clientIdentifier: String
    public var subscription: Subscription
    /// As the client has numbered it.
    public var identifier: UInt32?
}
