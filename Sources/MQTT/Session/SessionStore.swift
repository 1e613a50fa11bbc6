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

    public init(id: MessageID, message: Message, mayHaveBeenSent: Bool = false, isReleased: Bool = false) {
        self.id = id
        self.message = message
        self.mayHaveBeenSent = mayHaveBeenSent
        self.isReleased = isReleased
    }
}

/// Where the client keeps what it has not delivered yet.
///
/// Two implementations: ``MemoryStore`` for programs that may forget, and StoreForward's `Outbox`, which may not.
/// The client calls `next` when its in-flight window has room, sends what it gets, and calls `acknowledge` when the
/// broker has taken a message over (QoS 0: when it was written to the socket). A message that was given out and
/// not acknowledged is given out again only after `rewind`, or by the store of a later process.
///
/// A store that outlives its process also keeps what makes QoS 2 exact across a crash: that a session exists, and which
/// messages of it are released. Packet identifiers need no keeping, they follow from the messages' own.
public protocol SessionStore: Sendable {
    /// Whether a later process finds the messages again. If not, nothing about sessions is asked.
    nonisolated var outlivesProcess: Bool { get }

    /// The session that the messages belong to, as `beginSession` was told; nil when there is none.
    func session() async throws -> Int64?

    /// A server begins a new session, under this name: no message is released in it. Durable when it returns.
    func beginSession(_ name: Int64) async throws

    /// The server has these messages (PUBREC). Durable when it returns: only then PUBREL may be sent (D3).
    func release(_ ids: [MessageID]) async throws

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
    /// - Returns: empty when everything was given out.
    func next(maximumCount: Int, maximumBytes: Int) async throws -> [StoredMessage]

    /// The broker has these: they may be forgotten. Unknown identifiers are ignored (a limit may have evicted them).
    func acknowledge(_ ids: [MessageID]) async throws

    /// These will never be delivered: they are forgotten, and counted by cause. Unknown identifiers are ignored.
    func discard(_ ids: [MessageID], because reason: DiscardReason) async throws

    /// Everything that is not acknowledged will be given out again, from the oldest on.
    func rewind() async throws
}

/// Why a message that was given out is given up.
public enum DiscardReason: String, Sendable, Hashable, CaseIterable {
    /// The broker answered with an error code (5.0 only).
    case refused
    /// The broker takes no packet of this size.
    case tooLarge
    /// It cannot be said in the connection's version of the protocol.
    case unencodable
}
