package import SQLite

/// What a kind of database of ours looks like, and how it is set up for flash memory.
///
/// A write-ahead log, one connection, small caches, nothing mapped into memory.
package struct DatabaseFormat: Sendable {
    /// What `PRAGMA application_id` says.
    package var applicationID: Int64
    /// What `PRAGMA user_version` says: the newest that this program knows.
    package var schema: Int64
    /// Bytes of a page.
    package var pageSize: Int
    /// The statements that create the tables.
    package var tables: String

    /// The write-ahead log is moved into the file when it has so many bytes …
    private static let checkpointSize = 1024 * 1024
    /// … and shrinks to so many when it had to grow beyond.
    private static let logLimit = 2 * 1024 * 1024

    package init(applicationID: Int64, schema: Int64, pageSize: Int, tables: String) {
        self.applicationID = applicationID
        self.schema = schema
        self.pageSize = pageSize
        self.tables = tables
    }

    package enum Mismatch: Error, Hashable {
        /// It is a database, and none of this kind.
        case foreign
        /// A newer program wrote it.
        case newer(found: Int64)
    }

    /// Opens a database for writing, and creates what is missing.
    ///
    /// - Parameters:
    ///   - isSynchronous: whether each commit waits until it is on the disk.
    ///   - cache: bytes of pages that stay in memory.
    /// - Throws: ``Mismatch``, or what SQLite says.
    package func open(_ path: String, isSynchronous: Bool, cache: Int) throws -> Connection {
        let connection = try Connection(path: path)
        let isEmpty = try isEmpty(connection)
        if isEmpty { try connection.pragma("page_size", pageSize) } else { try check(connection) }
        try connection.pragma("journal_mode", "WAL")
        try connection.pragma("synchronous", isSynchronous ? "FULL" : "NORMAL")
        try connection.pragma("cache_size", -cache / 1024)
        try connection.pragma("mmap_size", 0)
        // Debian builds SQLite to overwrite what it deletes, which costs a second write.
        try connection.pragma("secure_delete", "OFF")
        try connection.pragma("cell_size_check", "ON")
        try connection.pragma("wal_autocheckpoint", Self.checkpointSize / pageSize)
        try connection.pragma("journal_size_limit", Self.logLimit)
        if isEmpty {
            try connection.transaction {
                try connection.execute(tables)
                try connection.pragma("application_id", applicationID)
                try connection.pragma("user_version", schema)
            }
        }
        return connection
    }

    /// Nothing has been written yet, as when its creator was stopped in the first moment.
    package func isEmpty(_ connection: Connection) throws -> Bool {
        try connection.pragma("schema_version") == 0 && connection.pragma("application_id") == 0
    }

    /// - Throws: ``Mismatch``, or what SQLite says.
    package func check(_ connection: Connection) throws {
        guard try connection.pragma("application_id") == applicationID else { throw Mismatch.foreign }
        let found = try connection.pragma("user_version")
        guard found <= schema else { throw Mismatch.newer(found: found) }
    }
}
