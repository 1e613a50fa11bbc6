import Database
import Glibc
import MQTT
import MQTTWire
import NIOCore
import Testing

@testable import StoreForward

/// What makes QoS 2 exact across a crash (D3).
@Suite struct SessionTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    @Test func `what was released is known after a crash, and forgotten with the session (D3)`() async throws {
        let outbox = try await Outbox.opened(folder)
        #expect(try await outbox.session() == nil)
        try await outbox.beginSession(-42)
        let ids = try await outbox.append([message("1"), message("2"), message("3")])
        _ = try await outbox.next(maximumCount: 3, maximumBytes: 1000)
        try await outbox.note(ExchangeSteps(released: [ids[1]]))

        let copy = try folder.crashCopy()
        let after = try await Outbox.opened(copy)
        #expect(try await after.session()?.name == -42)
        let given = try await after.next(maximumCount: 3, maximumBytes: 1000)
        #expect(given.map(\.isReleased) == [false, true, false])
        #expect(given.map(\.mayHaveBeenSent) == [true, true, true])
        let new = try await after.append([message("4")])
        #expect(try await after.next(maximumCount: 3, maximumBytes: 1000).map(\.id) == new)

        try await after.beginSession(43)
        let third = try await Outbox.opened(try copy.crashCopy())
        #expect(try await third.session()?.name == 43)
        #expect(
            try await third.next(maximumCount: 4, maximumBytes: 1000).map(\.isReleased) == [false, false, false, false])
    }

    @Test func `what was released is neither evicted nor purged, and goes with its acknowledgement (D3)`() async throws
    {
        var options = OutboxOptions.test
        options.maximumRows = 2
        let outbox = try await Outbox.opened(folder, options)
        let ids = try await outbox.append([message("1"), message("2")])
        _ = try await outbox.next(maximumCount: 1, maximumBytes: 1000)
        try await outbox.note(ExchangeSteps(released: [ids[0]]))
        try await outbox.rewind()
        _ = try await outbox.append([message("3"), message("4")])
        #expect(try await outbox.list(limit: 9).map(\.sequence).first == 1)
        _ = try await outbox.purge()
        #expect(try await outbox.list(limit: 9).map(\.sequence) == [1])
        try await outbox.acknowledge([ids[0]])
        try await outbox.flush()
        #expect(try await outbox.status().queued == 0)

        let after = try await Outbox.opened(try folder.crashCopy())
        #expect(await after.exchanges.released.isEmpty)
    }

    @Test func `a repaired queue asks for a new session (D3, D6)`() async throws {
        let outbox = try await Outbox.opened(folder)
        try await outbox.beginSession(7)
        _ = try await outbox.append((1...30).map { _ in try message(String(repeating: "x", count: 500)) })
        await outbox.close()
        var bytes = try Folder.read(folder.queue)
        let size = QueueDatabase.format.pageSize
        bytes.replaceSubrange(size..<2 * size, with: repeatElement(0xA5, count: size))
        try Folder.write(bytes, to: folder.queue)
        let after = try await Outbox.opened(folder)
        _ = try await after.texts()
        #expect(try await after.status().damage != nil)
        #expect(try await after.session() == nil)
    }

    private func identifier(_ number: UInt16) throws -> PacketIdentifier {
        try #require(PacketIdentifier(rawValue: number))
    }

    @Test func `what was seen is known after a crash, until it is finished (D3)`() async throws {
        let outbox = try await Outbox.opened(folder)
        try await outbox.beginSession(1)
        try await outbox.note(ExchangeSteps(seen: [identifier(1), identifier(65_535), identifier(7)]))
        try await outbox.note(ExchangeSteps(seen: [identifier(9)], finished: [identifier(7)]))
        let copy = try folder.crashCopy()
        let after = try await Outbox.opened(copy)
        #expect(
            try await after.session()
                == StoredSession(name: 1, incoming: [identifier(1), identifier(65_535), identifier(9)]))
        try await after.beginSession(2)
        let third = try await Outbox.opened(try copy.crashCopy())
        #expect(try await third.session() == StoredSession(name: 2))
    }

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce])
    func `giving up what an earlier process may have sent ends the session, if the server could wait for it (D3)`(
        qos: QoS
    ) async throws {
        var options = OutboxOptions.test
        options.maximumRows = 2
        let outbox = try await Outbox.opened(folder, options)
        try await outbox.beginSession(1)
        var message = try message("x")
        message.qos = qos
        _ = try await outbox.append([message, message])
        _ = try await outbox.append([message])
        #expect(try await outbox.session() != nil, "it was not sent by an earlier process")
        let copy = try folder.crashCopy()
        let after = try await Outbox.opened(copy, options)
        #expect(try await after.session() != nil)
        _ = try await after.append([message])
        #expect(try await after.status().losses.evictedByRows == 2)
        let expected = qos == .exactlyOnce ? nil : StoredSession(name: 1)
        #expect(try await after.session() == expected)
        let later = try await Outbox.opened(try copy.crashCopy(), options)
        #expect(try await later.session() == expected, "the next process knows it too")
    }

    private func exact(_ text: String, _ priority: Priority = .normal) throws -> Message {
        var message = try message(text, priority)
        message.qos = .exactlyOnce
        return message
    }

    @Test func `of two messages with one packet identifier the older goes first, whatever their ranks (D3)`()
        async throws
    {
        let outbox = try await Outbox.opened(folder)
        let first = try await outbox.append([exact("first")])
        let filler = try exact("", .low)
        let low = try await outbox.append(Array(repeating: filler, count: 49_150))
        _ = try await outbox.append([exact("twin", .urgent), exact("after", .urgent), exact("high", .high)])

        let after = try await Outbox.opened(try folder.crashCopy())
        func next(_ count: Int) async throws -> [Int64] {
            try await after.next(maximumCount: count, maximumBytes: .max).map(\.id.sequence)
        }
        #expect(try await next(3) == [1, 2, 3], "49,152 and its followers have twins")
        try await after.acknowledge(first)
        #expect(try await next(2) == [49_152, 4])
        try await after.acknowledge(low.prefix(2) + [])
        #expect(try await next(2) == [49_153, 49_154])
    }

    /// A directory in the place of the log: the queue cannot be opened.
    private func whileUnreadable(_ folder: Folder, _ body: () async throws -> Void) async throws {
        #expect(mkdir(folder.queue + "-wal", 0o755) == 0)
        try await body()
        #expect(rmdir(folder.queue + "-wal") == 0)
    }

    @Test(arguments: [0x7000_0000_0000_0000 as Int64, -0x7000_0000_0000_0000, 5])
    func `a session that began before the file could be read is the one that counts (D3, D6)`(
        name: Int64
    ) async throws {
        let first = try await Outbox.opened(folder)
        try await first.beginSession(name)
        let ids = try await first.append([message("1"), message("2")])
        try await first.note(ExchangeSteps(released: [ids[0]], seen: [identifier(7)]))
        await first.close()

        var opened: Outbox?
        try await whileUnreadable(folder) {
            let outbox = try await Outbox.opened(folder)
            #expect(try await outbox.session() == nil)
            try await outbox.beginSession(name)
            try await outbox.note(ExchangeSteps(seen: [identifier(8)]))
            opened = outbox
        }
        let outbox = try #require(opened)
        try await outbox.flush()
        #expect(try await outbox.status().state == .durable)
        let current = try StoredSession(name: name, incoming: [identifier(8)])
        #expect(try await outbox.session() == current)
        let given = try await outbox.next(maximumCount: 3, maximumBytes: 1000)
        #expect(given.map(\.isReleased) == [false, false], "the new session has seen neither")
        let after = try await Outbox.opened(try folder.crashCopy())
        #expect(try await after.session() == current)
    }

    @Test func `what got another number while it was under way ends the session (D3, D6)`() async throws {
        let first = try await Outbox.opened(folder)
        _ = try await first.append([message("1")])
        await first.close()
        var opened: Outbox?
        try await whileUnreadable(folder) {
            let outbox = try await Outbox.opened(folder)
            try await outbox.beginSession(1)
            let ids = try await outbox.append([exact("2")])
            _ = try await outbox.next(maximumCount: 1, maximumBytes: 1000)
            try await outbox.note(ExchangeSteps(released: ids))
            opened = outbox
        }
        let outbox = try #require(opened)
        try await outbox.flush()
        let after = try await Outbox.opened(try folder.crashCopy())
        // Its packet identifier follows from its number: the server knows it under another one.
        #expect(try await after.session() == nil)
        #expect(try await after.texts() == ["1", "2"])
    }

    @Test func `a repaired queue asks for a new session even after a crash right behind the repair (D3, D6)`()
        async throws
    {
        let outbox = try await Outbox.opened(folder)
        try await outbox.beginSession(7)
        let ids = try await outbox.append([message("1")])
        try await outbox.note(ExchangeSteps(released: ids))
        let copy = try folder.crashCopy()
        let repaired = try Folder()
        _ = try Salvage.run(from: copy.queue, to: repaired.queue, skipping: RowRanges())
        let after = try await Outbox.opened(repaired)
        #expect(try await after.texts() == ["1"])
        #expect(try await after.session() == nil, "what was released is not known any more")
    }

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce], [false, true])
    func `a deep backlog holds up what is new only where the server could mistake it (D3)`(
        qos: QoS, isFull: Bool
    ) async throws {
        var options = OutboxOptions.test
        options.backlogOrder = .last
        let first = try await Outbox.opened(folder, options)
        let filler = try message("", .low)
        _ = try await first.append(Array(repeating: filler, count: 50_000))
        let after = try await Outbox.opened(try folder.crashCopy(), options)
        try await after.connectionBegan()
        if isFull { await after.fail(with: .full) }
        var new = [try message("new"), try message("alarm", .urgent), try message("new", .low)]
        for index in new.indices { new[index].qos = qos }
        _ = try await after.append(new)
        let given = try await after.next(maximumCount: 10, maximumBytes: .max, maximumBacklog: 0)
        #expect(given.map(text) == (qos == .atLeastOnce ? ["alarm", "new", "new"] : []))
    }

    @Test func `a twin whose exchange may be open goes first, until a new session has begun (D3)`() async throws {
        let first = try await Outbox.opened(folder)
        _ = try await first.append([exact("exact", .low)])
        let filler = try message("", .low)
        _ = try await first.append(Array(repeating: filler, count: 49_150))
        let after = try await Outbox.opened(try folder.crashCopy())
        _ = try await after.append([message("twin", .urgent)])
        #expect(try await after.texts(maximumCount: 1) == ["exact"])
        try await after.rewind()
        try await after.beginSession(2)
        #expect(try await after.texts(maximumCount: 1) == ["twin"])
    }
}
