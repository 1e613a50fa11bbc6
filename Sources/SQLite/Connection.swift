internal import CSQLite

/// One connection to one database.
///
/// Not Sendable: a connection, its statements and what they give out stay with one thread or one actor.
public final class Connection {
    public enum Mode: Sendable, Hashable {
        /// Reads and writes; creates the file when it is missing.
        case readWrite
        /// Reads only; the file must exist.
        case readOnly
        /// Reads a file that nobody changes meanwhile: no locks, and no file is created beside it.
        case immutable
        /// A database that lives as long as its connection; the path is ignored.
        case inMemory
    }

    public let path: String
    let handle: OpaquePointer

    /// - Parameter busyTimeout: how long to wait for another connection's lock; 0 ms and up.
    public init(path: String, mode: Mode = .readWrite, busyTimeout: Duration = .seconds(5)) throws(SQLiteError) {
        let name: String
        var flags = SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX
        switch mode {
        case .readWrite: (name, flags) = (path, flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
        case .readOnly: (name, flags) = (path, flags | SQLITE_OPEN_READONLY)
        case .immutable:
            (name, flags) = (Self.uri(path) + "?immutable=1", flags | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI)
        case .inMemory: (name, flags) = (":memory:", flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
        }
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(name, &opened, flags, nil)
        guard code == SQLITE_OK, let opened else {
            let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
            sqlite3_close_v2(opened)
            throw SQLiteError(extendedCode: code, message: message, path: path)
        }
        self.path = path
        handle = opened
        let (seconds, attoseconds) = busyTimeout.components
        sqlite3_busy_timeout(opened, Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000))
    }

    deinit { sqlite3_close_v2(handle) }

    /// Runs statements that give no rows, or whose rows do not matter.
    public func execute(_ sql: String) throws(SQLiteError) {
        try check(sqlite3_exec(handle, sql, nil, nil, nil), sql)
    }

    /// Compiles one statement, to be used many times.
    public func prepare(_ sql: String) throws(SQLiteError) -> Statement { try Statement(sql, on: self) }

    /// Runs `body` in a transaction that holds the write lock from the start; what it throws rolls everything back.
    public func transaction<Result>(_ body: () throws -> Result) throws -> Result {
        try execute("BEGIN IMMEDIATE")
        do {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // Some errors have rolled back already (sqlite.org/lang_transaction.html, 3).
            if sqlite3_get_autocommit(handle) == 0 { try? execute("ROLLBACK") }
            throw error
        }
    }

    /// Reads an integer setting, for example `page_count`.
    public func pragma(_ name: String) throws(SQLiteError) -> Int64 {
        let statement = try prepare("PRAGMA \(name)")
        return try statement.step() ? statement.integer(0) : 0
    }

    /// Makes a setting.
    /// - Returns: what SQLite says that it is now, or "" when it says nothing; some settings it refuses silently.
    @discardableResult
    public func pragma(_ name: String, _ value: some CustomStringConvertible) throws(SQLiteError) -> String {
        let statement = try prepare("PRAGMA \(name) = \(value)")
        return try statement.step() ? statement.text(0) : ""
    }

    /// Rows that the latest INSERT, UPDATE or DELETE changed.
    public var changes: Int { Int(sqlite3_changes(handle)) }

    /// Moves the write-ahead log into the database and empties the log's file; what readers still use stays.
    public func checkpoint() throws(SQLiteError) {
        try check(sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil), nil)
    }

    func check(_ code: Int32, _ sql: String?) throws(SQLiteError) {
        guard code != SQLITE_OK else { return }
        throw error(code, sql)
    }

    func error(_ code: Int32, _ sql: String?) -> SQLiteError {
        SQLiteError(extendedCode: code, message: String(cString: sqlite3_errmsg(handle)), sql: sql, path: path)
    }

    /// sqlite.org/uri.html: these three characters would end the path.
    private static func uri(_ path: String) -> String {
        path.reduce(into: "file:") { uri, character in
            switch character {
            case "%": uri += "%25"
            case "?": uri += "%3f"
            case "#": uri += "%23"
            default: uri.append(character)
            }
        }
    }
}
