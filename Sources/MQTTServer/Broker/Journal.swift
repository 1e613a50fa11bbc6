internal import MQTTWire
internal import NIOCore

/// The changes that wait for the store's next batch.
///
/// A message that was queued and acknowledged before its batch began leaves no trace: with clients that are quick, most
/// never touch the disk.
struct Journal: Sendable {
    private struct Key: Hashable {
        var session: SessionID
        var sequence: Int64
    }

    private struct OfferKey: Hashable {
        var session: SessionID
        var filter: TopicFilter
    }

    private var changes: [Change?] = []
    private var queued: [Key: Int] = [:]
    private var bodies: [Int64: Int] = [:]
    private var retained: [TopicName: Int] = [:]
    private var offers: [OfferKey: Int] = [:]
    /// Stored messages that nothing refers to any more. They go last: what referred to them may yet be replaced.
    private var deleted: [Int64] = []
    /// How many queue entries and retained messages refer to a stored message.
    private var references: [Int64: Int] = [:]
    /// The number of the batch that the next changes belong to; rises by one with each.
    private(set) var batch = 1
    private(set) var bytes = 0
    private var lastMessage: Int64 = 0
    private var count = 0

    /// The batch that has to be on disk before somebody is told of what was done so far.
    var needed: Int { count == 0 ? batch - 1 : batch }
    var isEmpty: Bool { count == 0 }

    mutating func restore(nextMessage: Int64, references: [Int64: Int]) {
        lastMessage = max(nextMessage - 1, lastMessage)
        self.references = references
    }

    /// A number for a message that is about to be stored.
    mutating func nextMessage() -> Int64 {
        lastMessage += 1
        return lastMessage
    }

    var nextMessageID: Int64 { lastMessage + 1 }

    /// One more refers to a stored message; ``release(_:)`` takes it back.
    mutating func hold(_ message: Int64) { references[message, default: 0] += 1 }

    mutating func append(_ change: Change) {
        bytes += Self.weight(of: change)
        switch change {
        case .message(let message): bodies[message.id] = changes.endIndex
        case .queued(let session, let entry):
            hold(entry.message)
            queued[Key(session: session, sequence: entry.sequence)] = changes.endIndex
        case .retained(let topic, let message):
            hold(message)
            forget(topic)
            retained[topic] = changes.endIndex
        case .retainedRemoved(let topic):
            forget(topic)
        case .offered(let session, let offer):
            forget(OfferKey(session: session, filter: offer.filter))
            offers[OfferKey(session: session, filter: offer.filter)] = changes.endIndex
        case .offerEnded(let session, let filter): forget(OfferKey(session: session, filter: filter))
        default: break
        }
        changes.append(change)
        count += 1
    }

    /// Bytes, roughly.
    private static func weight(of change: Change) -> Int {
        if case .message(let message) = change { 64 + message.message.payload.readableBytes } else { 64 }
    }

    /// Withdraws a change of this batch.
    private mutating func cancel(_ index: Int) {
        guard let change = changes[index] else { return }
        bytes -= Self.weight(of: change)
        changes[index] = nil
        count -= 1
        // While the store is slow, gaps must not fill the memory.
        if changes.count >= 1_024, count - deleted.count < changes.count / 2 { compact() }
    }

    private mutating func compact() {
        let all = changes
        changes = []
        changes.reserveCapacity(count - deleted.count)
        for case let change? in all {
            switch change {
            case .message(let message): bodies[message.id] = changes.endIndex
            case .queued(let session, let entry):
                queued[Key(session: session, sequence: entry.sequence)] = changes.endIndex
            case .retained(let topic, _): retained[topic] = changes.endIndex
            case .offered(let session, let offer):
                offers[OfferKey(session: session, filter: offer.filter)] = changes.endIndex
            default: break
            }
            changes.append(change)
        }
    }

    /// A queue entry that was unsent is about to be sent.
    mutating func sent(_ session: SessionID, sequence: Int64) {
        guard let index = queued[Key(session: session, sequence: sequence)],
            case .queued(_, var entry)? = changes[index]
        else { return append(.sent(session, sequence: sequence)) }
        entry.isUnsent = false
        changes[index] = .queued(session, entry)
    }

    /// A queue entry is done with.
    mutating func dequeue(_ session: SessionID, _ entry: ServerSession.Entry) {
        guard entry.stored > 0 else { return }
        if let index = queued.removeValue(forKey: Key(session: session, sequence: entry.sequence)) {
            cancel(index)
        } else {
            append(.dequeued(session, sequence: entry.sequence))
        }
        release(entry.stored)
    }

    /// A retained message has gone, by removal or by replacement, which were noted.
    mutating func release(_ message: Int64) {
        guard message > 0 else { return }
        let left = (references[message] ?? 1) - 1
        guard left <= 0 else {
            references[message] = left
            return
        }
        references[message] = nil
        if let index = bodies.removeValue(forKey: message) {
            cancel(index)
        } else {
            deleted.append(message)
            count += 1
            bytes += Self.weight(of: .messageDeleted(message))
        }
    }

    private mutating func forget(_ topic: TopicName) {
        guard let index = retained.removeValue(forKey: topic) else { return }
        cancel(index)
    }

    private mutating func forget(_ offer: OfferKey) {
        guard let index = offers.removeValue(forKey: offer) else { return }
        cancel(index)
    }

    /// A session was deleted with all its entries, which was noted.
    mutating func forget(_ session: SessionID, _ entries: [ServerSession.Entry]) {
        for entry in entries where entry.stored > 0 {
            if let index = queued.removeValue(forKey: Key(session: session, sequence: entry.sequence)) {
                cancel(index)
            }
            release(entry.stored)
        }
    }

    /// The batch, and begins the next.
    mutating func takeBatch() -> (number: Int, changes: [Change]) {
        defer {
            changes.removeAll()
            deleted.removeAll(keepingCapacity: true)
            queued.removeAll(keepingCapacity: true)
            bodies.removeAll(keepingCapacity: true)
            retained.removeAll(keepingCapacity: true)
            offers.removeAll(keepingCapacity: true)
            count = 0
            bytes = 0
            batch += 1
        }
        return (batch, changes.compactMap { $0 } + deleted.map { .messageDeleted($0) })
    }
}
