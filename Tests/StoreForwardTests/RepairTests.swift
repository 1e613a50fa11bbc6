import Database
import Glibc
import MQTT
import MQTTWire
import NIOCore
import SQLite
import Testing
import Units

@testable import StoreForward

@Suite struct RepairTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    /// A closed queue of 400 messages of about 500 bytes; number n has the text "n:…".
    private func prepare() async throws -> [UInt8] {
        let outbox = try await Outbox.opened(folder)
        for _ in 0..<8 {
            _ = try await outbox.append { first in
                try (first..<first + 50).map { try message("\($0):" + String(repeating: "x", count: 500)) }
            }
        }
        _ = try await outbox.increment(counter: "boot")
        await outbox.close()
        return try Folder.read(folder.queue)
    }

    private func numbers(_ texts: [String]) -> [Int] { texts.map { Int($0.prefix { $0 != ":" }) ?? -1 } }

    @Test func `a file of nothing but NUL is moved aside (D6)`() async throws {
        let size = try await prepare().count
        try Folder.write([UInt8](repeating: 0, count: size), to: folder.queue)
        let outbox = try await Outbox.opened(folder)
        let status = try await outbox.status()
        #expect(status.state == .durable)
        #expect(status.damage?.salvaged == 0)
        #expect(status.damagedFiles == [status.damage?.movedTo])
        #expect(try Folder.read(try #require(status.damage?.movedTo)).count == size)
        _ = try await outbox.append([message("1")])
        #expect(try await outbox.texts() == ["1"])
    }

    @Test func `numbers and counts go on behind those that a damaged file took with it (D6, P3)`() async throws {
        let size = try await prepare().count
        try Folder.write([UInt8](repeating: 0, count: size), to: folder.queue)
        let outbox = try await Outbox.opened(folder)
        #expect(try await outbox.status().nextSequence > 400)
        let boot = try await outbox.increment(counter: "boot")
        #expect(boot > 2)
        #expect(try await outbox.increment(counter: "boot") == boot + 1)
    }

    @Test func `a queue that was closed knows exactly what its damage costs (D6)`() async throws {
        var outbox = try await Outbox.opened(folder)
        _ = try await outbox.append((1...30).map { _ in try message(String(repeating: "x", count: 500)) })
        await outbox.close()
        var bytes = try Folder.read(folder.queue)
        // The root of the table of messages is the second page: everything hangs on it.
        let size = QueueDatabase.format.pageSize
        bytes.replaceSubrange(size..<2 * size, with: repeatElement(0xA5, count: size))
        try Folder.write(bytes, to: folder.queue)
        outbox = try await Outbox.opened(folder)
        _ = try await outbox.texts()
        let status = try await outbox.status()
        #expect(status.losses.damaged == 30 - Int64(try #require(status.damage?.salvaged)))
        #expect(status.nextSequence > 30)
    }

    @Test func `what lies around damaged pages is taken over in order (D6)`() async throws {
        var bytes = try await prepare()
        let size = QueueDatabase.format.pageSize
        let pages = bytes.count / size
        for part in [1, 2, 3] {
            // A leaf of a table (sqlite.org/fileformat2.html, 1.6); it holds one or two messages.
            let leaf = try #require((pages * part / 4..<pages).first { bytes[$0 * size] == 13 })
            bytes.replaceSubrange(leaf * size..<(leaf + 1) * size, with: repeatElement(0xA5, count: size))
        }
        try Folder.write(bytes, to: folder.queue)
        let outbox = try await Outbox.opened(folder)
        var texts: [String] = []
        while case let more = try await outbox.texts(maximumCount: 20), !more.isEmpty { texts += more }
        let found = numbers(texts)
        #expect((394...397).contains(found.count))
        #expect(found == Array(Set(found)).sorted())
        let status = try await outbox.status()
        #expect(status.damage?.reason.contains("malformed") == true)
        #expect(status.losses.damaged == Int64(400 - found.count))
        #expect(status.nextSequence == 401)
        #expect(try await outbox.increment(counter: "boot") == 2)
        #expect(folder.names.filter { $0.hasSuffix(".repaired") }.isEmpty)
    }

    @Test(arguments: ["TABLE message", "TABLE released", "TABLE meta"])
    func `damage in the text of the schema is damage (D6)`(text: String) async throws {
        var bytes = try await prepare()
        let place = try #require(bytes.indices.first { bytes[$0...].starts(with: text.utf8) })
        // The last letter of a name.
        bytes[place + text.utf8.count - 1] = UInt8(ascii: "q")
        try Folder.write(bytes, to: folder.queue)
        let outbox = try await Outbox.opened(folder)
        _ = try await outbox.append([message("new")])
        let status = try await outbox.status()
        #expect(status.state == .durable)
        #expect(status.damage != nil)
        #expect(try await outbox.texts(maximumCount: 1000).last == "new")
        await outbox.close()
    }

    @Test func `a file that was cut off gives what is left of it (D6)`() async throws {
        let bytes = try await prepare()
        try Folder.write(Array(bytes.prefix(bytes.count / 2)), to: folder.queue)
        let outbox = try await Outbox.opened(folder)
        let found = numbers(try await outbox.texts())
        #expect(found.count > 100)
        #expect(found == Array(Set(found)).sorted())
        #expect(try await outbox.status().damage != nil)
        _ = try await outbox.append([message("new")])
        #expect(try await outbox.status().state == .durable)
    }

    @Test func `damage during work keeps what was acknowledged, in flight and pending apart (D6)`() async throws {
        var bytes = try await prepare()
        let outbox = try await Outbox.opened(folder)
        let given = try await outbox.next(maximumCount: 100, maximumBytes: .max)
        #expect(given.count == 100)
        try await outbox.acknowledge(given.prefix(60).map(\.id))
        // Somebody writes over the file's end, where rows lie that were not read yet.
        for offset in bytes.count - 2 * QueueDatabase.format.pageSize..<bytes.count { bytes[offset] = 0x77 }
        try Folder.write(bytes, to: folder.queue)
        let found = numbers(try await outbox.texts())
        #expect(found.first == 101)
        #expect(found.count < 300 && found.count > 290)
        var status = try await outbox.status()
        #expect(status.damage != nil)
        #expect(status.inFlight == 40 + found.count)
        #expect(status.queued == 40 + found.count)
        #expect(status.losses.damaged == Int64(300 - found.count))
        try await outbox.rewind()
        #expect(numbers(try await outbox.texts()) == Array(61...100) + found)
        _ = try await outbox.append([message("401:")])
        status = try await outbox.status()
        #expect(status.state == .durable)
        #expect(status.nextSequence == 402)
    }

    @Test func `only the newest damaged files are kept (D5)`() async throws {
        for _ in 0..<5 {
            try Folder.write([UInt8](repeating: 0, count: 8192), to: folder.queue)
            let outbox = try await Outbox.opened(folder)
            #expect(try await outbox.status().damage != nil)
            await outbox.close()
        }
        let kept = folder.names.filter { $0.contains(".damaged-") && !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm") }
        #expect(kept.count == 3)
        #expect(kept.last?.hasSuffix("04") == true)
    }

    @Test func `a repair that a crash interrupted is finished at the next start`() async throws {
        let bytes = try await prepare()
        try Folder.write(bytes, to: folder.queue + ".repaired")
        unlink(folder.queue)
        try Folder.write(bytes, to: folder.queue + "-wal")
        let outbox = try await Outbox.opened(folder)
        #expect(try await outbox.status().queued == 400)
        #expect(folder.names.filter { $0.hasSuffix(".repaired") }.isEmpty)
        await outbox.close()
        // One that was not complete has its log beside it, and the damaged file is still there.
        try Folder.write(Array(bytes.prefix(4096)), to: folder.queue + ".repaired")
        try Folder.write([1], to: folder.queue + ".repaired-wal")
        try Folder.write([UInt8](repeating: 0, count: 8192), to: folder.queue)
        let again = try await Outbox.opened(folder)
        #expect(try await again.status().damage != nil)
        #expect(try await again.status().queued == 0)
    }

    @Test func `somebody else's database is refused and left alone`() async throws {
        try Connection(path: folder.queue).execute("CREATE TABLE t (i)")
        let bytes = try Folder.read(folder.queue)
        await #expect(throws: OutboxError.notAQueue(path: folder.queue)) { _ = try await Outbox.opened(folder) }
        #expect(try Folder.read(folder.queue) == bytes)
    }

    @Test func `two agents do not share a queue`() async throws {
        let outbox = try await Outbox.opened(folder)
        let error = await #expect(throws: OutboxError.self) { _ = try await Outbox.opened(folder) }
        #expect(error == .inUse(path: folder.queue, pid: getpid()))
        _ = try await outbox.append([message("1")])
        await outbox.close()
        #expect(try await folder.reopenedTexts() == ["1"])
    }

    @Test func `a missing directory is the owner's mistake`() async throws {
        let error = await #expect(throws: OutboxError.self) {
            _ = try await Outbox.open(path: folder.path + "/missing/queue.db")
        }
        guard case .notAccessible = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
