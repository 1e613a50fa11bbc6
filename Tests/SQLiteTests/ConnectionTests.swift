import Glibc
import SQLite
import Testing

@Suite struct ConnectionTests {
    @Test func `values come back as they were bound`() throws {
        let connection = try Connection(path: "", mode: .inMemory)
        try connection.execute("CREATE TABLE t (i INTEGER, s TEXT, b BLOB, n)")
        let insertion = try connection.prepare("INSERT INTO t VALUES (?1, ?2, ?3, ?4)")
        let reading = try connection.prepare("SELECT * FROM t")
        let rows: [(Int64, String, [UInt8])] = [
            (.min, "", []), (.max, "Grüße 😀\u{0}!", [0, 1, 255]), (0, "x", [UInt8](repeating: 7, count: 100_000)),
        ]
        for (integer, text, bytes) in rows {
            try insertion.bind(integer, at: 1)
            try insertion.bind(text, at: 2)
            try insertion.bind(nil, at: 4)
            try bytes.withUnsafeBytes {
                try insertion.bind(borrowed: $0, at: 3)
                try insertion.run()
            }
            #expect(connection.changes == 1)
        }
        for (integer, text, bytes) in rows {
            #expect(try reading.step())
            #expect(reading.integer(0) == integer)
            #expect(reading.text(1) == text)
            #expect(!reading.isNull(2))
            #expect(reading.withBlob(2) { Array($0) } == bytes)
            #expect(reading.isNull(3))
            #expect(reading.withBlob(3) { $0.isEmpty })
        }
        #expect(try !reading.step())
    }

    @Test func `a reset statement has forgotten its values`() throws {
        let connection = try Connection(path: "", mode: .inMemory)
        let statement = try connection.prepare("SELECT ?1")
        try statement.bind(1, at: 1)
        #expect(try statement.step())
        statement.reset()
        #expect(try statement.step())
        #expect(statement.isNull(0))
    }

    @Test func `a transaction is rolled back when its body throws`() throws {
        struct Stop: Error {}
        let connection = try Connection(path: "", mode: .inMemory)
        try connection.execute("CREATE TABLE t (i)")
        #expect(throws: Stop.self) {
            try connection.transaction {
                try connection.execute("INSERT INTO t VALUES (1)")
                throw Stop()
            }
        }
        #expect(try connection.transaction { try connection.pragma("page_count") } == 2)
        let count = try connection.prepare("SELECT count(*) FROM t")
        #expect(try count.step())
        #expect(count.integer(0) == 0)
    }

    @Test func `errors name the statement, the code and the file`() throws {
        let connection = try Connection(path: "", mode: .inMemory)
        try connection.execute("CREATE TABLE t (i INTEGER PRIMARY KEY)")
        try connection.execute("INSERT INTO t VALUES (1)")
        let insertion = try connection.prepare("INSERT INTO t VALUES (?1)")
        try insertion.bind(1, at: 1)
        let duplicate = #expect(throws: SQLiteError.self) { try insertion.run() }
        #expect(duplicate?.isConstraint == true)
        #expect(duplicate?.extendedCode == 1555)
        #expect(duplicate?.sql == "INSERT INTO t VALUES (?1)")
        let misspelt = #expect(throws: SQLiteError.self) { try connection.execute("SELEKT") }
        #expect(misspelt?.message.contains("SELEKT") == true)
        // The failed run has reset the statement.
        try insertion.bind(2, at: 1)
        try insertion.run()
    }

    @Test func `a database that reaches its page limit is full`() throws {
        let connection = try Connection(path: "", mode: .inMemory)
        try connection.execute("CREATE TABLE t (b)")
        try connection.pragma("max_page_count", 3)
        let error = #expect(throws: SQLiteError.self) {
            try connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
        }
        #expect(error?.isFull == true)
        #expect(error?.isCorrupt == false)
    }

    @Test func `a missing file, a locked file and a file that is none are told apart`() throws {
        var template = Array("/tmp/sqlite-test-XXXXXX".utf8CString)
        close(mkstemp(&template))
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { for suffix in ["", "-journal"] { unlink(path + suffix) } }
        let missing = #expect(throws: SQLiteError.self) { try Connection(path: path + "/x", mode: .readOnly) }
        #expect(missing?.isCannotOpen == true)
        #expect(missing?.path == path + "/x")

        let first = try Connection(path: path)
        let second = try Connection(path: path, busyTimeout: .zero)
        try first.execute("CREATE TABLE t (i)")
        try first.transaction {
            let busy = #expect(throws: SQLiteError.self) { try second.transaction {} }
            #expect(busy?.isBusy == true)
        }
        let reader = try Connection(path: path, mode: .readOnly)
        let readOnly = #expect(throws: SQLiteError.self) { try reader.execute("INSERT INTO t VALUES (1)") }
        #expect(readOnly?.isReadOnly == true)

        let descriptor = open(path, O_WRONLY)
        #expect(pwrite(descriptor, "nonsense", 8, 0) == 8)
        close(descriptor)
        let damaged = #expect(throws: SQLiteError.self) {
            try Connection(path: path, mode: .immutable).pragma("user_version")
        }
        #expect(damaged?.isCorrupt == true)
    }
}
