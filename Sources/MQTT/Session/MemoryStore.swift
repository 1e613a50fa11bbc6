internal import DequeModule
internal import MQTTWire
internal import NIOCore
internal import Synchronization

/// A store that answers at once, so that nobody has to leave the event loop for it.
protocol ImmediateStore: SessionStore {
    func connectionBegan()
    func next(maximumCount: Int, maximumBytes: Int, maximumBacklog: Int) -> [StoredMessage]
    func acknowledge(_ ids: [MessageID])
    func discard(_ ids: [MessageID], because reason: DiscardReason)
}

/// A ``SessionStore`` that forgets with its process, for programs that may; bounded.
public final class MemoryStore: SessionStore, ImmediateStore {
    /// The store holds as much as it may: nothing of the batch was taken.
    public struct Full: Error, Sendable, CustomStringConvertible {
        public var limit: Int
        public var description: String { "the memory store holds \(limit) messages already" }
    }

    fileprivate struct Rank: Sendable {
        var messages: Deque<StoredMessage> = []
        /// How many at the front of `messages` were given out.
        var given = 0
    }

    fileprivate struct Contents: Sendable {
        var ranks = [Rank](repeating: Rank(), count: Priority.allCases.count)
        var lastSequence: Int64 = 0
        /// Up to here everything is backlog.
        var lastOfBacklog: Int64 = 0
        var count = 0
        /// Of the messages that have one.
        var deadlines: [MessageID: ContinuousClock.Instant] = [:]
        var expired = 0
    }

    public var outlivesProcess: Bool { false }

    private let maximumCount: Int
    private let contents = Mutex(Contents())

    /// - Parameter maximumCount: how many messages may wait, at least 1.
    public init(maximumCount: Int = 10_000) { self.maximumCount = max(maximumCount, 1) }

    public func append(_ messages: [Message]) throws -> [MessageID] {
        try contents.withLock { contents in
            if messages.count > maximumCount - contents.count { contents.sweep(at: .now) }
            guard messages.count <= maximumCount - contents.count else { throw Full(limit: maximumCount) }
            contents.count += messages.count
            return messages.map { message in
                contents.lastSequence += 1
                let rank = Self.rank(of: message.priority)
                let id = MessageID(rawValue: Int64(rank) << 48 | contents.lastSequence)
                contents.ranks[rank].messages.append(StoredMessage(id: id, message: message))
                if let expiry = message.expiry { contents.deadlines[id] = .now + expiry }
                return id
            }
        }
    }

    public func next(maximumCount: Int, maximumBytes: Int, maximumBacklog: Int = .max) -> [StoredMessage] {
        contents.withLock { contents in
            var batch: [StoredMessage] = []
            var bytes = 0
            var backlog = 0
            for rank in contents.ranks.indices {
                while contents.ranks[rank].given < contents.ranks[rank].messages.count {
                    if !batch.isEmpty, batch.count >= maximumCount || bytes >= maximumBytes { return batch }
                    var next = contents.ranks[rank].messages[contents.ranks[rank].given]
                    if let deadline = contents.deadlines[next.id] {
                        let remaining = ContinuousClock.now.duration(to: deadline)
                        guard remaining > .zero else {
                            contents.remove(next.id)
                            contents.expired += 1
                            continue
                        }
                        next.message.expiry = remaining
                    }
                    next.isBacklog = next.id.sequence <= contents.lastOfBacklog
                    if next.isBacklog, next.message.priority.isPaced {
                        guard backlog < maximumBacklog else { break }
                        backlog += 1
                    }
                    contents.ranks[rank].given += 1
                    bytes += next.message.topic.string.utf8.count + next.message.payload.readableBytes
                    batch.append(next)
                }
            }
            return batch
        }
    }

    public func acknowledge(_ ids: [MessageID]) {
        contents.withLock { contents in
            for id in ids { contents.remove(id) }
        }
    }

    public func discard(_ ids: [MessageID], because reason: DiscardReason) { acknowledge(ids) }

    public func pendingCount() -> Int { contents.withLock { $0.count } }

    public func connectionBegan() { contents.withLock { $0.lastOfBacklog = $0.lastSequence } }

    public func session() -> StoredSession? { nil }
    public func beginSession(_ name: Int64) {}
    public func note(_ steps: ExchangeSteps) {}

    public func rewind() {
        contents.withLock { contents in
            for rank in contents.ranks.indices { contents.ranks[rank].given = 0 }
        }
    }

    /// Ascending ranks are sent first.
    private static func rank(of priority: Priority) -> Int { Int(Priority.urgent.rawValue - priority.rawValue) }

    /// Messages that were dropped because their expiry had passed.
    public var expiredCount: Int { contents.withLock { $0.expired } }
}

extension MemoryStore.Contents {
    fileprivate mutating func remove(_ id: MessageID) {
        let rank = Int(id.rawValue >> 48)
        guard ranks.indices.contains(rank) else { return }
        // Acknowledgements come nearly in order: the one looked for is among the first.
        guard let index = ranks[rank].messages.firstIndex(where: { $0.id == id }) else { return }
        if index == 0 { ranks[rank].messages.removeFirst() } else { ranks[rank].messages.remove(at: index) }
        if index < ranks[rank].given { ranks[rank].given -= 1 }
        count -= 1
        if !deadlines.isEmpty { deadlines[id] = nil }
    }

    /// What was not given out and has expired makes room.
    fileprivate mutating func sweep(at now: ContinuousClock.Instant) {
        for (id, _) in deadlines.filter({ $0.value <= now }) {
            let rank = Int(id.rawValue >> 48)
            guard let index = ranks[rank].messages.firstIndex(where: { $0.id == id }), index >= ranks[rank].given
            else { continue }
            remove(id)
            expired += 1
        }
    }
}
