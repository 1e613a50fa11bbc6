public import Units

/// What lies in a queue, and how it fares.
public struct OutboxStatus: Sendable, Hashable {
    public enum State: Sendable, Hashable {
        /// What is accepted is on disk.
        case durable
        /// The disk fails, for the reason given: new messages wait in memory, as far as there is room.
        case memory(reason: String)
        /// Looked at from another process: what its agent holds in memory does not show.
        case observed
    }

    /// Messages that are gone without having been delivered, by cause, since the queue was created.
    public struct Losses: Sendable, Hashable {
        /// Evicted because the queue had reached its maximum size.
        public var evictedBySize: Int64 = 0
        /// Evicted because the queue had reached its maximum number of messages.
        public var evictedByRows: Int64 = 0
        /// Older than the maximum age, or than their own expiry.
        public var expired: Int64 = 0
        /// Pushed out of the memory buffer while the disk failed.
        public var droppedUnsaved: Int64 = 0
        /// Known to have been in a file that was damaged, and not readable any more.
        public var damaged: Int64 = 0
        /// Deleted by hand.
        public var purged: Int64 = 0
        /// The broker answered with an error code (MQTT 5.0).
        public var refused: Int64 = 0
        /// Larger than the broker's largest packet, or not to be said in the connection's version of the protocol.
        public var unsendable: Int64 = 0

        public init() {}

        /// Each cause under the name that statuses use.
        public var byCause: [(cause: String, count: Int64)] {
            [
                ("size", evictedBySize), ("rows", evictedByRows), ("expired", expired), ("unsaved", droppedUnsaved),
                ("damaged", damaged), ("purged", purged), ("refused", refused), ("unsendable", unsendable),
            ]
        }
    }

    public var state: State
    /// Messages that wait: neither acknowledged nor lost, on disk and in memory.
    public var queued: Int
    /// Of these, those that were given out and not yet acknowledged.
    public var inFlight: Int
    /// Of these, those that are in memory only.
    public var unsaved: Int
    /// Used pages of the file, in bytes; this is what the maximum size limits.
    public var bytesUsed: Int
    /// When the message that waits longest was accepted, as the clock said then.
    public var oldest: Timestamp?
    /// The number that the next message will get.
    public var nextSequence: Int64
    public var losses: Losses
    /// Transactions that this process has committed.
    public var commits: Int
    /// The latest damaged file that this process moved aside.
    public var damage: DamageReport?
    /// Damaged files that lie beside the queue, the newest first; they may be removed.
    public var damagedFiles: [String]
    /// The queue of a newer Fieldpost that waits for its return.
    public var newer: NewerQueue?
}

/// A queue that a newer Fieldpost has left and that this one cannot read: it stays as it is, whatever is in it.
///
/// A board that went back to its earlier program must not be dark for it: the earlier program keeps a queue of its own
/// beside the other, and the newer one, when it is back, takes over what that one still holds.
public struct NewerQueue: Sendable, Hashable {
    public var path: String
    /// The format that it is laid out in.
    public var format: Int64
    /// A program must know this format to use it.
    public var needed: Int64
    /// What this program knows.
    public var known: Int64
    /// The queue that is used instead.
    public var instead: String
}

/// What became of a damaged queue file.
public struct DamageReport: Sendable, Hashable {
    /// What SQLite found.
    public var reason: String
    /// Where the damaged file lies now.
    public var movedTo: String
    /// Messages that could still be read and were taken over.
    public var salvaged: Int
}
