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
        let size = QueueDatabase.pageSize
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
        #expect(try await after.session() == (qos == .exactlyOnce ? nil : StoredSession(name: 1)))
    }
}
