internal import CSQLite

/// What SQLite answered when it did not do what it was asked (sqlite.org/rescode.html).
public struct SQLiteError: Error, Sendable, Hashable {
    /// The extended result code, for example 778 (SQLITE_IOERR_WRITE).
    public var extendedCode: Int32
    public var message: String
    /// The statement that failed; nil when none did, as in opening.
    public var sql: String?
    /// The database's file, as it was given to ``Connection``.
    public var path: String

    public init(extendedCode: Int32, message: String, sql: String? = nil, path: String) {
        self.extendedCode = extendedCode
        self.message = message
        self.sql = sql
        self.path = path
    }

    /// The primary result code, for example 10 (SQLITE_IOERR).
    public var code: Int32 { extendedCode & 0xFF }

    /// No room: the disk is full or the database has reached its page limit.
    public var isFull: Bool { code == SQLITE_FULL }
    /// The file is damaged or was never a database; also where the damage is in the text of its schema, which then lacks
    /// what statements name.
    public var isCorrupt: Bool { code == SQLITE_CORRUPT || code == SQLITE_NOTADB || contradictsSchema }
    /// SQLite has no code for it, but a message ("no such column: …", "table … has no column named …").
    private var contradictsSchema: Bool {
        code == SQLITE_ERROR && ["no such table", "no such column", "table "].contains { message.hasPrefix($0) }
    }
    /// Another connection held its lock for longer than the busy timeout.
    public var isBusy: Bool { code == SQLITE_BUSY || code == SQLITE_LOCKED }
    /// The file, or its directory, cannot be written to.
    public var isReadOnly: Bool { code == SQLITE_READONLY || code == SQLITE_PERM }
    /// The file cannot be opened or created.
    public var isCannotOpen: Bool { code == SQLITE_CANTOPEN }
    /// The operating system failed to read, write or synchronize.
    public var isInputOutput: Bool { code == SQLITE_IOERR }
    /// A uniqueness, NOT NULL or other constraint forbids it.
    public var isConstraint: Bool { code == SQLITE_CONSTRAINT }
}

extension SQLiteError: CustomStringConvertible {
    public var description: String {
        let place = sql.map { ", in: \($0)" } ?? ""
        return "\(path): \(message) (SQLite code \(extendedCode)\(place))"
    }
}
