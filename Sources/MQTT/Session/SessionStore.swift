/// Names a message in a ``SessionStore``. Ascending identifiers are the order of sending.
public struct MessageID: RawRepresentable, Sendable, Hashable, Comparable {
    public let rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A message as the store gives it out.
public struct StoredMessage: Sendable, Hashable {
    public var id: MessageID
    public var message: Message

    public init(id: MessageID, message: Message) {
        self.id = id
        self.message = message
    }
}

/// Where the client keeps what it has not delivered yet.
///
/// Two implementations: ``MemoryStore`` for programs that may forget, and StoreForward's `Outbox`, which may not.
/// The client calls `next` when its in-flight window has room, sends what it gets, and calls `acknowledge` when the
/// broker has taken a message over (QoS 0: when it was written to the socket). A message that was given out and
/// not acknowledged is given out again only after `rewind`, or by the store of a later process.
public protocol SessionStore: Sendable {
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
