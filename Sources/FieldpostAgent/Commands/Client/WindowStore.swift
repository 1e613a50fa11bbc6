internal import MQTT
internal import MQTTWire
internal import NIOCore

/// A store in memory with back-pressure: appending waits while too much is under way.
actor WindowStore: SessionStore {
    nonisolated var outlivesProcess: Bool { false }
    func session() -> StoredSession? { nil }
    func beginSession(_ name: Int64) {}
    func note(_ steps: ExchangeSteps) {}
    func connectionBegan() { memory.connectionBegan() }

    private let maximumCount: Int
    private let maximumBytes: Int
    /// One batch may go beyond the bound.
    private let memory = MemoryStore(maximumCount: .max)
    /// Of those that were given out; one that was not cannot be acknowledged.
    private var sizes: [MessageID: Int] = [:]
    private var bytes = 0
    private let bell = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))

    /// Accepted, and neither acknowledged nor given up.
    private(set) var pending = 0
    private(set) var accepted = 0
    private(set) var discarded: [DiscardReason: Int] = [:]

    init(maximumCount: Int = 1000, maximumBytes: Int = 1 << 22) {
        self.maximumCount = maximumCount
        self.maximumBytes = maximumBytes
    }

    /// For one caller at a time.
    func append(_ messages: [Message]) async throws -> [MessageID] {
        try await wait { pending < maximumCount && bytes < maximumBytes }
        pending += messages.count
        accepted += messages.count
        bytes += messages.reduce(0) { $0 + Self.size($1) }
        return try memory.append(messages)
    }

    /// Waits until every message is acknowledged or given up.
    func drain() async throws {
        try await wait { pending == 0 }
    }

    func next(maximumCount: Int, maximumBytes: Int, maximumBacklog: Int) -> [StoredMessage] {
        let batch = memory.next(
            maximumCount: maximumCount, maximumBytes: maximumBytes, maximumBacklog: maximumBacklog)
        for message in batch { sizes[message.id] = Self.size(message.message) }
        return batch
    }

    func acknowledge(_ ids: [MessageID]) {
        memory.acknowledge(ids)
        forget(ids)
    }

    func discard(_ ids: [MessageID], because reason: DiscardReason) {
        memory.discard(ids, because: reason)
        discarded[reason, default: 0] += ids.count
        forget(ids)
    }

    func pendingCount() -> Int { pending }

    func rewind() { memory.rewind() }

    private func forget(_ ids: [MessageID]) {
        for id in ids {
            guard let size = sizes.removeValue(forKey: id) else { continue }
            pending -= 1
            bytes -= size
        }
        bell.continuation.yield()
    }

    private func wait(until condition: () -> Bool) async throws {
        var rings = bell.stream.makeAsyncIterator()
        while !condition() {
            await rings.next(isolation: self)
            try Task.checkCancellation()
        }
    }

    private static func size(_ message: Message) -> Int {
        message.topic.string.utf8.count + message.payload.readableBytes
    }
}
