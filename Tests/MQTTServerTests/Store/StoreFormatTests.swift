import MQTTWire
import NIOCore
import SQLite
import TestSupport
import Testing

@testable import MQTTServer

/// Going to a newer program and back (A/B images, packages that are downgraded).
@Suite struct StoreFormatTests {
    let place: StorePlace

    init() throws { place = try StorePlace() }

    private static let standIn = "broker.db.format-2"

    /// A file as the first programs wrote it.
    private static let first = """
        PRAGMA page_size = 4096;
        CREATE TABLE session (id INTEGER PRIMARY KEY, client TEXT NOT NULL, username TEXT,
            version INTEGER NOT NULL, expiry INTEGER NOT NULL, ends INTEGER, remaining INTEGER,
            next INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE subscription (session INTEGER, filter TEXT, options INTEGER NOT NULL, identifier INTEGER,
            PRIMARY KEY (session, filter)) WITHOUT ROWID;
        CREATE TABLE message (id INTEGER PRIMARY KEY, flags INTEGER NOT NULL, ends INTEGER, remaining INTEGER,
            publisher TEXT NOT NULL, topic TEXT NOT NULL, properties BLOB, payload BLOB NOT NULL);
        CREATE TABLE queue (session INTEGER, sequence INTEGER, message INTEGER NOT NULL, flags INTEGER NOT NULL,
            identifiers BLOB, PRIMARY KEY (session, sequence)) WITHOUT ROWID;
        CREATE TABLE received (session INTEGER, identifier INTEGER,
            PRIMARY KEY (session, identifier)) WITHOUT ROWID;
        CREATE TABLE retained (topic TEXT PRIMARY KEY, message INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE will (client TEXT PRIMARY KEY, username TEXT, delay INTEGER NOT NULL,
            flags INTEGER NOT NULL, topic TEXT NOT NULL, properties BLOB, payload BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO session VALUES (3, 'meter', 'gate', 5, 3600, NULL, NULL, 8);
        INSERT INTO subscription VALUES (3, 'a/#', 2, 17);
        INSERT INTO message VALUES (10, 2, NULL, NULL, 'other', 'a/b', NULL, 'ten'), (11, 5, NULL, NULL, '', 'a/c', NULL, 'eleven');
        INSERT INTO queue VALUES (3, 5, 10, 10, NULL);
        INSERT INTO received VALUES (3, 9);
        INSERT INTO retained VALUES ('a/c', 11);
        INSERT INTO will VALUES ('meter', 'gate', 5, 1, 'a/will', NULL, 'dead');
        INSERT INTO meta VALUES ('next_session', 4), ('next_message', 4000);
        PRAGMA application_id = 1179664979;
        PRAGMA user_version = 1;
        """

    @Test func `a store of the first format is read`() async throws {
        try Connection(path: place.path).execute(Self.first)
        let (store, state) = try await place.open()
        await store.close()
        let contents = try #require(state.sessions.first)
        #expect(contents.session.clientIdentifier == "meter" && contents.session.username == "gate")
        #expect(contents.subscriptions.first?.subscription.filter.string == "a/#")
        #expect(contents.subscriptions.first?.identifier == 17)
        #expect(contents.queue.map(\.sequence) == [5] && contents.queue.first?.isReleased == true)
        #expect(contents.received.map(\.rawValue) == [9])
        #expect(state.retained.map(\.topic.string) == ["a/c"])
        #expect(state.messages.map { String(buffer: $0.message.payload) } == ["ten", "eleven"])
        #expect(state.wills.map(\.client) == ["meter"])
        #expect(state.nextMessageID == 4000 && state.nextSessionID == 4)
    }

    @Test func `a newer store that older programs can go on with is gone on with, and stays newer`() async throws {
        let (first, _) = try await place.open()
        #expect(await first.commit(try retained(1, "t"), at: place.now).failure == nil)
        await first.close()
        try Connection(path: place.path).pragma("user_version", 1007)
        let (store, state) = try await place.open()
        #expect(state.retained.count == 1)
        #expect(await store.commit(try retained(2, "u"), at: place.now).failure == nil)
        await store.close()
        #expect(try Connection(path: place.path).pragma("user_version") == 1007)
    }

    private func becomeNewer(_ changes: [Change]) async throws {
        let (store, _) = try await place.open()
        #expect(await store.commit(changes, at: place.now).failure == nil)
        await store.close()
        try Connection(path: place.path).pragma("user_version", 7)
    }

    private func becomeOursAgain() throws { try Connection(path: place.path).pragma("user_version", 1) }

    @Test func `a newer store that cannot be read is left alone, and another used beside it`() async throws {
        try await becomeNewer(try retained(1, "t"))
        let bytes = try place.directory.readBytes("broker.db")
        let (store, state) = try await place.open()
        #expect(state.retained.isEmpty)
        #expect(await store.commit(try retained(1, "u"), at: place.now).failure == nil)
        await store.close()
        let (again, kept) = try await place.open()
        #expect(kept.retained.map(\.topic.string) == ["u"])
        await again.close()
        #expect(try place.directory.readBytes("broker.db") == bytes)
        #expect(!place.directory.exists("broker.db-wal") && !place.directory.exists("broker.db-shm"))
    }

    private func entry(_ sequence: Int64, _ message: Int64, isReleased: Bool = false) -> StoredEntry {
        StoredEntry(
            sequence: sequence, message: message, qos: .exactlyOnce, retain: false, subscriptionIdentifiers: [],
            isReleased: isReleased)
    }

    private func body(_ id: Int64, _ text: String) throws -> StoredMessage {
        StoredMessage(
            id: id,
            message: ServerMessage(topic: try TopicName("t"), payload: ByteBuffer(string: text), qos: .exactlyOnce),
            publisher: "p")
    }

    private func text(_ message: Int64, in state: StoredState) -> String? {
        state.messages.first { $0.id == message }.map { String(buffer: $0.message.payload) }
    }

    @Test func `the newer program brings the two together, once`() async throws {
        let identifier = try #require(PacketIdentifier(rawValue: 4))
        try await becomeNewer(
            try retained(1, "both") + retained(2, "ours") + [
                .session(session(1)), .session(session(2)), .received(1, identifier),
                .message(try body(3, "waits")), .message(try body(4, "is there")), .queued(1, entry(0, 3)),
                .queued(1, entry(1, 4, isReleased: true)), .queued(2, entry(0, 3)),
            ])
        let (older, _) = try await place.open()
        let present = session(1)
        #expect(
            await older.commit(
                try retained(1, "both", bytes: 7) + retained(2, "theirs") + [
                    .session(present), .message(try body(3, "later")), .queued(1, entry(40, 3)),
                    .session(
                        StoredSession(id: 9, clientIdentifier: "new", version: .v5, expiryInterval: 60, deadline: nil)),
                ], at: place.now
            ).failure == nil)
        await older.close()
        let bytes = try place.directory.readBytes(Self.standIn)
        try becomeOursAgain()

        let (store, state) = try await place.open()
        #expect(Set(state.retained.map(\.topic.string)) == ["both", "ours", "theirs"])
        let both = try #require(state.retained.first { $0.topic.string == "both" })
        #expect(state.messages.first { $0.id == both.message }?.message.payload.readableBytes == 7)
        #expect(state.sessions.map(\.session.clientIdentifier).sorted() == ["client-1", "client-2", "new"])
        let one = try #require(state.sessions.first { $0.session.clientIdentifier == "client-1" })
        #expect(one.queue.map { text($0.message, in: state) } == ["later", "waits"])
        #expect(one.queue.first?.sequence == 40 && one.queue[1].sequence > 40)
        #expect(one.received.isEmpty, "its client has begun anew")
        let two = try #require(state.sessions.first { $0.session.clientIdentifier == "client-2" })
        #expect(two.queue.map { text($0.message, in: state) } == ["waits"])
        #expect(Set(state.sessions.map(\.session.id)).count == 3)
        #expect(Set(state.messages.map(\.id)).count == state.messages.count)
        await store.close()
        #expect(!place.directory.exists(Self.standIn))

        // As if a crash had come before it was removed.
        try place.directory.write(bytes, to: Self.standIn)
        let (again, found) = try await place.open()
        #expect(StoreModel(found) == StoreModel(state))
        #expect(!place.directory.exists(Self.standIn))
        await again.close()
    }

    @Test func `of a damaged one what can be read comes in (D6)`() async throws {
        try await becomeNewer(try retained(1, "ours"))
        let (older, _) = try await place.open()
        for id in Int64(1)...200 { _ = await older.commit(try retained(id, "t/\(id)", bytes: 500), at: place.now) }
        await older.close()
        var bytes = try place.directory.readBytes(Self.standIn)
        for index in bytes.count / 2..<bytes.count / 2 + 4096 { bytes[index] = 0x55 }
        try place.directory.write(bytes, to: Self.standIn)
        try becomeOursAgain()
        let (store, state) = try await place.open()
        #expect((100..<201).contains(state.retained.count))
        #expect(state.retained.contains { $0.topic.string == "ours" })
        await store.close()
        #expect(!place.directory.exists(Self.standIn))
        #expect(place.damagedFiles().count == 1)
    }
}
