internal import CSQLite

/// A compiled statement: bind, step, reset, and again.
///
/// Parameters count from 1 and columns from 0, as in SQLite itself.
public final class Statement {
    public let sql: String
    private let connection: Connection
    private let handle: OpaquePointer

    init(_ sql: String, on connection: Connection) throws(SQLiteError) {
        var prepared: OpaquePointer?
        try connection.check(sqlite3_prepare_v3(connection.handle, sql, -1, 0, &prepared, nil), sql)
        guard let prepared else {
            throw SQLiteError(
                extendedCode: SQLITE_MISUSE, message: "no statement in the text", sql: sql, path: connection.path)
        }
        self.sql = sql
        self.connection = connection
        handle = prepared
    }

    deinit { sqlite3_finalize(handle) }

    public func bind(_ value: Int64?, at index: Int32) throws(SQLiteError) {
        guard let value else { return try connection.check(sqlite3_bind_null(handle, index), sql) }
        try connection.check(sqlite3_bind_int64(handle, index, value), sql)
    }

    public func bind(_ text: String, at index: Int32) throws(SQLiteError) {
        var text = text
        let code = text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                fieldpost_bind_text(handle, index, $0.baseAddress, Int32(clamping: $0.count))
            }
        }
        try connection.check(code, sql)
    }

    /// Binds a blob without copying it: the bytes must stay where they are until `reset` or `run` is done.
    public func bind(borrowed blob: UnsafeRawBufferPointer, at index: Int32) throws(SQLiteError) {
        let code = fieldpost_bind_borrowed_blob(handle, index, blob.baseAddress, UInt64(blob.count))
        try connection.check(code, sql)
    }

    /// - Returns: true when there is a row to read.
    public func step() throws(SQLiteError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw connection.error(code, sql)
        }
    }

    /// Makes the statement ready for the next use and forgets what was bound.
    public func reset() {
        // The answer only repeats the error that `step` has thrown.
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }

    /// Steps to the end, also when that fails, and resets.
    public func run() throws(SQLiteError) {
        defer { reset() }
        while try step() {}
    }

    public func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    public func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    /// The column as text; bytes that are not UTF-8 are replaced.
    public func text(_ column: Int32) -> String {
        guard let bytes = sqlite3_column_text(handle, column) else { return "" }
        let count = Int(sqlite3_column_bytes(handle, column))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    /// The column's bytes in SQLite's own memory, for as long as `body` runs. NULL reads as empty.
    public func withBlob<Result>(_ column: Int32, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result
    {
        let bytes = sqlite3_column_blob(handle, column)
        let count = Int(sqlite3_column_bytes(handle, column))
        return try body(UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count))
    }
}
