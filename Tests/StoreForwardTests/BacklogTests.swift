import Glibc
import MQTT
import MQTTWire
import NIOCore
import Testing

@testable import StoreForward

/// What waits for a connection, and what comes after it.
@Suite struct BacklogTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    private func texts(_ outbox: Outbox, _ count: Int = 100, backlog: Int = .max) async throws -> [String] {
        try await outbox.next(maximumCount: count, maximumBytes: 1 << 20, maximumBacklog: backlog).map {
            String(buffer: $0.message.payload) + ($0.isBacklog ? " b" : "")
        }
    }

    @Test func D4_theBacklogGoesFirstAndIsMarked() async throws {
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append([message("1"), message("2")])
        try await outbox.connectionBegan()
        _ = try await outbox.append([message("3"), message("alarm", .high)])
        #expect(try await texts(outbox) == ["alarm", "1 b", "2 b", "3"])
        try await outbox.connectionBegan()
        _ = try await outbox.append([message("4")])
        #expect(try await texts(outbox) == ["4"])
    }

    @Test func aBacklogIsGivenOutAsItsPaceAllowsAndHighPrioritiesNeverWait() async throws {
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append([message("1"), message("2"), message("old alarm", .high), message("3")])
        try await outbox.connectionBegan()
        _ = try await outbox.append([message("4"), message("alarm", .urgent)])
        #expect(try await texts(outbox, backlog: 0) == ["alarm", "old alarm b"])
        #expect(try await texts(outbox, backlog: 0) == [])
        #expect(try await texts(outbox, backlog: 2) == ["1 b", "2 b"])
        #expect(try await texts(outbox, backlog: 2) == ["3 b", "4"])
        #expect(try await texts(outbox, backlog: 0) == [])
    }

    @Test func whatIsNewGoesAheadWhereItIsToldTo() async throws {
        var options = OutboxOptions.test
        options.backlogOrder = .last
        let outbox = try await Outbox.opened(folder, options)
        let ids = try await outbox.append([message("1"), message("2"), message("3")])
        try await outbox.connectionBegan()
        _ = try await outbox.append([message("4"), message("5")])
        #expect(try await texts(outbox, 3) == ["4", "5", "1 b"])
        let new = try await outbox.append([message("6")])
        #expect(try await texts(outbox, backlog: 0) == ["6"])
        try await outbox.acknowledge([ids[0]])

        // On the next connection 2 and 3 are backlog still, and so is what was not given out meanwhile.
        _ = try await outbox.append([message("7")])
        try await outbox.connectionBegan()
        _ = try await outbox.append([message("8")])
        #expect(try await texts(outbox) == ["8", "2 b", "3 b", "7 b"])
        #expect(try await texts(outbox) == [])
        try await outbox.acknowledge(new)
        try await outbox.rewind()
        #expect(try await texts(outbox) == ["8", "2 b", "3 b", "4 b", "5 b", "7 b"])
    }

    @Test func whileTheDiskFailsItIsTheSame() async throws {
        let outbox = try await Outbox.opened(folder)
        await outbox.fail(with: .full)
        _ = try await outbox.append([message("1"), message("2")])
        try await outbox.connectionBegan()
        _ = try await outbox.append([message("3"), message("alarm", .high)])
        #expect(try await texts(outbox, backlog: 1) == ["alarm", "1 b"])
        #expect(try await texts(outbox) == ["2 b", "3"])
    }

    @Test func D4_whatIsHeldBackIsNotOvertakenWhileTheDiskFails() async throws {
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append([message("1"), message("2")])
        try await outbox.connectionBegan()
        await outbox.fail(with: .full)
        _ = try await outbox.append([message("3"), message("alarm", .high)])
        #expect(try await texts(outbox, backlog: 1) == ["alarm", "1 b"])
        #expect(try await texts(outbox) == ["2 b", "3"])
    }

    @Test func whatIsNewGoesAheadAlsoWhileTheDiskFails() async throws {
        var options = OutboxOptions.test
        options.backlogOrder = .last
        let outbox = try await Outbox.opened(folder, options)
        _ = try await outbox.append([message("1")])
        await outbox.fail(with: .full)
        _ = try await outbox.append([message("2"), message("3")])
        try await outbox.connectionBegan()
        _ = try await outbox.append([message("4")])
        #expect(try await texts(outbox, backlog: 2) == ["4", "1 b", "2 b"])
        #expect(try await texts(outbox) == ["3 b"])
    }

    @Test func whatIsNewGoesAheadAlsoWhenTheQueueCouldNotBeOpenedAtFirst() async throws {
        let first = try await Outbox.opened(folder)
        _ = try await first.append([message("1")])
        await first.close()
        var options = OutboxOptions.test
        options.backlogOrder = .last
        // A directory in the place of the log cannot be opened as one.
        #expect(mkdir(folder.queue + "-wal", 0o755) == 0)
        let outbox = try await Outbox.opened(folder, options)
        try await outbox.connectionBegan()
        #expect(try await texts(outbox) == [])
        #expect(rmdir(folder.queue + "-wal") == 0)
        _ = try await outbox.append([message("2")])
        try await outbox.flush()
        _ = try await outbox.append([message("3")])
        #expect(try await texts(outbox) == ["2", "3", "1 b"])
    }
}
