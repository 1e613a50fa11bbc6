internal import MQTTWire
internal import NIOCore

/// A session's number, which no other session ever has again.
typealias SessionID = Int64

/// Something that must be on disk before those are told who rely on it. Order matters.
enum Change: Sendable {
    /// A new session, or its state has changed.
    case session(StoredSession)
    /// With its subscriptions, its queue and its received identifiers.
    case sessionDeleted(SessionID)
    case subscribed(SessionID, StoredSubscription)
    /// With what is still to be offered for it.
    case unsubscribed(SessionID, TopicFilter)
    /// Retained messages are still to be given out for a subscription, in the place of what was said of it before.
    case offered(SessionID, StoredOffer)
    case offerEnded(SessionID, TopicFilter)
    /// A message's body, once, before whatever refers to it.
    case message(StoredMessage)
    /// Nothing refers to it any more.
    case messageDeleted(Int64)
    case queued(SessionID, StoredEntry)
    /// It is about to be sent for the first time: ``StoredEntry/isUnsent`` is over.
    case sent(SessionID, sequence: Int64)
    /// The client has answered PUBLISH with PUBREC: PUBREL is to follow.
    case released(SessionID, sequence: Int64)
    case dequeued(SessionID, sequence: Int64)
    /// An incoming QoS 2 message whose PUBREL has not come.
    case received(SessionID, PacketIdentifier)
    case receivedReleased(SessionID, PacketIdentifier)
    case retained(TopicName, message: Int64)
    case retainedRemoved(TopicName)
    /// What a connected client's death is to be told with; nil: nothing any more.
    case will(client: String, StoredWill?)
}

struct StoredSession: Sendable, Hashable {
    var id: SessionID
    var clientIdentifier: String
    /// For queries and access rules while the client is away.
    var username: String?
    var version: ProtocolVersion
    /// Seconds; `UInt32.max`: never.
    var expiryInterval: UInt32
    /// When it ends unless its client comes back; nil while it is connected, or never.
    var deadline: NIODeadline?
}

struct StoredSubscription: Sendable, Hashable {
    var subscription: Subscription
    var identifier: UInt32?
}

/// Retained messages, of QoS 1 and 2, that are to be given out for a subscription: those whose topics come behind
/// `last`, byte by byte, and that were there when it was made.
struct StoredOffer: Sendable, Hashable {
    var filter: TopicFilter
    /// Empty: none has been given out.
    var last = ""
    /// Messages with this number and higher ones have come later.
    var below: Int64
}

struct StoredMessage: Sendable, Hashable {
    var id: Int64
    var message: ServerMessage
    /// The client that published it; empty: the server.
    var publisher: String
    /// When it expires; nil: never.
    var deadline: NIODeadline?
}

/// A message in a session's queue.
struct StoredEntry: Sendable, Hashable {
    /// Rises in each session, and gives the packet identifier.
    var sequence: Int64
    var message: Int64
    /// 1 or 2, or 0 where the configuration keeps those too.
    var qos: QoS
    var retain: Bool
    var subscriptionIdentifiers: [UInt32]
    var isReleased = false
    /// QoS 2, and surely never sent. (What older programs have stored says nothing of that.)
    var isUnsent = false
}

struct StoredWill: Sendable, Hashable {
    var will: Will
    /// For the access rules.
    var username: String?
    /// Seconds.
    var delay: UInt32
}

/// All that a server needs to go on where another process stopped.
struct StoredState: Sendable {
    struct SessionContents: Sendable {
        var session: StoredSession
        var subscriptions: [StoredSubscription] = []
        /// In the order of their sequence.
        var queue: [StoredEntry] = []
        /// Higher than any that was ever given.
        var nextSequence: Int64 = 0
        var received: [PacketIdentifier] = []
        var offers: [StoredOffer] = []
    }

    var sessions: [SessionContents] = []
    var messages: [StoredMessage] = []
    var retained: [(topic: TopicName, message: Int64)] = []
    var wills: [(client: String, will: StoredWill)] = []
    /// Higher than any that was ever given.
    var nextSessionID: SessionID = 1
    var nextMessageID: Int64 = 1
}
