/// What a server counts, since its start unless said otherwise.
public struct ServerStatistics: Sendable, Hashable {
    /// Now.
    public var connectedClients = 0
    public var maximumConnectedClients = 0
    /// Sessions now, with and without a connection.
    public var sessions = 0
    /// Sessions that ended because nobody came back in time.
    public var expiredSessions = 0
    public var subscriptions = 0
    public var sharedSubscriptions = 0
    /// Without the values of `$SYS` that the server itself keeps up to date, which no limit concerns.
    public var retainedMessages = 0
    public var retainedBytes = 0
    /// Messages in all queues now, and their bytes; each counts in each queue.
    public var queuedMessages = 0
    public var queuedBytes = 0
    /// Control packets of every kind.
    public var packetsReceived = 0
    public var packetsSent = 0
    /// PUBLISH packets, and the bytes of their payloads.
    public var messagesReceived = 0
    public var messagesSent = 0
    public var payloadBytesReceived = 0
    public var payloadBytesSent = 0
    /// By cause; what the session's end let go of is among them.
    public var messagesDropped: [DropCause: Int] = [:]
    /// Messages that nobody had subscribed to.
    public var messagesNotConsumed = 0
    /// Retained messages that a limit refused.
    public var retainedRefused = 0
    public var bytesReceived = 0
    public var bytesSent = 0
    public var socketConnections = 0
    /// Connections that were not let in: by limits, for want of a CONNECT in time, or by a refusal.
    public var connectionsRefused = 0

    public var messagesDroppedInAll: Int { messagesDropped.values.reduce(0, +) }
}
