import MQTT
import MQTTWire
import NIOCore
import SQLite
import Testing
import Units

@testable import StoreForward

@Suite struct InspectionTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    @Test func `a queue can be looked into while its agent works, and changes by it in nothing`() async throws {
        let clock = TestClock()
        let outbox = try await Outbox.opened(folder, clock: clock)
        _ = try await outbox.append([message("1"), message("2", .urgent)])
        clock.now = .start + .seconds(5)
        _ = try await outbox.append([message("3")])
        let files = folder.names
        let (status, messages) = try Outbox.inspect(path: folder.queue, limit: 2)
        #expect(messages.map(\.sequence) == [2, 1])
        #expect(messages.map(\.accepted) == [.start, .start])
        #expect(status.state == .observed)
        #expect(status.queued == 3)
        #expect(status.oldest == .start)
        #expect(status.nextSequence == 4)
        #expect(status.bytesUsed == (try await outbox.status().bytesUsed))
        #expect(folder.names == files)
        _ = try await outbox.append([message("4")])
        #expect(try Outbox.inspect(path: folder.queue).status.queued == 4)
    }

    @Test func `a queue whose agent has ended can be looked into, and no file is left beside it`() async throws {
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append([message("1")])
        await outbox.close()
        let files = folder.names
        #expect(try Outbox.inspect(path: folder.queue, limit: 9).messages.count == 1)
        #expect(folder.names == files)
    }

    @Test func `a queue whose agent was killed can be looked into`() async throws {
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append([message("1"), message("2")])
        let copy = try folder.crashCopy()
        #expect(copy.names == ["queue.db", "queue.db-wal"])
        #expect(try Outbox.inspect(path: copy.queue).status.queued == 2)
        #expect(try await copy.reopenedTexts() == ["1", "2"])
    }

    @Test func `a queue that is not there is said not to be there`() {
        #expect(throws: OutboxError.noSuchQueue(path: folder.queue)) { try Outbox.inspect(path: folder.queue) }
        #expect(folder.names == [])
    }

    @Test func `a queue that is just being created is not there yet`() throws {
        let connection = try Connection(path: folder.queue)
        try connection.pragma("journal_mode", "WAL")
        #expect(throws: OutboxError.noSuchQueue(path: folder.queue)) { try Outbox.inspect(path: folder.queue) }
    }

    @Test func `a queue from before incoming messages were noted is looked into, opened and completed`() async throws {
        let outbox = try await Outbox.opened(folder)
        try await outbox.beginSession(5)
        _ = try await outbox.append([message("1")])
        try await outbox.execute("DROP TABLE seen; PRAGMA user_version = 1")
        await outbox.close()
        #expect(try Outbox.inspect(path: folder.queue, limit: 9).messages.count == 1)
        let after = try await Outbox.opened(folder)
        #expect(try await after.session() == StoredSession(name: 5))
        let identifier = try #require(PacketIdentifier(rawValue: 7))
        try await after.note(ExchangeSteps(seen: [identifier]))
        let third = try await Outbox.opened(try folder.crashCopy())
        #expect(try await third.session()?.incoming == [identifier])
        #expect(try await third.texts() == ["1"])
    }

    @Test func `many look while one writes`() async throws {
        let outbox = try await Outbox.opened(folder)
        try await withThrowingTaskGroup { group in
            group.addTask { for index in 0..<300 { _ = try await outbox.append([message("\(index)")]) } }
            for _ in 0..<3 {
                group.addTask { [folder] in
                    var last = 0
                    for _ in 0..<50 {
                        let (status, messages) = try Outbox.inspect(path: folder.queue, limit: .max)
                        #expect(status.queued >= last)
                        #expect(messages.count == status.queued)
                        last = status.queued
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await outbox.status().state == .durable)
        #expect(try await outbox.status().queued == 300)
    }
}
