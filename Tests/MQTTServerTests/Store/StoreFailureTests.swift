import Glibc
import MQTTWire
import NIOCore
import SQLite
import TestSupport
import Testing
import Units

@testable import MQTTServer

/// A full, failing, damaged or read-only disk does not stop the server (D6).
@Suite struct StoreFailureTests {
    let place: StorePlace

    init() throws { place = try StorePlace() }

    @Test(arguments: [SQLiteError.full, .inputOutput])
    func `what a failing disk did not take comes with the next batch (D6)`(error: SQLiteError) async throws {
        let (store, state) = try await place.open()
        var generator = ChangeGenerator(state, seed: 1, now: place.now)
        #expect(await store.commit(generator.next(100), at: place.now).failure == nil)
        await store.fail(with: error)
        for batch in 1...3 {
            let status = await store.commit(generator.next(100), at: place.now)
            #expect(status.unsaved == batch)
            #expect(status.failure?.contains(place.path) == true)
            #expect(!status.wantsEverything)
        }
        await store.fail(with: nil)
        var status = await store.commit([], at: place.now)
        #expect(status.failure == nil && status.unsaved == 0 && !status.wantsEverything)
        status = await store.commit(generator.next(10), at: place.now)
        #expect(status.failure == nil)
        let (after, found) = try await store.crashCopy(of: place).open()
        #expect(StoreModel(found) == generator.model)
        await after.close()
        await store.close()
    }

    @Test func `what no longer fits into memory is made up for by everything anew (D5, D6)`() async throws {
        let (store, _) = try await place.open()
        await store.fail(with: .full)
        var changes: [Change] = []
        var status = ServerStoreStatus()
        for id in Int64(1)...20 where !status.wantsEverything {
            let batch = try retained(id, "t/\(id)", bytes: 100_000)
            changes += batch
            status = await store.commit(batch, at: place.now)
            #expect(status.failure != nil)
            #expect(status.unsaved == Int(id))
            #expect(status.wantsEverything == (id > 10), "\(id)")
        }
        #expect(await store.pending.isEmpty)
        // It is asked for now and then only, as long as it fails.
        var generator = ChangeGenerator(StoredState(), seed: 2, now: place.now)
        _ = generator.next(500)
        #expect(await !store.replaceEverything(with: generator.state, at: place.now).wantsEverything)
        #expect(await !store.commit([], at: place.now + .seconds(4)).wantsEverything)
        #expect(await store.commit([], at: place.now + .seconds(5)).wantsEverything)
        await store.fail(with: nil)
        status = await store.replaceEverything(with: generator.state, at: place.now)
        #expect(status.failure == nil && status.unsaved == 0 && !status.wantsEverything)
        #expect(await store.commit(generator.next(100), at: place.now).failure == nil)
        await store.close()
        let (again, found) = try await place.open()
        #expect(StoreModel(found) == generator.model)
        await again.close()
    }

    @Test func `a database at its limit says so, and goes on when there is less to store (D5, D6)`() async throws {
        let (store, _) = try await place.open(maximumSize: 256 << 10)
        var status = ServerStoreStatus()
        var id: Int64 = 0
        while status.failure == nil, id < 100 {
            id += 1
            status = await store.commit(try retained(id, "t/\(id)", bytes: 10_000), at: place.now)
        }
        #expect((20...26).contains(id))
        #expect(status.failure?.contains("limit of 262144 bytes; raise") == true)
        // What is deleted with the next batch makes room for this one.
        var changes: [Change] = []
        for old in 1...id { changes += [.retainedRemoved(try TopicName("t/\(old)")), .messageDeleted(old)] }
        status = await store.commit([], at: place.now)
        #expect(status.failure != nil)
        await store.close()
        let (again, state) = try await place.open(maximumSize: 256 << 10)
        #expect(state.retained.count == id - 1)
        status = await again.commit(changes, at: place.now)
        #expect(status.failure == nil)
        await again.close()
        #expect(try place.directory.readBytes("broker.db").count <= 256 << 10)
    }

    // MARK: - Damage

    /// A closed store of 300 retained messages and 20 sessions.
    private func prepare(bytes: Int = 500) async throws -> [UInt8] {
        let (store, _) = try await place.open()
        var changes: [Change] = []
        for id in SessionID(1)...20 { changes.append(.session(session(id))) }
        for id in Int64(1)...300 { changes += try retained(id, "t/\(id)", bytes: bytes) }
        _ = await store.commit(changes, at: place.now)
        await store.close()
        return try place.directory.readBytes("broker.db")
    }

    @Test func `a file of nothing but NUL is moved aside (D6)`() async throws {
        let size = try await prepare().count
        try place.directory.write([UInt8](repeating: 0x55, count: size), to: "broker.db")
        let (store, state) = try await place.open()
        #expect(state.sessions.isEmpty && state.messages.isEmpty)
        #expect(place.damagedFiles().count == 1)
        let status = await store.commit(try retained(1, "t"), at: place.now)
        #expect(status.failure == nil && !status.wantsEverything)
        await store.close()
        let (again, found) = try await place.open()
        #expect(found.retained.count == 1)
        await again.close()
    }

    @Test func `what lies around damaged pages is taken over (D6)`() async throws {
        var bytes = try await prepare()
        let size = Int(try Connection(path: place.path).pragma("page_size"))
        // A leaf of a table with rows (sqlite.org/fileformat2.html, 1.6), in the middle of the file.
        let leaf = try #require((bytes.count / size / 2..<bytes.count / size).first { bytes[$0 * size] == 13 })
        bytes.replaceSubrange(leaf * size..<(leaf + 1) * size, with: repeatElement(0xA5, count: size))
        try place.directory.write(bytes, to: "broker.db")
        let (store, state) = try await place.open()
        #expect(state.sessions.count == 20)
        #expect((285..<300).contains(state.retained.count))
        #expect(state.messages.count == state.retained.count)
        #expect(state.nextMessageID > 301)
        #expect(place.damagedFiles().count == 1)
        #expect(await store.commit([], at: place.now).failure == nil)
        let (after, found) = try await store.crashCopy(of: place).open()
        #expect(StoreModel(found) == StoreModel(state))
        await after.close()
        await store.close()
    }

    @Test(arguments: ["expiry INTEGER NOT NULL, ends", "TABLE session", "TABLE retained"])
    func `damage in the text of the schema is damage (D6)`(text: String) async throws {
        var bytes = try await prepare()
        let place = try #require(bytes.indices.first { bytes[$0...].starts(with: text.utf8) })
        // The last letter of a name.
        bytes[place + text.utf8.count - 1] = UInt8(ascii: "q")
        try self.place.directory.write(bytes, to: "broker.db")
        let (store, state) = try await self.place.open()
        var status = await store.commit(
            try retained(state.nextMessageID, "n") + [.session(session(999))], at: self.place.now)
        if status.wantsEverything { status = await store.replaceEverything(with: state, at: self.place.now) }
        #expect(status.failure == nil)
        #expect(self.place.damagedFiles().count == 1)
        await store.close()
        let (again, _) = try await self.place.open()
        #expect(await again.commit([.session(session(1_000))], at: self.place.now).failure == nil)
        await again.close()
    }

    @Test func `a file that was cut off gives what is left of it (D6)`() async throws {
        let bytes = try await prepare()
        for part in 1...7 {
            try place.directory.write(Array(bytes.prefix(bytes.count * part / 8)), to: "broker.db")
            let (store, state) = try await place.open()
            #expect(Set(state.messages.map(\.id)).count == state.retained.count)
            if part == 7 { #expect(state.messages.count > 100) }
            #expect(await store.commit(try retained(1 << 30, "t"), at: place.now).failure == nil)
            await store.close()
            #expect((1...3).contains(place.damagedFiles().count))
        }
    }

    @Test func `any bytes in a file are borne (S3, D6)`() async throws {
        let bytes = try await prepare()
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix64(seed: seed)
        for round in 0..<40 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...200, using: &random) {
                damaged[Int.random(in: 0..<damaged.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            try place.directory.write(damaged, to: "broker.db")
            do {
                let (store, state) = try await place.open()
                _ = StoreModel(state)
                var status = await store.commit(try retained(state.nextMessageID, "n"), at: place.now)
                if status.wantsEverything {
                    status = await store.replaceEverything(with: state, at: place.now)
                }
                #expect(status.failure == nil, "seed \(seed), round \(round)")
                await store.close()
            } catch {
                // The few bytes that say what it is.
                let isRefused =
                    switch error as? ServerStoreError {
                    case .notAStore, .newerSchema: true
                    default: false
                    }
                #expect(isRefused, "seed \(seed), round \(round): \(error)")
            }
            for suffix in ["", "-wal", "-shm"] where place.directory.exists("broker.db" + suffix) {
                try place.directory.remove("broker.db" + suffix)
            }
        }
    }

    @Test func `damage that shows during work is mended with everything anew (D6)`() async throws {
        // More than the store keeps in memory.
        let bytes = try await prepare(bytes: 12_000)
        let (store, state) = try await place.open()
        try place.directory.write([UInt8](repeating: 0x77, count: bytes.count), to: "broker.db")
        var status = ServerStoreStatus()
        for id in 0..<Int64(50) where !status.wantsEverything {
            status = await store.commit(
                [.retainedRemoved(try TopicName("t/\(id * 6 + 1)")), .messageDeleted(id * 6 + 1)], at: place.now)
        }
        #expect(status.wantsEverything)
        #expect(status.failure?.contains("damaged") == true)
        status = await store.replaceEverything(with: state, at: place.now)
        #expect(status.failure == nil && !status.wantsEverything)
        #expect(place.damagedFiles().count == 1)
        await store.close()
        let (again, found) = try await place.open()
        #expect(StoreModel(found) == StoreModel(state))
        await again.close()
    }

    @Test func `rows that belong to nothing are removed`() async throws {
        _ = try await prepare()
        let connection = try Connection(path: place.path)
        for sql in [
            "INSERT INTO subscription VALUES (99, 'a', 0, NULL)", "INSERT INTO received VALUES (99, 1)",
            "INSERT INTO queue VALUES (1, 1, 999, 1, NULL)", "INSERT INTO queue VALUES (99, 1, 1, 1, NULL)",
            "INSERT INTO retained VALUES ('x', 999)", "INSERT INTO retained VALUES ('#', 1)",
            "INSERT INTO message VALUES (500, 0, NULL, NULL, '', 't', NULL, x'')",
            "INSERT INTO message VALUES (501, 3, NULL, NULL, '', 't', NULL, x'')",
            "INSERT INTO message VALUES (502, 1, NULL, NULL, '', 't', x'FF', x'')",
            "INSERT INTO session VALUES (98, 'client-1', NULL, 9, 0, NULL, NULL, 0)",
            // The later session has the name.
            "INSERT INTO session VALUES (97, 'client-1', NULL, 5, 0, NULL, NULL, 0)",
            "INSERT INTO will VALUES ('c', NULL, -1, 0, 't', NULL, x'')",
        ] { try connection.execute(sql) }
        let (store, state) = try await place.open()
        #expect(state.sessions.map(\.session.id).sorted() == Array(2...20) + [97])
        #expect(state.messages.count == 300 && state.retained.count == 300 && state.wills.isEmpty)
        #expect(state.sessions.allSatisfy { $0.queue.isEmpty && $0.subscriptions.isEmpty && $0.received.isEmpty })
        await store.close()
        for (table, count) in [("subscription", 0), ("received", 0), ("queue", 0), ("message", 300), ("session", 20)] {
            let counting = try connection.prepare("SELECT count(*) FROM \(table)")
            #expect(try counting.step())
            #expect(counting.integer(0) == count, "\(table)")
        }
    }

    @Test func `numbers that a damaged file says are of no harm`() async throws {
        _ = try await prepare()
        let connection = try Connection(path: place.path)
        try connection.execute(
            "INSERT INTO subscription VALUES (2, 'a', 0, NULL); INSERT INTO offer VALUES (2, 'a', '', \(Int64.max))")
        let (store, state) = try await place.open()
        await store.close()
        #expect(state.sessions.flatMap(\.offers).map(\.below) == [1 << 60])
        var both = state
        both.take(over: state)
        #expect(both.sessions.count == state.sessions.count)
    }

    // MARK: - What is refused

    @Test func `somebody else's database is refused and left alone`() async throws {
        try Connection(path: place.path).execute("CREATE TABLE t (i)")
        let bytes = try place.directory.readBytes("broker.db")
        await #expect(throws: ServerStoreError.notAStore(path: place.path)) { _ = try await place.open() }
        #expect(try place.directory.readBytes("broker.db") == bytes)
    }

    @Test func `a second opener is refused, and told by whom`() async throws {
        let (store, _) = try await place.open()
        let error = await #expect(throws: ServerStoreError.self) { _ = try await place.open() }
        #expect(error == .inUse(path: place.path, pid: getpid()))
        #expect("\(try #require(error))".contains("process \(getpid());"))
        await store.close()
        let (again, _) = try await place.open()
        await again.close()
    }

    @Test func `a missing folder is the owner's mistake`() async throws {
        let error = await #expect(throws: ServerStoreError.self) {
            _ = try await place.open(path: place.directory.path("missing/broker.db"))
        }
        #expect("\(try #require(error))".contains("create its folder"))
    }

    @Test func `nobody else may read the files`() async throws {
        let (store, _) = try await place.open()
        _ = await store.commit(try retained(1, "t"), at: place.now)
        for name in ["broker.db", "broker.db-wal", "broker.db-shm", "broker.db.lock"] {
            var file = stat()
            #expect(stat(place.directory.path(name), &file) == 0)
            #expect(file.st_mode & 0o777 == 0o600, "\(name)")
        }
        await store.close()
    }

    @Test func `a store that is closed does nothing more`() async throws {
        let (store, _) = try await place.open()
        await store.close()
        await store.close()
        #expect(await store.commit(try retained(1, "t"), at: place.now).failure?.contains("closed") == true)
        #expect(await store.replaceEverything(with: StoredState(), at: place.now).failure != nil)
        let (again, state) = try await place.open()
        #expect(state.retained.isEmpty)
        await again.close()
    }

    // MARK: - Places that cannot be written

    @Test func `a place that may not be written to does not stop the server (D6)`() async throws {
        // Nobody can create files there, not even root.
        let (store, state) = try await place.open(path: "/sys/kernel/broker.db")
        #expect(state.sessions.isEmpty)
        let status = await store.commit(try retained(1, "t"), at: place.now)
        #expect(status.failure?.contains("kept in memory only") == true)
        #expect(status.wantsEverything && status.unsaved == 1)
        #expect(await store.replaceEverything(with: state, at: place.now).failure != nil)
        await store.close()
    }

    @Test func `a file that cannot be read at first is kept, and not overwritten (D6)`() async throws {
        let bytes = try await prepare()
        // A directory in the place of the log cannot be opened as one.
        #expect(mkdir(place.path + "-wal", 0o755) == 0)
        let (store, state) = try await place.open()
        #expect(state.sessions.isEmpty)
        #expect(await store.commit(try retained(1, "t"), at: place.now).wantsEverything)
        #expect(rmdir(place.path + "-wal") == 0)
        let status = await store.replaceEverything(with: StoredState(), at: place.now)
        #expect(status.failure == nil)
        let kept = try #require(place.damagedFiles().first)
        #expect(try place.directory.readBytes(kept) == bytes)
        await store.close()
    }

    @Test func `a file that somebody removed while the disk failed is written anew (D6)`() async throws {
        _ = try await prepare()
        let (store, state) = try await place.open()
        await store.fail(with: .inputOutput)
        _ = await store.commit(try retained(1000, "t"), at: place.now)
        for suffix in ["", "-wal", "-shm"] where place.directory.exists("broker.db" + suffix) {
            try place.directory.remove("broker.db" + suffix)
        }
        await store.fail(with: nil)
        #expect(await store.commit([], at: place.now).wantsEverything)
        #expect(await store.replaceEverything(with: state, at: place.now).failure == nil)
        await store.close()
        let (again, found) = try await place.open()
        #expect(found.retained.count == 300)
        await again.close()
    }
}
