internal import DequeModule
internal import MQTTWire
internal import NIOCore

/// A ``SessionStore`` that forgets with its process, for programs that may; bounded.
public actor MemoryStore: SessionStore {
    /// The store holds as much as it may: nothing of the batch was taken.
    public struct Full: Error, Sendable, CustomStringConvertible {
        public var limit: Int
        public var description: String { "the memory store holds \(limit) messages already" }
    }

    private struct Rank: Sendable {
        var messages: Deque<StoredMessage> = []
        /// How many at the front of `messages` were given out.
        var given = 0
    }

    public nonisolated var outlivesProcess: Bool { false }

    private let maximumCount: Int
    private var ranks = [Rank](repeating: Rank(), count: Priority.allCases.count)
    private var lastSequence: Int64 = 0
    private var count = 0

    /// - Parameter maximumCount: how many messages may wait, at least 1.
    public init(maximumCount: Int = 10_000) { self.maximumCount = max(maximumCount, 1) }

    public func append(_ messages: [Message]) throws -> [MessageID] {
        guard count + messages.count <= maximumCount else { throw Full(limit: maximumCount) }
        count += messages.count
        return messages.map { message in
            lastSequence += 1
            let rank = Self.rank(of: message.priority)
            let id = MessageID(rawValue: Int64(rank) << 48 | lastSequence)
            ranks[rank].messages.append(StoredMessage(id: id, message: message))
            return id
        }
    }

    public func next(maximumCount: Int, maximumBytes: Int) -> [StoredMessage] {
        var batch: [StoredMessage] = []
        var bytes = 0
        for rank in ranks.indices {
            while ranks[rank].given < ranks[rank].messages.count {
                if !batch.isEmpty, batch.count >= maximumCount || bytes >= maximumBytes { return batch }
                let next = ranks[rank].messages[ranks[rank].given]
                ranks[rank].given += 1
                bytes += next.message.topic.string.utf8.count + next.message.payload.readableBytes
                batch.append(next)
            }
        }
        return batch
    }

    public func acknowledge(_ ids: [MessageID]) { ids.forEach(remove) }

    public func discard(_ ids: [MessageID], because reason: DiscardReason) { ids.forEach(remove) }

    public func session() -> Int64? { nil }
    public func beginSession(_ name: Int64) {}
    public func release(_ ids: [MessageID]) {}

    public func rewind() {
        for rank in ranks.indices { ranks[rank].given = 0 }
    }

    private func remove(_ id: MessageID) {
        let rank = Int(id.rawValue >> 48)
        guard ranks.indices.contains(rank) else { return }
        // Acknowledgements come nearly in order: the one looked for is among the first.
        guard let index = ranks[rank].messages.firstIndex(where: { $0.id == id }) else { return }
        ranks[rank].messages.remove(at: index)
        if index < ranks[rank].given { ranks[rank].given -= 1 }
        count -= 1
    }

    /// Ascending ranks are sent first.
    private static func rank(of priority: Priority) -> Int { Int(Priority.urgent.rawValue - priority.rawValue) }
}
