package import SQLite

/// What a kind of database of ours looks like, how it came to look so, and how it is set up for flash memory.
///
/// A write-ahead log, one connection, small caches, nothing mapped into memory.
package struct DatabaseFormat: Sendable {
    /// What `PRAGMA application_id` says.
    package var applicationID: Int64
    /// Bytes of a page.
    package var pageSize: Int
    /// The first makes the tables, each other one brings a file from one format to the next.
    package var steps: [Step]

    /// From one format to the next.
    package struct Step: Sendable {
        /// Run in one transaction with the number that says that it was.
        package var sql: String
        /// The oldest format whose programs can use the file afterwards.
        package var readableFrom: Int64

        package init(_ sql: String, readableFrom: Int64) {
            self.sql = sql
            self.readableFrom = readableFrom
        }
    }

    /// The write-ahead log is moved into the file when it has so many bytes …
    private static let checkpointSize = 1024 * 1024
    /// … and shrinks to so many when it had to grow beyond.
    package static let logLimit = 2 * 1024 * 1024

    package init(applicationID: Int64, pageSize: Int, steps: [Step]) {
        self.applicationID = applicationID
        self.pageSize = pageSize
        self.steps = steps
    }

    /// The format that this program writes.
    package var schema: Int64 { Int64(steps.count) }
    /// What files say that this program has laid out.
    package var version: DatabaseVersion {
        DatabaseVersion(written: schema, readableFrom: steps.map(\.readableFrom).max() ?? schema)
    }

    package enum Mismatch: Error, Hashable {
        /// It is a database, and none of this kind.
        case foreign
        /// A newer program wrote it, in a way that this one does not know.
        case newer(DatabaseVersion)
    }

    /// Opens a database for writing, creates what is missing, and brings an older one up to date.
    ///
    /// - Parameters:
    ///   - isSynchronous: whether each commit waits until it is on the disk.
    ///   - cache: bytes of pages that stay in memory.
    /// - Throws: ``Mismatch``, and then nothing was touched; or what SQLite says.
    package func open(_ path: String, isSynchronous: Bool, cache: Int) throws -> Connection {
        // First without SQLite, whose connections write a log back into its file when they are closed.
        if let header = DatabaseHeader(path: path) { _ = try check(header) }
        let connection = try Connection(path: path)
        let isEmpty = try isEmpty(connection)
        if isEmpty { try connection.pragma("page_size", pageSize) }
        let found = isEmpty ? nil : try check(connection)
        try connection.pragma("journal_mode", "WAL")
        try connection.pragma("synchronous", isSynchronous ? "FULL" : "NORMAL")
        try connection.pragma("cache_size", -cache / 1024)
        try connection.pragma("mmap_size", 0)
        // Debian builds SQLite to overwrite what it deletes, which costs a second write.
        try connection.pragma("secure_delete", "OFF")
        try connection.pragma("cell_size_check", "ON")
        try connection.pragma("wal_autocheckpoint", Self.checkpointSize / pageSize)
        try connection.pragma("journal_size_limit", Self.logLimit)
        if found?.written ?? 0 < schema {
            try connection.transaction {
                for step in steps.dropFirst(Int(found?.written ?? 0)) { try connection.execute(step.sql) }
                try connection.pragma("application_id", applicationID)
                try connection.pragma("user_version", version.userVersion)
            }
        }
        return connection
    }

    /// Nothing has been written yet, as when its creator was stopped in the first moment.
    package func isEmpty(_ connection: Connection) throws -> Bool {
        try connection.pragma("schema_version") == 0 && connection.pragma("application_id") == 0
    }

    /// - Throws: ``Mismatch``, or what SQLite says.
    @discardableResult
    package func check(_ connection: Connection) throws -> DatabaseVersion {
        try check(
            applicationID: try connection.pragma("application_id"), userVersion: try connection.pragma("user_version"))
    }

    /// - Returns: nil when nothing has been written yet.
    package func check(_ header: DatabaseHeader) throws(Mismatch) -> DatabaseVersion? {
        if header.isEmpty { return nil }
        return try check(applicationID: header.applicationID, userVersion: header.userVersion)
    }

    private func check(applicationID: Int64, userVersion: Int64) throws(Mismatch) -> DatabaseVersion {
        guard applicationID == self.applicationID else { throw .foreign }
        let found = DatabaseVersion(userVersion: userVersion)
        guard found.readableFrom <= schema else { throw .newer(found) }
        return found
    }
}
