import MQTT
import MQTTWire
import NIOCore
import Testing
import Units

@testable import StoreForward

@Suite struct LimitTests {
    let folder: Folder
    let clock = TestClock()

    init() throws { folder = try Folder() }

    @Test func `the oldest of the lowest priority are evicted, and counted (D1)`() async throws {
        var options = OutboxOptions.test
        options.maximumRows = 4
        let outbox = try await Outbox.opened(folder, options)
        _ = try await outbox.append([message("1", .low), message("2"), message("3", .low), message("4", .urgent)])
        _ = try await outbox.append([message("5")])
        #expect(try await outbox.list(limit: 9).map(\.sequence) == [4, 2, 5, 3])
        _ = try await outbox.append([message("6"), message("7")])
        #expect(try await outbox.list(limit: 9).map(\.sequence) == [4, 5, 6, 7])
        _ = try await outbox.append([message("8", .low)])
        #expect(try await outbox.list(limit: 9).map(\.sequence) == [4, 5, 6, 7])
        let status = try await outbox.status()
        #expect(status.losses.evictedByRows == 4)
        #expect(status.queued == 4)
        #expect(status.nextSequence == 9)
    }

    @Test func `what the broker will never take is counted, once, and the count is kept (D1)`() async throws {
        let outbox = try await Outbox.opened(folder, .test)
        let ids = try await outbox.append([message("1"), message("2"), message("3"), message("4")])
        #expect(try await outbox.texts() == ["1", "2", "3", "4"])
        try await outbox.discard([ids[0], ids[1]], because: .refused)
        try await outbox.discard([ids[1]], because: .refused)
        try await outbox.discard([ids[2]], because: .tooLarge)
        try await outbox.rewind()
        #expect(try await outbox.texts() == ["4"])
        await outbox.close()

        let status = try await Outbox.opened(folder, .test).status()
        #expect(status.queued == 1)
        #expect(status.losses.refused == 2)
        #expect(status.losses.unsendable == 1)
    }

    @Test func `what is in flight is not evicted`() async throws {
        var options = OutboxOptions.test
        options.maximumRows = 3
        let outbox = try await Outbox.opened(folder, options)
        let ids = try await outbox.append([message("1", .low), message("2", .low), message("3", .low)])
        #expect(try await outbox.texts(maximumCount: 2) == ["1", "2"])
        try await outbox.acknowledge([ids[0]])
        _ = try await outbox.append([message("4"), message("5")])
        #expect(try await outbox.list(limit: 9).map(\.sequence) == [4, 5, 2])
        try await outbox.rewind()
        #expect(try await outbox.texts() == ["4", "5", "2"])
    }

    @Test func `the size is bounded, and so is the file (D5)`() async throws {
        var options = OutboxOptions.test
        options.maximumSize = 256 * 1024
        let outbox = try await Outbox.opened(folder, options)
        var accepted = 0
        for round in 0..<60 {
            let text = String(repeating: "x", count: round % 7 * 400)
            accepted += try await outbox.append((0..<50).map { _ in try message(text) }).count
            #expect(try await outbox.status().bytesUsed <= 256 * 1024)
        }
        let status = try await outbox.status()
        #expect(status.losses.evictedBySize > 0)
        #expect(Int64(status.queued) + status.losses.evictedBySize == Int64(accepted))
        // Well used: at least three quarters.
        #expect(status.bytesUsed > 192 * 1024)
        let fileSize = try Folder.read(folder.queue).count
        #expect(fileSize <= 256 * 1024 + 70_000)
        #expect(try Folder.read(folder.queue + "-wal").count <= 4 * 1024 * 1024)
        // The newest are there.
        let newest = try await outbox.list(limit: .max).map(\.sequence)
        #expect(newest == Array((Int64(accepted) - Int64(status.queued) + 1)...Int64(accepted)))
    }

    @Test func `a message that could never fit is refused`() async throws {
        var options = OutboxOptions.test
        options.maximumSize = 65_536
        let outbox = try await Outbox.opened(folder, options)
        let error = await #expect(throws: OutboxError.self) {
            _ = try await outbox.append([message(String(repeating: "x", count: 60_000))])
        }
        #expect(error == .messageTooLarge(topic: try TopicName("a/b"), bytes: 60_003, limit: 65_536))
        // One that is just allowed stays.
        _ = try await outbox.append([message(String(repeating: "x", count: 40_957))])
        #expect(try await outbox.status().queued == 1)
    }

    @Test func `a lowered limit holds from the next start on`() async throws {
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append((0..<500).map { _ in try message(String(repeating: "x", count: 1000)) })
        await outbox.close()
        var options = OutboxOptions.test
        options.maximumSize = 128 * 1024
        let again = try await Outbox.opened(folder, options)
        let status = try await again.status()
        #expect(status.bytesUsed <= 128 * 1024)
        #expect(status.losses.evictedBySize + Int64(status.queued) == 500)
    }

    @Test func `losses are counted on over restarts and crashes (D1)`() async throws {
        var options = OutboxOptions.test
        options.maximumRows = 1
        let outbox = try await Outbox.opened(folder, options)
        _ = try await outbox.append([message("1"), message("2"), message("3")])
        #expect(try await outbox.purge() == 1)
        let copy = try folder.crashCopy()
        for place in [copy, folder] {
            if place === folder { await outbox.close() }
            let again = try await Outbox.opened(place, options)
            let losses = try await again.status().losses
            #expect(losses.evictedByRows == 2)
            #expect(losses.purged == 1)
            await again.close()
        }
    }

    @Test func `old messages expire, in the queue and on their way out`() async throws {
        var options = OutboxOptions.test
        options.maximumAge = .seconds(1000)
        let outbox = try await Outbox.opened(folder, options, clock: clock)
        _ = try await outbox.append([message("1"), message("2", .urgent), message("3", expiry: .seconds(10))])
        clock.now = .start + .seconds(600)
        _ = try await outbox.append([message("4"), message("5", expiry: .seconds(500))])
        #expect(try await outbox.texts() == ["2", "1", "4", "5"])
        try await outbox.rewind()
        clock.now = .start + .seconds(1001)
        try await outbox.flush()
        #expect(try await outbox.status().queued == 2)
        #expect(try await outbox.status().losses.expired == 3)
        let rest = try await outbox.next(maximumCount: 9, maximumBytes: .max)
        #expect(rest.map(text) == ["4", "5"])
        #expect(rest.map(\.message.expiry) == [nil, .seconds(99)])
        try await outbox.rewind()
        clock.now = .start + .seconds(1101)
        #expect(try await outbox.texts() == ["4"])
        #expect(try await outbox.status().losses.expired == 4)
        await outbox.close()
        let again = try await Outbox.opened(folder, options, clock: clock)
        #expect(try await again.status().losses.expired == 4)
        #expect(try await again.status().queued == 1)
    }

    @Test func `a clock that was never set lets nothing expire`() async throws {
        var options = OutboxOptions.test
        options.maximumAge = .seconds(1000)
        clock.now = Timestamp(milliseconds: 5000)
        let outbox = try await Outbox.opened(folder, options, clock: clock)
        _ = try await outbox.append([message("1"), message("2", expiry: .seconds(1))])
        clock.now = .start
        _ = try await outbox.append([message("3")])
        clock.now = .start + .seconds(5000)
        try await outbox.flush()
        #expect(try await outbox.texts() == ["1", "2"])
        #expect(try await outbox.status().losses.expired == 1)
        try await outbox.rewind()
        clock.now = Timestamp(milliseconds: 9000)
        #expect(try await outbox.texts() == ["1", "2"])
    }

    @Test func `a clock that jumps back lets nothing expire, and what comes from the future holds nothing up`()
        async throws
    {
        var options = OutboxOptions.test
        options.maximumAge = .seconds(1000)
        clock.now = .start + .seconds(1_000_000)
        let outbox = try await Outbox.opened(folder, options, clock: clock)
        _ = try await outbox.append([message("1", expiry: .seconds(1))])
        clock.now = .start
        _ = try await outbox.append([message("2")])
        try await outbox.flush()
        #expect(try await outbox.status().queued == 2)
        clock.now = .start + .seconds(2000)
        try await outbox.flush()
        #expect(try await outbox.list(limit: 9).map(\.sequence) == [1])
    }

    @Test func `a purge takes what it is told, and leaves what is in flight`() async throws {
        let outbox = try await Outbox.opened(folder, clock: clock)
        _ = try await outbox.append([message("1", .urgent), message("2"), message("3", .low)])
        clock.now = .start + .seconds(10)
        _ = try await outbox.append([message("4"), message("5", .low)])
        #expect(try await outbox.texts(maximumCount: 1) == ["1"])
        #expect(try await outbox.purge(priority: .low) == 2)
        #expect(try await outbox.purge(olderThan: clock.now) == 1)
        #expect(try await outbox.list(limit: 9).map(\.sequence) == [1, 4])
        #expect(try await outbox.purge() == 1)
        #expect(try await outbox.status().losses.purged == 4)
        #expect(try await outbox.status().queued == 1)
        try await outbox.rewind()
        #expect(try await outbox.texts() == ["1"])
    }

    @Test func `settings out of range are refused by name`() async throws {
        for (name, change) in [
            ("commitInterval", { $0.commitInterval = .milliseconds(-1) }), ("commitCount", { $0.commitCount = 0 }),
            ("maximumSize", { $0.maximumSize = 65_535 }), ("maximumRows", { $0.maximumRows = 0 }),
            ("maximumAge", { $0.maximumAge = .zero }), ("memoryLimit", { $0.memoryLimit = 4095 }),
        ] as [(String, (inout OutboxOptions) -> Void)] {
            var options = OutboxOptions.test
            change(&options)
            let error = await #expect(throws: OutboxError.self) { _ = try await Outbox.opened(folder, options) }
            guard case .invalidSetting(name, _) = error else {
                Issue.record("\(name): \(String(describing: error))")
                continue
            }
        }
    }
}
