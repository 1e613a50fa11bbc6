public import MQTTWire

/// What happens in a server, for ``MQTTServer/events`` and ``ServerHooks/onEvent``.
public enum ServerEvent: Sendable {
    case started
    case stopped
    case clientConnected(ClientInformation, sessionPresent: Bool)
    case clientDisconnected(ClientInformation, DisconnectCause)
    /// Somebody was not let in.
    case connectionRefused(identifier: String, username: String?, address: String, ReasonCode)
    case subscribed(client: String, Subscription)
    case unsubscribed(client: String, TopicFilter)
    /// A client, or nil for the server itself, has published something that was accepted.
    case messageReceived(ServerMessage, client: String?)
    /// Nobody had subscribed to it.
    case messageNotConsumed(ServerMessage, client: String?)
    /// It waits in a session's queue, or goes out at once.
    case messageEnqueued(ServerMessage, client: String)
    case messageDropped(ServerMessage, client: String, DropCause)
    /// A client has acknowledged a QoS 1 or 2 message to the end.
    case messageAcknowledged(TopicName, client: String)
    /// Set, or removed where the message is nil.
    case retainedChanged(TopicName, ServerMessage?)
    case sessionDeleted(client: String, SessionEnd)
}

/// Why a client is no longer connected.
public enum DisconnectCause: Sendable, Hashable {
    /// It said so; under 5.0 with a reason.
    case byClient(ReasonCode)
    /// The connection ended without DISCONNECT.
    case connectionLost
    /// We ended it.
    case byServer(ReasonCode, String? = nil)
}

/// Why a message did not reach, or will not reach, a client.
public enum DropCause: Sendable, Hashable, CaseIterable {
    case queueFull
    /// All queues together are at their limit.
    case memoryFull
    case expired
    /// Beyond the client's Maximum Packet Size.
    case tooLarge
    /// QoS 0, and the client does not read.
    case notReading
    /// The client refused it with an error code.
    case refused
    /// The session ended.
    case sessionEnded
}

public enum SessionEnd: Sendable, Hashable {
    case cleanStart
    case expired
    case disconnected
    case deleted
}
