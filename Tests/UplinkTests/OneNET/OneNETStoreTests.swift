import MQTT
import MQTTWire
import NIOCore
import Pipeline
import Synchronization
import TestSupport
import Testing
import Units

@testable import Uplink

/// The store alone, with a client that the test plays.
@Suite(.timeLimit(.minutes(1))) struct OneNETStoreTests {
    /// A store whose disk fails when it is told to.
    final class FailingStore: SessionStore {
        struct Failure: Error {}
        let memory = MemoryStore()
        let fails = Mutex(false)
        let discarded = Mutex<[MessageID]>([])

        private func check() throws { if fails.withLock({ $0 }) { throw Failure() } }

        var outlivesProcess: Bool { false }
        func session() -> StoredSession? { nil }
        func beginSession(_ name: Int64) {}
        func note(_ steps: ExchangeSteps) {}
        func connectionBegan() { memory.connectionBegan() }
        func append(_ messages: [Message]) throws -> [MessageID] { try memory.append(messages) }
        func next(maximumCount: Int, maximumBytes: Int, maximumBacklog: Int) throws -> [StoredMessage] {
            try check()
            return memory.next(
                maximumCount: maximumCount, maximumBytes: maximumBytes, maximumBacklog: maximumBacklog)
        }
        func acknowledge(_ ids: [MessageID]) throws {
            try check()
            memory.acknowledge(ids)
        }
        func discard(_ ids: [MessageID], because reason: DiscardReason) throws {
            try check()
            discarded.withLock { $0 += ids }
            memory.discard(ids, because: reason)
        }
        func pendingCount() -> Int { memory.pendingCount() }
        func rewind() { memory.rewind() }
    }

    private let inner = FailingStore()
    private let rings = Bell()

    final class Bell: Sendable {
        private let count = Mutex(0)
        func ring() { count.withLock { $0 += 1 } }
        var value: Int { count.withLock { $0 } }
    }

    private func store(posts: Int) async throws -> OneNETStore {
        let store = OneNETStore(
            inner,
            settings: oneNET {
                $0.window = 3
                $0.retry = .milliseconds(100)
                $0.answerWithin = .seconds(600)
            })
        await store.whenChanged { [rings] in rings.ring() }
        try await store.connectionBegan()
        let profile = OneNETProfile(oneNET())
        for number in 0..<posts {
            let report = Report.readings([reading("t", Double(number))])
            _ = try await store.append(try profile.messages(for: report, sequence: Int64(number) + 1))
        }
        return store
    }

    private func next(_ store: OneNETStore, _ count: Int = 9) async throws -> [StoredMessage] {
        try await store.next(maximumCount: count, maximumBytes: 1 << 20, maximumBacklog: .max)
    }

    @Test func theWindowBoundsWhatIsGivenOut() async throws {
        let store = try await store(posts: 5)
        let first = try await next(store)
        #expect(first.count == 3)
        #expect(try await next(store).isEmpty)
        try await store.acknowledge(first.map(\.id))
        #expect(try await next(store).isEmpty)
        #expect(inner.pendingCount() == 5)
        let rung = rings.value
        await store.answered(OneNETAnswer(id: "2", code: 200))
        #expect(rings.value > rung)
        #expect(inner.pendingCount() == 4)
        #expect(try await next(store).count == 1)
    }

    @Test func whatIsNoPostIsForgottenOnceTheBrokerHasIt() async throws {
        let store = try await store(posts: 0)
        let message = Message(
            topic: try TopicName("$sys/123456/bin-01/cmd/response/1"), payload: ByteBuffer(string: "{}"))
        _ = try await store.append([message])
        let given = try await next(store)
        #expect(given.map(\.message) == [message])
        try await store.acknowledge(given.map(\.id))
        #expect(inner.pendingCount() == 0)
    }

    @Test func aRefusalForGoodIsADiscard() async throws {
        let store = try await store(posts: 1)
        let given = try await next(store)
        await store.answered(OneNETAnswer(id: "1", code: 2409, message: "required value:identifier:t"))
        #expect(inner.discarded.withLock { $0 } == given.map(\.id))
        #expect(inner.pendingCount() == 0)
    }

    /// A disk that fails while the platform has the post: it is asked again, and the answer counts then.
    @Test(arguments: [200, 98]) func whatTheStoreCannotForgetIsPostedAgain(code: Int) async throws {
        let store = try await store(posts: 1)
        let given = try await next(store)
        try await store.acknowledge(given.map(\.id))
        inner.fails.withLock { $0 = true }
        await store.answered(OneNETAnswer(id: "1", code: code))
        #expect(inner.pendingCount() == 1)
        let rung = rings.value
        try await eventually("the bell") { rings.value > rung }
        #expect(try await next(store).map(\.id) == given.map(\.id), "although the store below gives nothing out")
        inner.fails.withLock { $0 = false }
        await store.answered(OneNETAnswer(id: "1", code: code))
        #expect(inner.pendingCount() == 0)
    }

    @Test func aStoreThatGivesNothingOutIsHeardOf() async throws {
        let store = try await store(posts: 1)
        inner.fails.withLock { $0 = true }
        await #expect(throws: FailingStore.Failure.self) { try await next(store) }
    }

    @Test func afterARewindEverythingIsGivenOutAgain() async throws {
        let store = try await store(posts: 3)
        let given = try await next(store)
        try await store.rewind()
        // An acknowledgement of before says nothing about the platform.
        try await store.acknowledge(given.map(\.id))
        #expect(inner.pendingCount() == 3)
        #expect(try await next(store).map(\.id) == given.map(\.id))
    }

    @Test func whatTheClientGivesUpIsGone() async throws {
        let store = try await store(posts: 1)
        let given = try await next(store)
        try await store.discard(given.map(\.id), because: .tooLarge)
        #expect(await store.unanswered == 0)
        #expect(inner.pendingCount() == 0)
    }
}
