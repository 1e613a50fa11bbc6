import Database
import Glibc
import MQTT
import MQTTWire
import SQLite
import TestSupport
import Testing
import Units

@testable import StoreForward

/// Going to a newer program and back (A/B images, packages that are downgraded).
@Suite struct FormatTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    private var standIn: String { folder.queue + ".format-2" }
    private var version: Int64 { get throws { try Connection(path: folder.queue).pragma("user_version") } }

    /// A file as the first programs wrote it.
    private static let first = """
        PRAGMA page_size = 1024;
        PRAGMA journal_mode = WAL;
        CREATE TABLE message (id INTEGER PRIMARY KEY, accepted INTEGER NOT NULL, flags INTEGER NOT NULL,
            expiry INTEGER, topic TEXT NOT NULL, payload BLOB NOT NULL, properties BLOB);
        CREATE TABLE released (id INTEGER PRIMARY KEY);
        CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO message VALUES (562949953421317, 1780000000000, 1, NULL, 'a/b', 'five', NULL);
        INSERT INTO message VALUES (562949953421318, 1780000000001, 6, 3600000, 'a/c', 'six', NULL);
        INSERT INTO message VALUES (7, 1780000000002, 1, NULL, 'a/urgent', 'seven', NULL);
        INSERT INTO released VALUES (562949953421318);
        INSERT INTO meta VALUES ('next_sequence', 8), ('rows', 3), ('lost.size', 4), ('counter.boot', 12),
            ('counter.session', 99), ('note.bridge', 5);
        PRAGMA application_id = 1179668290;
        PRAGMA user_version = 1;
        """

    @Test func `a queue of the first format is read, and the program that wrote it can have it back`() async throws {
        try Connection(path: folder.queue).execute(Self.first)
        let outbox = try await Outbox.opened(folder)
        #expect(try await outbox.session()?.name == 99)
        #expect(try await outbox.increment(counter: "boot") == 13)
        #expect(try await outbox.note("bridge") == 5)
        #expect(try await outbox.status().losses.evictedBySize == 4)
        #expect(try await outbox.status().queued == 3)
        let given = try await outbox.next(maximumCount: 9, maximumBytes: .max)
        #expect(given.map(text) == ["seven", "five", "six"])
        #expect(given.map(\.isReleased) == [false, false, true])
        #expect(given.last?.message.qos == .exactlyOnce && given.last?.message.retain == true)
        await outbox.close()
        #expect(try version == 1002)

        // The first program knows nothing of the second step, and need not.
        var former = QueueDatabase.format
        former.steps = [former.steps[0]]
        let bytes = try Folder.read(folder.queue)
        let connection = try former.open(folder.queue, isSynchronous: true, cache: 65_536)
        #expect(try former.check(connection) == DatabaseVersion(written: 2, readableFrom: 1))
        #expect(try connection.pragma("user_version") == 1002)
        #expect(bytes.count == (try Folder.read(folder.queue)).count)
    }

    @Test func `a newer queue that older programs can go on with is gone on with, and stays newer`() async throws {
        let first = try await Outbox.opened(folder)
        _ = try await first.append([message("1")])
        await first.close()
        try Connection(path: folder.queue).execute(
            "CREATE TABLE novelty (i); INSERT INTO meta VALUES ('novelty', 1); PRAGMA user_version = 2007")
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append([message("2")])
        #expect(try await outbox.texts() == ["1", "2"])
        #expect(try await outbox.status().newer == nil)
        await outbox.close()
        #expect(try version == 2007)
        let novelty = try Connection(path: folder.queue).prepare("SELECT value FROM meta WHERE name = 'novelty'")
        #expect(try novelty.step())
    }

    /// A queue with messages in it becomes one of a program that is to come.
    private func becomeNewer(_ texts: [String]) async throws {
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.increment(counter: "boot")
        try await outbox.beginSession(7)
        _ = try await outbox.append { _ in try texts.map { try message($0) } }
        await outbox.close()
        try Connection(path: folder.queue).pragma("user_version", 9)
    }

    private func becomeOursAgain() throws { try Connection(path: folder.queue).pragma("user_version", 1002) }

    @Test func `a newer queue that cannot be read is left alone, and another used beside it (D6)`() async throws {
        try await becomeNewer(["1", "2"])
        let (bytes, times) = (try Folder.read(folder.queue), try Times(folder.queue))
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append([message("3")])
        let status = try await outbox.status()
        #expect(status.state == .durable)
        #expect(status.queued == 1)
        #expect(
            status.newer == NewerQueue(path: folder.queue, format: 9, needed: 9, known: 2, instead: standIn))
        // So that a stale will can be told, and that no number stands for two messages.
        #expect(try await outbox.increment(counter: "boot") > 700_000)
        #expect(status.nextSequence == 4)

        // Also after a crash, and for whoever looks from outside.
        let crashed = try folder.crashCopy()
        for name in folder.names where name.hasPrefix("queue.db.format-2") {
            try Folder.write(Folder.read(folder.path + "/" + name), to: crashed.path + "/" + name)
        }
        let seen = try Outbox.inspect(path: crashed.queue, limit: 9)
        #expect(seen.status.newer?.format == 9 && seen.messages.count == 1)
        let after = try await Outbox.opened(crashed)
        #expect(try await after.texts() == ["3"])
        await outbox.close()
        #expect(try Folder.read(folder.queue) == bytes)
        #expect(try Times(folder.queue) == times)
        #expect(folder.names == ["queue.db", "queue.db.format-2", "queue.db.lock"])
    }

    @Test func `a look into a newer queue says whose it is`() async throws {
        try await becomeNewer(["1"])
        let error = #expect(throws: OutboxError.self) { try Outbox.inspect(path: folder.queue) }
        #expect(error == .newerSchema(path: folder.queue, found: 9, needed: 9, known: 2))
        #expect(
            error?.description
                == "\(folder.queue): written by a newer Fieldpost (format 9, for programs that know 9; this one knows 2); use the newer program, or move the file away"
        )
    }

    @Test func `the newer program takes over what was queued meanwhile (D1, D4)`() async throws {
        try await becomeNewer(["1", "2"])
        let older = try await Outbox.opened(folder)
        let ids = try await older.append([message("3"), message("gone"), message("4"), message("urgent", .urgent)])
        _ = try await older.next(maximumCount: 9, maximumBytes: .max)
        try await older.acknowledge([ids[1]])
        _ = try await older.append([message("old", expiry: .seconds(1))])
        let boot = try await older.increment(counter: "boot")
        try await older.beginSession(8)
        try await older.note(5, as: "bridge")
        let before = try await older.status()
        await older.close()

        try becomeOursAgain()
        let clock = TestClock(.start + .seconds(60))
        let outbox = try await Outbox.opened(folder, clock: clock)
        #expect(try await outbox.texts() == ["urgent", "1", "2", "3", "4"])
        let status = try await outbox.status()
        #expect(status.newer == nil)
        #expect(status.losses.expired == 1)
        #expect(status.queued == 5)
        #expect(status.nextSequence >= before.nextSequence)
        // What the broker keeps for us is the other program's session.
        #expect(try await outbox.session() == nil)
        #expect(try await outbox.increment(counter: "boot") == boot + 1)
        #expect(try await outbox.note("bridge") == 5)
        await outbox.close()
        #expect(folder.names == ["queue.db", "queue.db.lock"])
        let again = try await Outbox.opened(folder)
        #expect(try await again.session() == nil, "not in the file either")
        #expect(try await again.status().queued == 5)
    }

    @Test func `a crash before the other file was removed brings nothing twice (D3)`() async throws {
        try await becomeNewer(["1"])
        let older = try await Outbox.opened(folder)
        _ = try await older.append([message("2")])
        await older.close()
        let bytes = try Folder.read(standIn)
        try becomeOursAgain()
        let first = try await Outbox.opened(folder)
        let ids = try await first.next(maximumCount: 9, maximumBytes: .max).map(\.id)
        #expect(ids.count == 2)
        try await first.acknowledge(ids)
        await first.close()
        try Folder.write(bytes, to: standIn)
        let second = try await Outbox.opened(folder)
        #expect(try await second.texts() == [])
        #expect(folder.names == ["queue.db", "queue.db.lock", "queue.db-shm", "queue.db-wal"].sorted())
    }

    @Test func `numbers go on behind a log that is not read, too`() async throws {
        let first = try await Outbox.opened(folder)
        _ = try await first.append { _ in try (1...50).map { try message("\($0)") } }
        let copy = try folder.crashCopy()
        await first.close()
        let connection = try Connection(path: copy.queue)
        try connection.pragma("user_version", 9)
        let crashed = try copy.crashCopy()
        let older = try await Outbox.opened(crashed)
        let ids = try await older.append([message("51")])
        #expect((51...200_000).contains(ids[0].sequence))
        await older.close()
        try Connection(path: crashed.queue).pragma("user_version", 1002)
        let outbox = try await Outbox.opened(crashed)
        #expect(try await outbox.texts() == (1...51).map { "\($0)" })
        #expect(try await outbox.list(limit: 99).last?.sequence == ids[0].sequence, "as its payload says")
    }

    @Test func `numbers of a file that does not tell them do not come in the way of others`() async throws {
        try await becomeNewer(["1", "2", "3"])
        try Connection(path: folder.queue).execute(
            "ALTER TABLE meta RENAME TO facts; ALTER TABLE message RENAME TO news")
        let older = try await Outbox.opened(folder)
        _ = try await older.append([message("4"), message("5")])
        #expect(try await older.list(limit: 9).map(\.sequence) == [1, 2])
        await older.close()
        try Connection(path: folder.queue).execute(
            "ALTER TABLE facts RENAME TO meta; ALTER TABLE news RENAME TO message")
        try becomeOursAgain()
        let outbox = try await Outbox.opened(folder)
        #expect(try await outbox.texts() == ["1", "2", "3", "4", "5"])
        #expect(try await outbox.append([message("6")]).count == 1)
        #expect(try await outbox.texts() == ["6"])
    }

    @Test func `of a damaged one what can be read is taken over (D6)`() async throws {
        try await becomeNewer(["first"])
        let older = try await Outbox.opened(folder)
        _ = try await older.append { _ in
            try (1...400).map { try message("\($0):" + String(repeating: "x", count: 150)) }
        }
        await older.close()
        var bytes = try Folder.read(standIn)
        for index in 40_960..<43_008 { bytes[index] = 0x55 }
        try Folder.write(bytes, to: standIn)
        try becomeOursAgain()
        let outbox = try await Outbox.opened(folder)
        let status = try await outbox.status()
        #expect((350..<400).contains(status.queued - 1))
        #expect(status.losses.damaged == Int64(401 - status.queued))
        #expect(folder.names.contains { $0.hasPrefix("queue.db.format-2.damaged-") })
        #expect(!folder.names.contains("queue.db.format-2"))
        let texts = try await outbox.texts()
        #expect(texts.first == "first" && texts.last?.hasPrefix("400:") == true)
    }

    @Test func `programs of three formats, one after the other`() async throws {
        try await becomeNewer(["1"])
        // The oldest of them, which knows the first format only, has been here.
        try Connection(path: folder.queue + ".format-1").execute(
            Self.first + "INSERT INTO meta VALUES ('note.stand_in', 77)")
        let middle = try await Outbox.opened(folder)
        #expect(try await middle.texts() == ["seven", "five", "six"])
        #expect(try await middle.session() == nil)
        await middle.close()
        #expect(folder.names == ["queue.db", "queue.db.format-2", "queue.db.lock"])
        try becomeOursAgain()
        let outbox = try await Outbox.opened(folder)
        #expect(try await outbox.texts() == ["seven", "1", "five", "six"])
    }

    @Test func `a full disk lets the other queue wait for the next start (D6)`() async throws {
        try await becomeNewer(["1"])
        let older = try await Outbox.opened(folder)
        _ = try await older.append([message("2")])
        await older.close()
        try becomeOursAgain()
        // Nothing can be written to it.
        try Connection(path: folder.queue).execute(
            "CREATE TRIGGER full BEFORE INSERT ON message BEGIN SELECT raise(ABORT, 'full'); END")
        let first = try await Outbox.opened(folder)
        #expect(try await first.texts() == ["1"])
        #expect(folder.names.contains("queue.db.format-2"))
        await first.close()
        try Connection(path: folder.queue).execute("DROP TRIGGER full")
        let second = try await Outbox.opened(folder)
        #expect(try await second.texts() == ["1", "2"])
    }

    @Test func `a counter that is given up is not in the file either`() async throws {
        let database = try QueueDatabase(path: folder.queue, durability: .relaxed)
        var ledger = Ledger()
        ledger.counters = ["session": 4, "boot": 1]
        try database.write(ledger)
        try database.connection.execute("INSERT INTO meta VALUES ('novelty', 1)")
        let again = try QueueDatabase(path: folder.queue, durability: .relaxed)
        ledger.counters["session"] = nil
        try again.write(ledger)
        let third = try QueueDatabase(path: folder.queue, durability: .relaxed)
        #expect(third.written["counter.session"] == nil)
        #expect(third.written["counter.boot"] == 1)
        #expect(third.written["novelty"] == 1)
    }
}

/// When a file was last changed, in nanoseconds.
struct Times: Equatable {
    private let changed: [Int]

    init(_ path: String) throws {
        var file = stat()
        guard stat(path, &file) == 0 else { throw Folder.Failure() }
        changed = [file.st_mtim.tv_sec, file.st_mtim.tv_nsec, file.st_ctim.tv_sec, file.st_ctim.tv_nsec]
    }
}

/// What is read of a database without SQLite is what SQLite reads.
@Suite struct DatabaseHeaderTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    @Test func `the latest committed numbers count, wherever they are`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for round in 0..<20 {
            let path = "\(folder.path)/\(round).db"
            #expect(DatabaseHeader(path: path) == nil)
            let connection = try Connection(path: path)
            try connection.pragma("page_size", [512, 1024, 4096, 65_536].randomElement(using: &random) ?? 512)
            try connection.pragma("journal_mode", "WAL")
            try connection.pragma("wal_autocheckpoint", Int.random(in: 0...20, using: &random))
            try connection.execute("CREATE TABLE t (b)")
            for step in 0..<40 {
                switch Int.random(in: 0..<6, using: &random) {
                case 0: try connection.pragma("user_version", Int.random(in: 0...100_000, using: &random))
                case 1: try connection.pragma("application_id", Int.random(in: 0...100_000, using: &random))
                case 2: try connection.checkpoint()
                case 3:
                    // Frames of what is not committed, also of the first page.
                    try connection.execute("PRAGMA cache_size = 1; BEGIN")
                    try connection.execute("INSERT INTO t VALUES (randomblob(100000))")
                    try connection.pragma("user_version", 77)
                    try connection.execute("INSERT INTO t VALUES (randomblob(100000)); ROLLBACK")
                default: try connection.execute("INSERT INTO t VALUES (randomblob(700))")
                }
                let header = try #require(DatabaseHeader(path: path))
                #expect(
                    try header.userVersion == connection.pragma("user_version")
                        && header.applicationID == connection.pragma("application_id"),
                    "seed \(seed), round \(round), step \(step)")
            }
        }
    }

    @Test func `a newer number that is in the log only is seen, and the log not touched`() async throws {
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append([message("1")])
        await outbox.close()
        let connection = try Connection(path: folder.queue)
        try connection.pragma("user_version", 9)
        let copy = try folder.crashCopy()
        #expect(try Folder.read(copy.queue + "-wal").count > 0)
        let (bytes, log) = (try Times(copy.queue), try Times(copy.queue + "-wal"))
        let other = try await Outbox.opened(copy)
        #expect(try await other.status().newer?.format == 9)
        await other.close()
        #expect(try Times(copy.queue) == bytes && Times(copy.queue + "-wal") == log)
        #expect(!copy.names.contains("queue.db-shm"))
    }

    @Test func `any bytes are borne (S3)`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let path = "\(folder.path)/a.db"
        let connection = try Connection(path: path)
        try connection.pragma("journal_mode", "WAL")
        try connection.execute("CREATE TABLE t (b); INSERT INTO t VALUES (1)")
        let (file, log) = (try Folder.read(path), try Folder.read(path + "-wal"))
        let damaged = "\(folder.path)/b.db"
        for _ in 0..<300 {
            for (bytes, suffix) in [(file, ""), (log, "-wal")] {
                var bytes = Array(bytes.prefix(.random(in: 0...bytes.count, using: &random)))
                for _ in 0..<Int.random(in: 0...8, using: &random) where !bytes.isEmpty {
                    let index = Int.random(in: 0..<min(bytes.count, 120), using: &random)
                    bytes[index] = .random(in: 0...255, using: &random)
                }
                try Folder.write(bytes, to: damaged + suffix)
            }
            if let header = DatabaseHeader(path: damaged) {
                let version = DatabaseVersion(userVersion: header.userVersion)
                #expect(version.written >= version.readableFrom && version.readableFrom >= 1, "seed \(seed)")
            }
        }
    }

    @Test(arguments: [(1, 1, 1), (2, 2, 2), (2, 1, 1002), (12, 7, 7012)])
    func twoNumbersAreOne(written: Int64, readableFrom: Int64, userVersion: Int64) {
        let version = DatabaseVersion(written: written, readableFrom: readableFrom)
        #expect(version.userVersion == userVersion)
        #expect(DatabaseVersion(userVersion: userVersion) == version)
    }

    @Test func `a step brings a file to the next format, and a step that fails leaves it as it was`() throws {
        var format = DatabaseFormat(
            applicationID: 5, pageSize: 1024, steps: [.init("CREATE TABLE a (i)", readableFrom: 1)])
        let path = "\(folder.path)/c.db"
        try format.open(path, isSynchronous: false, cache: 65_536).execute("INSERT INTO a VALUES (1)")
        format.steps.append(.init("CREATE TABLE b (i); CREATE TABLE nonsense", readableFrom: 2))
        #expect(throws: SQLiteError.self) { try format.open(path, isSynchronous: false, cache: 65_536) }
        #expect(DatabaseHeader(path: path)?.userVersion == 1)
        format.steps[1] = .init("CREATE TABLE b (i)", readableFrom: 2)
        let connection = try format.open(path, isSynchronous: false, cache: 65_536)
        try connection.execute("INSERT INTO b SELECT i FROM a")
        #expect(connection.changes == 1)
        #expect(try connection.pragma("user_version") == 2)
        format.steps.removeLast()
        #expect(throws: DatabaseFormat.Mismatch.newer(DatabaseVersion(written: 2, readableFrom: 2))) {
            try format.open(path, isSynchronous: false, cache: 65_536)
        }
    }
}
