import MQTT
import MQTTWire
import NIOCore
import Testing

@Suite struct MemoryStoreTests {
    private func message(_ text: String, _ priority: Priority = .normal) throws -> Message {
        Message(topic: try TopicName("t"), payload: ByteBuffer(string: text), priority: priority)
    }

    private func next(_ store: MemoryStore, _ count: Int = 100, bytes: Int = 1 << 20) -> [String] {
        store.next(maximumCount: count, maximumBytes: bytes).map { String(buffer: $0.message.payload) }
    }

    @Test func D4_higherPrioritiesGoFirstAndInsideOneTheOldest() throws {
        let store = MemoryStore()
        _ = try store.append([try message("1"), try message("low", .low), try message("2")])
        _ = try store.append([try message("high", .high), try message("3"), try message("urgent", .urgent)])
        #expect(next(store, 2) == ["urgent", "high"])
        _ = try store.append([try message("urgent 2", .urgent)])
        #expect(next(store) == ["urgent 2", "1", "2", "3", "low"])
        #expect(next(store).isEmpty)
    }

    @Test func aBatchEndsWithItsBytesButIsNeverEmpty() throws {
        let store = MemoryStore()
        _ = try store.append(["12345678", "2", "3"].map { try message($0) })
        #expect(next(store, bytes: 1) == ["12345678"])
        #expect(next(store, bytes: 4) == ["2", "3"])
    }

    @Test func whatWasAcknowledgedIsNotGivenOutAfterRewinding() throws {
        let store = MemoryStore()
        let ids = try store.append(["1", "2", "3", "4"].map { try message($0) })
        #expect(next(store, 3) == ["1", "2", "3"])
        store.acknowledge([ids[1], MessageID(rawValue: -1), MessageID(rawValue: 1 << 60)])
        store.discard([ids[0]], because: .refused)
        #expect(next(store) == ["4"])
        store.rewind()
        #expect(next(store) == ["3", "4"])
    }

    @Test func D5_itTakesNoMoreThanItMay() throws {
        let store = MemoryStore(maximumCount: 2)
        let ids = try store.append([try message("1")])
        #expect(throws: MemoryStore.Full.self) {
            _ = try store.append([try message("2"), try message("3")])
        }
        _ = try store.append([try message("2")])
        store.acknowledge(ids + ids)
        _ = try store.append([try message("3")])
        #expect(throws: MemoryStore.Full.self) { _ = try store.append([try message("4")]) }
        #expect(next(store) == ["2", "3"])
    }
}
