public import MQTTWire

/// Names a message in a ``SessionStore``. Ascending identifiers are the order of sending; the lower 48 bits count the
/// messages that the store has accepted, and no two messages share them.
public struct MessageID: RawRepresentable, Sendable, Hashable, Comparable {
    public let rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// The lower 48 bits.
    public var sequence: Int64 { rawValue & 0xFFFF_FFFF_FFFF }
}

/// A message as the store gives it out.
public struct StoredMessage: Sendable, Hashable {
    public var id: MessageID
    public var message: Message
    /// An earlier process may have sent it, in the session that is resumed.
    public var mayHaveBeenSent: Bool
    /// The server has it (PUBREC): only PUBREL is left to be sent (QoS 2).
    public var isReleased: Bool
    /// It was accepted before the present connection began.
    public var isBacklog: Bool
    /// When its expiry passes, once the client has it.
    var deadline: ContinuousClock.Instant?

    public init(
        id: MessageID, message: Message, mayHaveBeenSent: Bool = false, isReleased: Bool = false,
        isBacklog: Bool = false
    ) {
        self.id = id
        self.message = message
        self.mayHaveBeenSent = mayHaveBeenSent
        self.isReleased = isReleased
        self.isBacklog = isBacklog
    }
}

/// What a store knows of a session that an earlier process has left.
public struct StoredSession: Sendable, Hashable {
    /// As `beginSession` was told.
    public var name: Int64
    /// Incoming QoS 2 messages that the application has seen, and that the server has not released yet (PUBREL).
    public var incoming: Set<PacketIdentifier>

    public init(name: Int64, incoming: Set<PacketIdentifier> = []) {
        self.name = name
        self.incoming = incoming
    }
}

/// Steps of QoS 2 exchanges that a store has to know before the other side is told (D3).
public struct ExchangeSteps: Sendable, Hashable {
    /// The server has these messages (PUBREC): PUBREL follows.
    public var released: [MessageID]
    /// The application has seen these incoming messages: PUBREC follows.
    public var seen: [PacketIdentifier]
    /// The server has released these (PUBREL): PUBCOMP follows, and the identifiers may be used for new messages.
    public var finished: [PacketIdentifier]

    public init(
        released: [MessageID] = [], seen: [PacketIdentifier] = [], finished: [PacketIdentifier] = []
    ) {
        self.released = released
        self.seen = seen
        self.finished = finished
    }

    public var isEmpty: Bool { released.isEmpty && seen.isEmpty && finished.isEmpty }
}

/// Where the client keeps what it has not delivered yet.
///
/// Two implementations: ``MemoryStore`` for programs that may forget, and StoreForward's `Outbox`, which may not.
/// The client calls `next` when its in-flight window has room, sends what it gets, and calls `acknowledge` when the
/// broker has taken a message over (QoS 0: when it was written to the socket). A message that was given out and
/// not acknowledged is given out again only after `rewind`, or by the store of a later process.
///
/// A store that outlives its process also keeps what makes QoS 2 exact across a crash: that a session exists, which
/// messages of it are released, and which incoming ones the application has seen. Packet identifiers of outgoing
/// messages need no keeping, they follow from the messages' own.
public protocol SessionStore: Sendable {
    /// Whether a later process finds the messages again. If not, nothing about sessions is asked.
    nonisolated var outlivesProcess: Bool { get }

    /// The session that the messages belong to; nil when there is none.
    func session() async throws -> StoredSession?

    /// A server begins a new session, under this name: no message is released in it, and none has come. Durable when it
    /// returns.
    func beginSession(_ name: Int64) async throws

    /// Durable when it returns: only then the other side may be told (D3).
    func note(_ steps: ExchangeSteps) async throws

    /// A connection begins: what was accepted so far is backlog.
    func connectionBegan() async throws

    /// Takes messages over, in order.
    ///
    /// Returns when they are as safe as the store promises to make them.
    /// - Throws: when they were not taken; then none of them was.
    func append(_ messages: [Message]) async throws -> [MessageID]

    /// The next messages that were not given out yet: the highest priority first, inside it the oldest first.
    ///
    /// - Parameters:
    ///   - maximumCount: at most so many, at least 1.
    ///   - maximumBytes: no further message once topics and payloads add up to so many bytes; one is always given.
    ///   - maximumBacklog: at most so many of the backlog, 0 and up; the priorities high and urgent do not count.
    /// - Returns: empty when everything was given out, or all that may be now.
    func next(maximumCount: Int, maximumBytes: Int, maximumBacklog: Int) async throws -> [StoredMessage]

    /// The broker has these: they may be forgotten. Unknown identifiers are ignored (a limit may have evicted them).
    func acknowledge(_ ids: [MessageID]) async throws

    /// These will never be delivered: they are forgotten, and counted by cause. Unknown identifiers are ignored.
    func discard(_ ids: [MessageID], because reason: DiscardReason) async throws

    /// How many messages wait: neither acknowledged nor given up.
    func pendingCount() async throws -> Int

    /// Everything that is not acknowledged will be given out again, from the oldest on.
    func rewind() async throws

    /// What is given out is meant for the present connection only, as where messages are numbered by connection: the
    /// client forgets what it has not written when the connection ends, and the store gives it out again by itself.
    /// For stores whose messages are of QoS 0. False unless a store says otherwise.
    nonisolated var isBoundToConnection: Bool { get }

    /// The connection has ended. Called on the client's event loop, also while its ``connectionBegan()`` is under way.
    nonisolated func connectionEnded()
}

extension SessionStore {
    public nonisolated var isBoundToConnection: Bool { false }
    public nonisolated func connectionEnded() {}
}

/// Why a message that was given out is given up.
public enum DiscardReason: String, Sendable, Hashable, CaseIterable {
    /// The broker answered with an error code, or disconnected us again and again because of it (5.0 only).
    case refused
    /// The broker takes no packet of this size.
    case tooLarge
    /// It cannot be said in the connection's version of the protocol.
    case unencodable
}
