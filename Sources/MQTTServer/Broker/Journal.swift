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

    private var changes: [Change?] = []
    private var queued: [Key: Int] = [:]
    private var bodies: [Int64: Int] = [:]
    private var retained: [TopicName: Int] = [:]
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

    mutating func append(_ change: Change) {
        switch change {
        case .message(let message):
            bodies[message.id] = changes.endIndex
            bytes += message.message.payload.readableBytes
        case .queued(let session, let entry):
            references[entry.message, default: 0] += 1
            queued[Key(session: session, sequence: entry.sequence)] = changes.endIndex
        case .retained(let topic, let message):
            references[message, default: 0] += 1
            forget(topic)
            retained[topic] = changes.endIndex
        case .retainedRemoved(let topic):
            forget(topic)
        default: break
        }
        changes.append(change)
        count += 1
        bytes += 64
    }

    /// A queue entry is done with.
    mutating func dequeue(_ session: SessionID, _ entry: ServerSession.Entry) {
        guard entry.stored > 0 else { return }
        if let index = queued.removeValue(forKey: Key(session: session, sequence: entry.sequence)) {
            changes[index] = nil
            count -= 1
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
            changes[index] = nil
            count -= 1
        } else {
            append(.messageDeleted(message))
        }
    }

    private mutating func forget(_ topic: TopicName) {
        guard let index = retained.removeValue(forKey: topic) else { return }
        changes[index] = nil
        count -= 1
    }

    /// A session is about to be deleted with all its entries.
    mutating func forget(_ session: SessionID, _ entries: [ServerSession.Entry]) {
        for entry in entries where entry.stored > 0 {
            if let index = queued.removeValue(forKey: Key(session: session, sequence: entry.sequence)) {
                changes[index] = nil
                count -= 1
            }
            release(entry.stored)
        }
    }

    /// The batch, and begins the next.
    mutating func takeBatch() -> (number: Int, changes: [Change]) {
        defer {
            changes.removeAll()
            queued.removeAll(keepingCapacity: true)
            bodies.removeAll(keepingCapacity: true)
            retained.removeAll(keepingCapacity: true)
            count = 0
            bytes = 0
            batch += 1
        }
        return (batch, changes.compactMap { $0 })
    }
}
