internal import DequeModule
internal import MQTTWire
internal import NIOCore

/// The server's side of one session (5.0 §4.1, §4.3, §4.4, §4.9) as a value: the messages that wait for a client or are on
/// their way to it, and the identifiers of those that come from it. It knows no connection, clock or store.
struct ServerSession: Sendable {
    /// A message in the queue, or on its way.
    struct Entry: Sendable {
        enum Stage: Sendable {
            /// Not sent to anybody yet.
            case fresh
            /// As `fresh`, but an earlier process may have sent it, with QoS 1.
            case doubtful
            /// An earlier connection, or an earlier process, may have sent it.
            case sent
            /// The client has it (PUBREC): PUBREL is to be, or was, sent.
            case released
        }

        let message: RoutedMessage
        /// Rises with each message, and gives the packet identifier: a later process repeats a message under the one it
        /// had, without having been told.
        let sequence: Int64
        let qos: QoS
        let retain: Bool
        let identifiers: [UInt32]
        /// The message's number in the store; 0: it is not stored.
        fileprivate(set) var stored: Int64
        var stage = Stage.fresh
        /// The store has it as ``StoredEntry/isUnsent``.
        var isUnsent = false

        /// Nobody waits for it to be completed.
        var mayBeDropped: Bool { stage == .fresh || stage == .doubtful }
        /// It may have been sent before ([MQTT-3.3.1-1]).
        var isDuplicate: Bool { stage != .fresh && qos > .atMostOnce }

        var packetIdentifier: PacketIdentifier { Self.packetIdentifier(of: sequence) }

        static func packetIdentifier(of sequence: Int64) -> PacketIdentifier {
            PacketIdentifier(rawValue: UInt16(1 + max(sequence, 0) % identifiers)) ?? .first
        }

        static let identifiers: Int64 = 65_535
    }

    /// A retained message that is to be given out.
    struct Offered: Sendable {
        let entry: RetainedMessages.Entry
        let qos: QoS
        let identifier: UInt32?
        /// Nil where a later process need not know.
        var offer: OfferID?
        /// No other one of its offer that a later process need know comes behind it.
        var isLast = false
    }

    /// Tells the answers to two subscriptions with one filter apart.
    final class OfferID: Sendable {
        let filter: TopicFilter

        init(_ filter: TopicFilter) { self.filter = filter }
    }

    struct Offer: Sendable {
        let id: OfferID
        var record: StoredOffer
        /// The store knows of it.
        var isNoted = false
    }

    let id: SessionID
    let clientIdentifier: String
    /// Of the present connection, or of the last one.
    var version: ProtocolVersion
    var username: String?
    /// Seconds; 0: the session ends with its connection, `UInt32.max`: never.
    var expiryInterval: UInt32
    /// When it ends unless its client comes back.
    var deadline: NIODeadline?
    /// The connection's place in the broker's table.
    var connection: Int?
    /// It outlives its connection, and so the process.
    var isStored: Bool
    var subscriptions: [TopicFilter: StoredSubscription] = [:]
    var policy: (any ClientPolicy)?
    var will: WaitingWill?

    private(set) var queue: Deque<Entry> = []
    private(set) var inFlight: [PacketIdentifier: Entry] = [:]
    /// QoS 0 messages that wait for the socket.
    private(set) var passing: Deque<Entry> = []
    /// Retained messages that are still to be given out for a subscription.
    var retainedBacklog: Deque<Offered> = []
    /// By filter, of a session that is stored: what is to be known of it by a later process.
    var offers: [TopicFilter: Offer] = [:]
    /// Of `queue`, `inFlight` and `passing`.
    private(set) var bytes = 0
    private(set) var nextSequence: Int64 = 0
    /// When the first of those that are queued expires, or sooner; nil: none does.
    private var nextExpiry: NIODeadline?
    /// Incoming QoS 2 messages whose PUBREL has not come.
    var received: Set<PacketIdentifier> = []

    init(
        id: SessionID, clientIdentifier: String, version: ProtocolVersion, username: String?, expiryInterval: UInt32
    ) {
        self.id = id
        self.clientIdentifier = clientIdentifier
        self.version = version
        self.username = username
        self.expiryInterval = expiryInterval
        isStored = expiryInterval > 0
    }

    /// What stands at a place that is free.
    static let unused = ServerSession(
        id: 0, clientIdentifier: "", version: .v5, username: nil, expiryInterval: 0)

    /// Real sessions count from 1.
    var isInUse: Bool { id > 0 }

    var record: StoredSession {
        StoredSession(
            id: id, clientIdentifier: clientIdentifier, username: username, version: version,
            expiryInterval: expiryInterval, deadline: deadline)
    }

    // MARK: Messages to the client

    /// Waiting for a place among those on their way.
    var queued: Int { queue.count }
    var hasPassing: Bool { !passing.isEmpty }
    var waiting: Int { queue.count + passing.count }
    /// Everything that has not been delivered.
    var pending: Int { queue.count + inFlight.count + passing.count }

    /// Puts a message at the end of the queue.
    @discardableResult
    mutating func append(
        _ message: RoutedMessage, qos: QoS, retain: Bool, identifiers: [UInt32], stored: Int64
    ) -> Entry {
        skipTakenIdentifiers()
        let entry = Entry(
            message: message, sequence: nextSequence, qos: qos, retain: retain, identifiers: identifiers,
            stored: stored, isUnsent: stored > 0 && qos == .exactlyOnce)
        nextSequence += 1
        bytes += message.size
        queue.append(entry)
        mind(message.deadline)
        return entry
    }

    /// A message that its client never acknowledges keeps its identifier, and nobody else is to wait for that.
    private mutating func skipTakenIdentifiers() {
        // Else all may be taken; then the last ones wait until their turn comes.
        guard pending < Entry.identifiers else { return }
        while inFlight[Entry.packetIdentifier(of: nextSequence)] != nil || isQueuedIdentifier(of: nextSequence) {
            nextSequence += 1
        }
    }

    private func isQueuedIdentifier(of sequence: Int64) -> Bool {
        guard let first = queue.first?.sequence else { return false }
        var other = sequence - Entry.identifiers
        while other >= first {
            // The queue is in the order of its numbers.
            var (low, high) = (queue.startIndex, queue.endIndex)
            while low < high {
                let middle = (low + high) / 2
                if queue[middle].sequence < other { low = middle + 1 } else { high = middle }
            }
            if low < queue.endIndex, queue[low].sequence == other { return true }
            other -= Entry.identifiers
        }
        return false
    }

    private mutating func mind(_ deadline: NIODeadline?) {
        guard let deadline else { return }
        nextExpiry = min(nextExpiry ?? deadline, deadline)
    }

    /// A QoS 0 message that the socket cannot take yet.
    mutating func appendPassing(_ message: RoutedMessage, retain: Bool, identifiers: [UInt32]) {
        bytes += message.size
        passing.append(
            Entry(
                message: message, sequence: -1, qos: .atMostOnce, retain: retain, identifiers: identifiers, stored: 0))
    }

    mutating func popPassing() -> Entry? {
        guard let entry = passing.popFirst() else { return nil }
        bytes -= entry.message.size
        return entry
    }

    /// Makes room by letting the oldest go that was never sent.
    mutating func evictOldest() -> Entry? {
        guard let index = queue.firstIndex(where: \.mayBeDropped) else { return nil }
        let entry = queue.remove(at: index)
        bytes -= entry.message.size
        return entry
    }

    /// Lets go of all queued messages, not of those on their way, that are of no use any more.
    private mutating func evict(where isUseless: (Entry) -> Bool) -> [Entry] {
        var evicted: [Entry] = []
        queue.removeAll {
            guard $0.mayBeDropped, isUseless($0) else { return false }
            evicted.append($0)
            return true
        }
        for entry in evicted { bytes -= entry.message.size }
        return evicted
    }

    /// Lets go of all queued messages that the client may not see any more, be they sent before or not. What it already
    /// has acknowledged the receipt of is completed.
    mutating func evict(forbidden isForbidden: (TopicName) -> Bool) -> [Entry] {
        var evicted: [Entry] = []
        queue.removeAll {
            guard $0.stage != .released, isForbidden($0.message.message.topic) else { return false }
            evicted.append($0)
            return true
        }
        for entry in evicted { bytes -= entry.message.size }
        return evicted
    }

    /// Does not look at all of them when none can have expired.
    mutating func evictExpired(at now: NIODeadline) -> [Entry] {
        guard let next = nextExpiry, next <= now else { return [] }
        let expired = evict { $0.message.isExpired(at: now) }
        nextExpiry = nil
        for entry in queue where entry.mayBeDropped { mind(entry.message.deadline) }
        return expired
    }

    /// What is to be sent next, or nil when there is nothing or the window is full. It counts as on its way from now on,
    /// unless it is QoS 0.
    ///
    /// - Parameter window: how many may be on their way.
    mutating func next(window: Int) -> Entry? {
        guard let first = queue.first else { return nil }
        guard first.qos > .atMostOnce else {
            bytes -= first.message.size
            return queue.popFirst()
        }
        // An identifier can only be taken where more wait than there are.
        let identifier = first.packetIdentifier
        guard inFlight.count < window, inFlight[identifier] == nil else { return nil }
        inFlight[identifier] = queue.removeFirst()
        inFlight[identifier]?.isUnsent = false
        return first
    }

    enum Answer {
        /// It is done; the entry is out of the session.
        case done(Entry)
        /// The client has a QoS 2 message: send PUBREL.
        case release(Entry)
        /// As `release`, and it was known already.
        case releaseAgain
        /// No such message is on its way.
        case unknown
        /// The message is at another step, or of another QoS: no client that follows the protocol answers so (5.0 §4.3).
        case unexpected
    }

    /// PUBACK came.
    mutating func acknowledged(_ identifier: PacketIdentifier) -> Answer {
        guard let entry = inFlight[identifier] else { return .unknown }
        guard entry.qos == .atLeastOnce else { return .unexpected }
        return .done(finish(identifier, entry))
    }

    /// PUBREC came.
    mutating func recorded(_ identifier: PacketIdentifier, isError: Bool) -> Answer {
        guard var entry = inFlight[identifier] else { return .unknown }
        guard entry.qos == .exactlyOnce else { return .unexpected }
        if entry.stage == .released { return .releaseAgain }
        if isError { return .done(finish(identifier, entry)) }
        entry.stage = .released
        inFlight[identifier] = entry
        return .release(entry)
    }

    /// PUBCOMP came.
    mutating func completed(_ identifier: PacketIdentifier) -> Answer {
        guard let entry = inFlight[identifier] else { return .unknown }
        guard entry.stage == .released else { return .unexpected }
        return .done(finish(identifier, entry))
    }

    private mutating func finish(_ identifier: PacketIdentifier, _ entry: Entry) -> Entry {
        inFlight[identifier] = nil
        bytes -= entry.message.size
        return entry
    }

    /// A message that is on its way turned out not to be deliverable.
    mutating func withdraw(_ entry: Entry) {
        guard entry.qos > .atMostOnce, inFlight.removeValue(forKey: entry.packetIdentifier) != nil else { return }
        bytes -= entry.message.size
    }

    // MARK: The connection

    /// The connection is gone: what was on its way goes back to the front, to be repeated in the order of old
    /// ([MQTT-4.4.0-1], [MQTT-4.6.0-1]). Retained messages that were not given out yet wait as well.
    ///
    /// - Returns: QoS 0 messages that are lost with it.
    mutating func connectionLost() -> [Entry] {
        connection = nil
        let repeated = inFlight.values.sorted { $0.sequence < $1.sequence }.map { entry in
            var entry = entry
            if entry.mayBeDropped { entry.stage = .sent }
            return entry
        }
        inFlight = [:]
        queue.prepend(contentsOf: repeated)
        let lost = Array(passing)
        for entry in lost { bytes -= entry.message.size }
        passing = []
        retainedBacklog.removeAll { $0.qos == .atMostOnce }
        return lost
    }

    /// Takes over what an earlier process has left.
    ///
    /// - Parameter window: how many may have been on their way. That bounds those with QoS 2 of which it is not known
    ///   whether they were sent, since they go out once all is on disk that made room for them; any with QoS 1 may have been
    ///   sent, and nobody waits for it to be completed.
    mutating func restore(_ entries: [Entry], nextSequence: Int64, window: Int) {
        queue = Deque(entries)
        for index in queue.indices where queue[index].stage == .fresh && queue[index].qos > .atMostOnce {
            if queue[index].qos == .atLeastOnce {
                queue[index].stage = .doubtful
            } else if index < window, !queue[index].isUnsent {
                queue[index].stage = .sent
            }
        }
        for entry in queue where entry.mayBeDropped { mind(entry.message.deadline) }
        bytes = entries.reduce(0) { $0 + $1.message.size }
        self.nextSequence = nextSequence
    }

    /// The store has been told to forget the session, which goes on in memory.
    mutating func forgetStored() {
        for index in queue.indices { (queue[index].stored, queue[index].isUnsent) = (0, false) }
        for identifier in inFlight.keys { inFlight[identifier]?.stored = 0 }
        offers = [:]
        isStored = false
    }

    /// All messages, in the order of sending; for a session that ends.
    var entries: [Entry] { inFlight.values.sorted { $0.sequence < $1.sequence } + queue + passing }
}
