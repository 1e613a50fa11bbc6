import MQTT
import MQTTWire
import NIOCore
import SQLite
import Testing
import Units

@testable import StoreForward

@Suite struct DeliveryTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    @Test func `a message comes out as it went in`() async throws {
        let outbox = try await Outbox.opened(folder)
        let messages = [
            Message(topic: try TopicName("a"), payload: ByteBuffer()),
            Message(
                topic: try TopicName("täglich/😀"), payload: ByteBuffer(bytes: [0, 255, 0]), qos: .exactlyOnce,
                retain: true, priority: .urgent, expiry: .seconds(90),
                properties: [
                    .payloadFormatIndicator(true), .messageExpiryInterval(.max), .contentType("text/plain"),
                    .responseTopic(try TopicName("r")), .correlationData(ByteBuffer(bytes: [1, 2])),
                    .userProperty(name: "a", value: ""), .userProperty(name: "a", value: "b"),
                ]),
            Message(topic: try TopicName("b"), payload: ByteBuffer(string: "x"), qos: .atMostOnce, priority: .low),
        ]
        _ = try await outbox.append(messages)
        await outbox.close()
        let again = try await Outbox.opened(folder)
        let stored = try await again.next(maximumCount: 10, maximumBytes: .max)
        #expect(stored.map(\.message) == [messages[1], messages[0], messages[2]])
    }

    @Test func `higher priorities go first, and inside one the oldest (D4)`() async throws {
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append([message("1"), message("2", .low), message("3", .urgent)])
        _ = try await outbox.append([message("4"), message("5", .high), message("6", .urgent)])
        #expect(try await outbox.texts(maximumCount: 4) == ["3", "6", "5", "1"])
        _ = try await outbox.append([message("7", .urgent)])
        #expect(try await outbox.texts() == ["7", "4", "2"])
        #expect(try await outbox.texts() == [])
    }

    @Test func `next stops when it has enough bytes, and gives one always`() async throws {
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append([message("1234567"), message("1234567"), message("1234567")])
        #expect(try await outbox.next(maximumCount: 10, maximumBytes: 11).count == 2)
        #expect(try await outbox.next(maximumCount: 10, maximumBytes: 0).count == 1)
    }

    @Test func `what was given out comes again after a rewind, unless it was acknowledged`() async throws {
        let outbox = try await Outbox.opened(folder)
        let ids = try await outbox.append((1...5).map { try message("\($0)") })
        #expect(try await outbox.texts(maximumCount: 4) == ["1", "2", "3", "4"])
        try await outbox.acknowledge([ids[1], ids[2], ids[1]])
        try await outbox.rewind()
        #expect(try await outbox.texts() == ["1", "4", "5"])
        try await outbox.flush()
        try await outbox.rewind()
        #expect(try await outbox.texts() == ["1", "4", "5"])
        #expect(try await outbox.status().queued == 3)
    }

    @Test func `an acknowledgement may come late, twice, or for something unknown`() async throws {
        let outbox = try await Outbox.opened(folder)
        let ids = try await outbox.append([message("1"), message("2")])
        _ = try await outbox.texts()
        try await outbox.rewind()
        try await outbox.acknowledge([
            ids[0], MessageID(rawValue: 0), MessageID(rawValue: -1), MessageID(rawValue: .max),
        ])
        try await outbox.acknowledge([ids[0], MessageID(rawValue: ids[1].rawValue + 1)])
        #expect(try await outbox.status().queued == 1)
        #expect(try await outbox.texts() == ["2"])
    }

    @Test func `what waits for its commit is not given out (D2)`() async throws {
        var options = OutboxOptions.test
        options.commitInterval = .seconds(3600)
        options.commitCount = 3
        let outbox = try await Outbox.opened(folder, options)
        async let first = outbox.append([message("1")])
        while try await outbox.status().unsaved < 1 { await Task.yield() }
        #expect(try await outbox.texts() == [])
        #expect(try await folder.crashCopy().reopenedTexts() == [])
        async let second = outbox.append([message("2"), message("3")])
        _ = try await (first, second)
        #expect(try await outbox.texts() == ["1", "2", "3"])
    }

    @Test func `many appends share a commit`() async throws {
        var options = OutboxOptions.test
        options.commitInterval = .seconds(3600)
        options.commitCount = 100
        let outbox = try await Outbox.opened(folder, options)
        let before = try await outbox.status().commits
        try await withThrowingTaskGroup { group in
            for index in 0..<300 { group.addTask { _ = try await outbox.append([message("\(index)")]) } }
            try await group.waitForAll()
        }
        #expect(try await outbox.status().commits == before + 3)
        #expect(try await outbox.status().queued == 300)
    }

    @Test func `numbers go on without a gap behind refused messages and restarts`() async throws {
        struct Refusal: Error {}
        var outbox = try await Outbox.opened(folder)
        for expected in Int64(1)...4 {
            _ = try await outbox.append { first in
                #expect(first == expected)
                return [try message("\(first)")]
            }
            await #expect(throws: Refusal.self) { _ = try await outbox.append { _ in throw Refusal() } }
            await #expect(throws: OutboxError.self) {
                var wrong = try message("wrong")
                wrong.properties = [.topicAlias(1)]
                _ = try await outbox.append([message("right"), wrong])
            }
            if expected == 2 {
                let ids = try await outbox.next(maximumCount: 9, maximumBytes: .max).map(\.id)
                try await outbox.acknowledge(ids)
            }
            await outbox.close()
            outbox = try await Outbox.opened(folder)
        }
        #expect(try await outbox.texts() == ["3", "4"])
        #expect(try await outbox.status().nextSequence == 5)
    }

    @Test func `a closed queue refuses everything, and closing again does nothing`() async throws {
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append([message("1")])
        await outbox.close()
        await outbox.close()
        #expect(folder.names == ["queue.db", "queue.db.lock"])
        await #expect(throws: OutboxError.closed) { _ = try await outbox.append([message("2")]) }
        await #expect(throws: OutboxError.closed) { _ = try await outbox.next(maximumCount: 1, maximumBytes: 1) }
        await #expect(throws: OutboxError.closed) { try await outbox.acknowledge([]) }
        await #expect(throws: OutboxError.closed) { _ = try await outbox.status() }
    }

    @Test func `counters count on over restarts`() async throws {
        for expected in Int64(1)...3 {
            let outbox = try await Outbox.opened(folder)
            #expect(try await outbox.increment(counter: "boot") == expected)
            #expect(try await outbox.increment(counter: "run\(expected)") == 1)
            await outbox.close()
        }
    }
}

extension Folder {
    /// What an agent that starts with these files has to send.
    func reopenedTexts() async throws -> [String] {
        let outbox = try await Outbox.opened(self)
        let texts = try await outbox.texts(maximumCount: .max)
        await outbox.close()
        return texts
    }
}
