import Glibc
import MQTT
import MQTTWire
import NIOCore
import SQLite
import Testing
import Units

@testable import StoreForward

@Suite struct FailingDiskTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    private func isDurable(_ outbox: Outbox) async throws -> Bool { try await outbox.status().state == .durable }

    @Test(arguments: [SQLiteError.full, .inputOutput])
    func `a failing disk does not silence the agent, and loses nothing when it is mended (D6)`(
        error: SQLiteError
    ) async throws {
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append([message("1"), message("2", .low)])
        await outbox.fail(with: error)
        let ids = try await outbox.append([message("3")])
        _ = try await outbox.append([message("4"), message("5", .urgent)])
        let status = try await outbox.status()
        guard case .memory(let reason) = status.state else {
            Issue.record("\(status)")
            return
        }
        #expect(reason.contains(error.message))
        #expect(status.unsaved == 3)
        #expect(status.queued == 5)
        if error.isFull {
            #expect(try await outbox.texts() == ["5", "1", "3", "4", "2"])
        } else {
            // The connection is gone until the disk is well.
            #expect(try await outbox.texts() == ["5", "3", "4"])
        }
        try await outbox.acknowledge([ids[0]])
        #expect(try await outbox.status().unsaved == 2)
        await outbox.fail(with: nil)
        try await outbox.flush()
        #expect(try await isDurable(outbox))
        #expect(try await outbox.status().unsaved == 0)
        #expect(try await folder.crashCopy().reopenedTexts() == ["5", "1", "4", "2"])
        try await outbox.rewind()
        #expect(try await outbox.texts() == ["5", "1", "4", "2"])
        #expect(try await outbox.append([message("6")]).map { RowID($0.rawValue).sequence } == [6])
    }

    @Test func `the memory that stands in for the disk is bounded, and what it drops is counted (D5)`() async throws {
        var options = OutboxOptions.test
        options.memoryLimit = 4096
        let outbox = try await Outbox.opened(folder, options)
        await outbox.fail(with: .full)
        _ = try await outbox.append([message("first", .high)])
        for _ in 0..<100 { _ = try await outbox.append([message(String(repeating: "x", count: 97), .low)]) }
        _ = try await outbox.append([message("last", .high)])
        let status = try await outbox.status()
        #expect(status.unsaved + Int(status.losses.droppedUnsaved) == 102)
        #expect((30...42).contains(status.unsaved))
        await outbox.fail(with: nil)
        try await outbox.flush()
        let saved = try await outbox.list(limit: .max).map(\.sequence)
        #expect(saved.prefix(2) == [1, 102])
        #expect(saved.dropFirst(2) == ArraySlice(saved[2]...101))
        await outbox.close()
        let again = try await Outbox.opened(folder, options)
        #expect(try await again.status().losses.droppedUnsaved == status.losses.droppedUnsaved)
        #expect(try await again.status().nextSequence == 103)
    }

    @Test func `acknowledged messages make room on a full disk`() async throws {
        let outbox = try await Outbox.opened(folder)
        let old = try await outbox.append((0..<200).map { _ in try message(String(repeating: "x", count: 1000)) })
        try await outbox.execute("PRAGMA max_page_count = 1")
        _ = try await outbox.append(
            (0..<100).map { try message("\($0)" + String(repeating: "y", count: 1000), .urgent) })
        #expect(try await !isDurable(outbox))
        try await outbox.flush()
        #expect(try await !isDurable(outbox))
        try await outbox.acknowledge(old)
        try await outbox.flush()
        #expect(try await isDurable(outbox))
        #expect(try await outbox.status().queued == 100)
        #expect(try await folder.crashCopy().reopenedTexts().count == 100)
    }

    @Test func `an acknowledged message is not given out again although its deletion fails`() async throws {
        let outbox = try await Outbox.opened(folder)
        let ids = try await outbox.append([message("1"), message("2"), message("3")])
        _ = try await outbox.texts()
        await outbox.fail(with: .full)
        try await outbox.acknowledge([ids[0], ids[2]])
        try await outbox.flush()
        try await outbox.rewind()
        #expect(try await outbox.texts() == ["2"])
        #expect(try await outbox.status().queued == 1)
    }

    @Test func `a queue that cannot be opened yet is worked with in memory, and joined later`() async throws {
        let first = try await Outbox.opened(folder)
        _ = try await first.append([message("1"), message("2")])
        _ = try await first.increment(counter: "boot")
        await first.close()
        // A directory in the place of the log cannot be opened as one.
        #expect(mkdir(folder.queue + "-wal", 0o755) == 0)
        let outbox = try await Outbox.opened(folder)
        #expect(try await !isDurable(outbox))
        let ids = try await outbox.append([message("3"), message("4"), message("5")])
        _ = try await outbox.increment(counter: "boot")
        #expect(try await outbox.texts(maximumCount: 2) == ["3", "4"])
        try await outbox.acknowledge([ids[0]])
        #expect(rmdir(folder.queue + "-wal") == 0)
        try await outbox.flush()
        #expect(try await isDurable(outbox))
        #expect(try await outbox.texts() == ["1", "2", "5"])
        try await outbox.acknowledge([ids[1]])
        try await outbox.rewind()
        #expect(try await outbox.texts() == ["1", "2", "5"])
        #expect(try await outbox.status().nextSequence == 5)
        #expect(try await outbox.increment(counter: "boot") == 3)
    }

    @Test func `a commit that succeeded although the disk reported an error counts once`() async throws {
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append([message("1")])
        await outbox.fail(with: .inputOutput)
        _ = try await outbox.append([message("2")])
        // What the disk has written all the same.
        let other = try Connection(path: folder.queue)
        try other.execute("INSERT INTO message SELECT id + 1, accepted, flags, NULL, topic, '2', NULL FROM message")
        await outbox.fail(with: nil)
        try await outbox.flush()
        #expect(try await outbox.status().queued == 2)
        #expect(try await outbox.texts() == ["1", "2"])
    }
}
