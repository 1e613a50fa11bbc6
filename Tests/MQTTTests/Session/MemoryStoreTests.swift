import MQTT
import MQTTWire
import NIOCore
import Testing

@Suite struct MemoryStoreTests {
    private func message(_ text: String, _ priority: Priority = .normal) throws -> Message {
        Message(topic: try TopicName("t"), payload: ByteBuffer(string: text), priority: priority)
    }

    private func next(_ store: MemoryStore, _ count: Int = 100, bytes: Int = 1 << 20) async -> [String] {
        await store.next(maximumCount: count, maximumBytes: bytes).map { String(buffer: $0.message.payload) }
    }

    @Test func D4_higherPrioritiesGoFirstAndInsideOneTheOldest() async throws {
        let store = MemoryStore()
        _ = try await store.append([try message("1"), try message("low", .low), try message("2")])
        _ = try await store.append([try message("high", .high), try message("3"), try message("urgent", .urgent)])
        #expect(await next(store, 2) == ["urgent", "high"])
        _ = try await store.append([try message("urgent 2", .urgent)])
        #expect(await next(store) == ["urgent 2", "1", "2", "3", "low"])
        #expect(await next(store).isEmpty)
    }

    @Test func aBatchEndsWithItsBytesButIsNeverEmpty() async throws {
        let store = MemoryStore()
        _ = try await store.append(["12345678", "2", "3"].map { try message($0) })
        #expect(await next(store, bytes: 1) == ["12345678"])
        #expect(await next(store, bytes: 4) == ["2", "3"])
    }

    @Test func whatWasAcknowledgedIsNotGivenOutAfterRewinding() async throws {
        let store = MemoryStore()
        let ids = try await store.append(["1", "2", "3", "4"].map { try message($0) })
        #expect(await next(store, 3) == ["1", "2", "3"])
        await store.acknowledge([ids[1], MessageID(rawValue: -1), MessageID(rawValue: 1 << 60)])
        await store.discard([ids[0]], because: .refused)
        #expect(await next(store) == ["4"])
        await store.rewind()
        #expect(await next(store) == ["3", "4"])
    }

    @Test func D5_itTakesNoMoreThanItMay() async throws {
        let store = MemoryStore(maximumCount: 2)
        let ids = try await store.append([try message("1")])
        await #expect(throws: MemoryStore.Full.self) {
            _ = try await store.append([try message("2"), try message("3")])
        }
        _ = try await store.append([try message("2")])
        await store.acknowledge(ids + ids)
        _ = try await store.append([try message("3")])
        await #expect(throws: MemoryStore.Full.self) { _ = try await store.append([try message("4")]) }
        #expect(await next(store) == ["2", "3"])
    }
}
