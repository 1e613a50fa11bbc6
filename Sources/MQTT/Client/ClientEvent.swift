public import MQTTWire
public import NIOCore
internal import Units

/// What happens to a client's connection.
public enum ClientEvent: Sendable, Hashable {
    case connected(ConnectResult)
    /// An attempt failed; the next one, perhaps to another endpoint, follows after so long. `retryIn` is nil when there
    /// is none: ``ClientConfiguration/stopsWhenRefused``.
    ///
    /// What waiting will not mend is a ``ConnectFailure/decision`` to give up.
    case connectFailed(Endpoint, ConnectFailure, retryIn: Duration?)
    /// A connection ended; `retryIn` is nil when the client was told to stop, or is not welcome any more:
    /// ``ClientConfiguration/stopsWhenRefused``.
    case disconnected(DisconnectReason, retryIn: Duration?)
}

/// A message that arrived.
public struct ReceivedMessage: Sendable, Hashable {
    public var topic: TopicName
    public var payload: ByteBuffer
    public var qos: QoS
    /// Sent because it was retained, not because it was just published (except with Retain As Published, 5.0).
    public var retain: Bool
    public var duplicate: Bool
    public var properties: Properties
    /// For ``MQTTClient/acknowledge(_:_:)``; nil at QoS 0.
    public var receipt: Receipt?

    public init(
        topic: TopicName, payload: ByteBuffer, qos: QoS = .atMostOnce, retain: Bool = false, duplicate: Bool = false,
        properties: Properties = [], receipt: Receipt? = nil
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.duplicate = duplicate
        self.properties = properties
        self.receipt = receipt
    }
}

/// What a client has done since it was made.
public struct ClientStatistics: Sendable, Hashable {
    public var connections = 0
    public var published = 0
    public var completed = 0
    /// Repeated with DUP in a resumed session.
    public var repeated = 0
    /// Sent anew because the server had lost the session: these may have arrived twice.
    public var possibleDuplicates = 0
    /// Given up, because the server refused them or could not be sent them.
    public var discarded = 0
    public var received = 0
    /// Arrived and found the room for waiting full, while nobody was reading ``MQTTClient/messages`` or somebody waited for
    /// an answer behind them.
    public var receivedUnread = 0
    /// QoS 2 messages that a broker of 3.1.1 has taken for QoS 1, and answered with PUBACK: it may have them twice.
    public var takenAtQoS1 = 0
    /// Answers to requests that nobody waited for any more.
    public var lateAnswers = 0
}

/// Why a call on a client failed.
public enum ClientError: Error, Sendable, Hashable, CustomStringConvertible {
    case notConnected
    case timedOut(after: Duration)
    /// The message's expiry has passed before there was an answer.
    case expired
    /// The server answered with this error code.
    case refused(ReasonCode)
    /// The server takes no packet of this size on this connection.
    case tooLarge(bytes: Int, limit: Int)
    case unencodable(String)
    case tooManyRequests
    /// The client has stopped, or stopped before there was an answer.
    case stopped
    case connectionLost

    public var description: String {
        switch self {
        case .notConnected: "not connected to a broker"
        case .timedOut(let time): "no answer from the broker within \(time.compact)"
        case .expired: "expired before the broker had acknowledged it"
        case .refused(let code): "refused by the broker: \(code)"
        case .tooLarge(let bytes, let limit): "a packet of \(bytes) bytes; the broker takes at most \(limit)"
        case .unencodable(let why): "cannot be sent: \(why)"
        case .tooManyRequests: "too many requests wait for their answers"
        case .stopped: "the client has stopped"
        case .connectionLost: "the connection was lost before there was an answer"
        }
    }
}
