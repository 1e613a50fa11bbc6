internal import MQTT
internal import MQTTWire
internal import Synchronization
internal import Uplink

/// A queue of which is noted what it gives out, to know the broker's echoes of it.
final class EchoStore: SessionStore {
    private let store: any SessionStore
    /// What we subscribe to.
    private let filters: [TopicFilter]
    /// What becomes of a backlog's payloads on their way.
    private let mark: BacklogMark
    private let table = Mutex(EchoTable())

    init(_ store: any SessionStore, filters: [TopicFilter], mark: BacklogMark) {
        self.store = store
        self.filters = filters
        self.mark = mark
    }

    /// Whether this is a message of ours that comes back; that it will do so once.
    func takeEcho(_ message: ReceivedMessage) -> Bool {
        table.withLock { $0.takeEcho(message.topic, message.payload, at: .now) }
    }

    func next(maximumCount: Int, maximumBytes: Int, maximumBacklog: Int) async throws -> [StoredMessage] {
        let batch = try await store.next(
            maximumCount: maximumCount, maximumBytes: maximumBytes, maximumBacklog: maximumBacklog)
        table.withLock { table in
            for stored in batch where filters.contains(where: { $0.matches(stored.message.topic) }) {
                var message = stored.message
                if stored.isBacklog { mark.apply(to: &message) }
                table.willSend(stored.id, message.topic, message.payload)
            }
        }
        return batch
    }

    func acknowledge(_ ids: [MessageID]) async throws {
        table.withLock { $0.acknowledged(ids, at: .now) }
        try await store.acknowledge(ids)
    }

    func discard(_ ids: [MessageID], because reason: DiscardReason) async throws {
        table.withLock { table in ids.forEach { table.forget($0) } }
        try await store.discard(ids, because: reason)
    }

    // The rest as it is.
    var outlivesProcess: Bool { store.outlivesProcess }
    func session() async throws -> StoredSession? { try await store.session() }
    func beginSession(_ name: Int64) async throws { try await store.beginSession(name) }
    func note(_ steps: ExchangeSteps) async throws { try await store.note(steps) }
    func connectionBegan() async throws { try await store.connectionBegan() }
    func append(_ messages: [Message]) async throws -> [MessageID] { try await store.append(messages) }
    func pendingCount() async throws -> Int { try await store.pendingCount() }
    func rewind() async throws { try await store.rewind() }
}
