internal import Database
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import SQLite
internal import Units

/// A queue's file: all of its SQL, and nothing of its policy.
///
/// No secondary index, rows in the order of their identifiers, deletion in ranges: so a batched message of 150 bytes
/// costs little more than itself in writes.
final class QueueDatabase {
    /// A commit writes whole pages: small ones halve what a single message of 150 bytes costs in writes.
    static let format = DatabaseFormat(
        applicationID: 0x4650_4F42 /* FPOB */, pageSize: 1024,
        steps: [
            DatabaseFormat.Step(
                """
                CREATE TABLE message (id INTEGER PRIMARY KEY, accepted INTEGER NOT NULL, flags INTEGER NOT NULL,
                    expiry INTEGER, topic TEXT NOT NULL, payload BLOB NOT NULL, properties BLOB);
                CREATE TABLE released (id INTEGER PRIMARY KEY);
                CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
                """, readableFrom: 1),
            // An older agent leaves the table alone. Files without the number may have it all the same.
            DatabaseFormat.Step("CREATE TABLE IF NOT EXISTS seen (id INTEGER PRIMARY KEY)", readableFrom: 1),
        ])
    private static let cache = 512 * 1024

    let connection: Connection
    private let insertion: Statement
    private let deletion: Statement
    private let reading: Statement
    private let heads: Statement
    private let existence: Statement
    private let releasing: Statement
    private let releaseDeletion: Statement
    private let metaWriting: Statement
    private let metaDeletion: Statement
    private let pageCount: Statement
    private let freePages: Statement
    /// What the `meta` table holds.
    private(set) var written: [String: Int64]

    /// Opens a queue for writing, and creates what is missing.
    convenience init(path: String, durability: OutboxOptions.Durability) throws {
        do {
            let connection = try Self.format.open(path, isSynchronous: durability == .strict, cache: Self.cache)
            try self.init(connection)
        } catch let mismatch as DatabaseFormat.Mismatch {
            throw OutboxError(mismatch, path: path)
        }
    }

    /// Runs `body` on this database in a transaction; what it throws rolls everything back.
    func transaction<Result>(_ body: (QueueDatabase) throws -> Result) throws -> Result {
        try connection.transaction { try body(self) }
    }

    /// Opens a queue to look into it, also while its agent runs.
    convenience init(reading path: String, mode: Connection.Mode) throws {
        let connection = try Connection(path: path, mode: mode)
        // Its agent is just about to create it.
        if try Self.format.isEmpty(connection) { throw OutboxError.noSuchQueue(path: path) }
        do {
            try Self.format.check(connection)
        } catch let mismatch as DatabaseFormat.Mismatch {
            throw OutboxError(mismatch, path: path)
        }
        try self.init(connection)
    }

    private init(_ connection: Connection) throws {
        self.connection = connection
        insertion = try connection.prepare("INSERT OR IGNORE INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
        deletion = try connection.prepare("DELETE FROM message WHERE id > ?1 AND id <= ?2")
        reading = try connection.prepare("SELECT * FROM message WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3")
        heads = try connection.prepare(
            "SELECT id, accepted, expiry, flags FROM message WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3")
        existence = try connection.prepare("SELECT 1 FROM message WHERE id = ?1")
        releasing = try connection.prepare("INSERT OR IGNORE INTO released VALUES (?1)")
        releaseDeletion = try connection.prepare("DELETE FROM released WHERE id > ?1 AND id <= ?2")
        metaWriting = try connection.prepare("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")
        metaDeletion = try connection.prepare("DELETE FROM meta WHERE name = ?1")
        pageCount = try connection.prepare("PRAGMA page_count")
        freePages = try connection.prepare("PRAGMA freelist_count")
        written = [:]
        let meta = try connection.prepare("SELECT name, value FROM meta")
        while try meta.step() { written[meta.text(0)] = meta.integer(1) }
    }

    /// A queue's numbers as they truly are, and each priority's last row (its floor when it has none).
    func load() throws -> (ledger: Ledger, last: [RowID]) {
        var ledger = Ledger(entries: written)
        let known = ledger.nextSequence
        let count = try connection.prepare("SELECT count(*) FROM message WHERE id >= ?1 AND id <= ?2")
        let maximum = try connection.prepare("SELECT max(id) FROM message WHERE id > ?1 AND id <= ?2")
        let last = try Priority.allCases.map { priority in
            try count.bind(RowID(priority, known).value, at: 1)
            try count.bind(priority.ceiling.value, at: 2)
            if try count.step() { ledger.rows += Int(count.integer(0)) }
            count.reset()
            try maximum.bind(priority.floor.value, at: 1)
            try maximum.bind(priority.ceiling.value, at: 2)
            defer { maximum.reset() }
            guard try maximum.step(), !maximum.isNull(0) else { return priority.floor }
            let last = RowID(maximum.integer(0))
            ledger.nextSequence = max(ledger.nextSequence, last.sequence + 1)
            return last
        }
        return (ledger, last)
    }

    /// Bytes of the pages in use; those that deletions have freed are used again before the file grows.
    func bytesUsed() throws -> Int {
        defer {
            pageCount.reset()
            freePages.reset()
        }
        guard try pageCount.step(), try freePages.step() else { return 0 }
        return Int(pageCount.integer(0) - freePages.integer(0)) * Self.format.pageSize
    }

    /// - Returns: false when the row was there already.
    func insert(_ id: RowID, accepted: Timestamp, _ message: Message) throws -> Bool {
        let properties = try PropertiesBlob.encode(message.properties)
        try insertion.bind(id.value, at: 1)
        try insertion.bind(accepted.milliseconds, at: 2)
        try insertion.bind(Int64(message.qos.rawValue) | (message.retain ? 4 : 0), at: 3)
        try insertion.bind(message.expiry?.clampedMilliseconds, at: 4)
        try insertion.bind(message.topic.string, at: 5)
        try message.payload.withUnsafeReadableBytes { payload in
            try properties.withUnsafeReadableBytes { properties in
                try insertion.bind(borrowed: payload, at: 6)
                if !properties.isEmpty { try insertion.bind(borrowed: properties, at: 7) }
                try insertion.run()
            }
        }
        return connection.changes == 1
    }

    /// - Returns: how many rows there were.
    func delete(behind lower: RowID, through upper: RowID) throws -> Int {
        try deletion.bind(lower.value, at: 1)
        try deletion.bind(upper.value, at: 2)
        try deletion.run()
        let count = connection.changes
        try releaseDeletion.bind(lower.value, at: 1)
        try releaseDeletion.bind(upper.value, at: 2)
        try releaseDeletion.run()
        return count
    }

    /// Notes that the server has these messages (QoS 2).
    func release(_ ids: some Sequence<RowID>) throws {
        for id in ids {
            try releasing.bind(id.value, at: 1)
            try releasing.run()
        }
    }

    func forgetExchanges() throws {
        try connection.execute("DELETE FROM released")
        try connection.execute("DELETE FROM seen")
    }

    /// Notes that an incoming QoS 2 message was seen, or forgets it.
    func note(_ identifier: PacketIdentifier, isSeen: Bool) throws {
        let sql = isSeen ? "INSERT OR IGNORE INTO seen VALUES (?1)" : "DELETE FROM seen WHERE id = ?1"
        let statement = try connection.prepare(sql)
        try statement.bind(Int64(identifier.rawValue), at: 1)
        try statement.run()
    }

    func loadSeen() throws -> Set<PacketIdentifier> {
        let all = try connection.prepare("SELECT id FROM seen")
        var identifiers: Set<PacketIdentifier> = []
        while try all.step() {
            if let identifier = UInt16(exactly: all.integer(0)).flatMap(PacketIdentifier.init) {
                identifiers.insert(identifier)
            }
        }
        return identifiers
    }

    func loadReleases() throws -> Set<RowID> {
        let all = try connection.prepare("SELECT id FROM released")
        var ids: Set<RowID> = []
        while try all.step() { ids.insert(RowID(all.integer(0))) }
        return ids
    }

    func contains(_ id: RowID) throws -> Bool {
        defer { existence.reset() }
        try existence.bind(id.value, at: 1)
        return try existence.step()
    }

    struct Row {
        var id: RowID
        var accepted: Timestamp
        /// Nil when the columns make no message.
        var message: Message?
    }

    /// Gives rows to `body`, in order, until it returns false.
    /// - Returns: how many it was given.
    @discardableResult
    func read(behind lower: RowID, through upper: RowID, limit: Int, _ body: (Row) throws -> Bool) throws -> Int {
        defer { reading.reset() }
        try reading.bind(lower.value, at: 1)
        try reading.bind(upper.value, at: 2)
        try reading.bind(Int64(limit), at: 3)
        var count = 0
        while try reading.step() {
            count += 1
            if try !body(Self.row(reading)) { break }
        }
        return count
    }

    /// What limits look at; the payload's pages are not touched for it.
    struct Head {
        var id: RowID
        var accepted: Timestamp
        var expiry: Duration?
        var qos: QoS
    }

    func heads(behind lower: RowID, through upper: RowID, limit: Int) throws -> [Head] {
        defer { heads.reset() }
        try heads.bind(lower.value, at: 1)
        try heads.bind(upper.value, at: 2)
        try heads.bind(Int64(limit), at: 3)
        var found: [Head] = []
        while try heads.step() {
            let expiry = heads.isNull(2) ? nil : Duration.milliseconds(heads.integer(2))
            found.append(
                Head(
                    id: RowID(heads.integer(0)), accepted: Timestamp(milliseconds: heads.integer(1)), expiry: expiry,
                    qos: QoS(rawValue: UInt8(truncatingIfNeeded: heads.integer(3) & 3)) ?? .exactlyOnce))
        }
        return found
    }

    enum Verdict {
        case keep
        case delete
        case stop
    }

    /// Walks a priority's rows from the oldest on and deletes those that `judge` says, in ranges.
    /// - Returns: how many were deleted.
    func delete(_ priority: Priority, behind start: RowID? = nil, _ judge: (Head) -> Verdict) throws -> Int {
        var position = start ?? priority.floor
        var deleted = 0
        while true {
            let found = try heads(behind: position, through: priority.ceiling, limit: 64)
            guard !found.isEmpty else { return deleted }
            var ranges = RowRanges()
            var isStopped = false
            for head in found where !isStopped {
                switch judge(head) {
                case .keep: position = head.id
                case .delete:
                    ranges.insert(behind: position, through: head.id)
                    position = head.id
                case .stop: isStopped = true
                }
            }
            for range in ranges.all { deleted += try delete(behind: range.lower, through: range.upper) }
            if isStopped { return deleted }
        }
    }

    /// Writes the numbers that have changed.
    func write(_ ledger: Ledger) throws {
        let entries = ledger.entries
        for (name, value) in entries where written[name] != value {
            try metaWriting.bind(name, at: 1)
            try metaWriting.bind(value, at: 2)
            try metaWriting.run()
        }
        // A session that ended is not to be known again by the next process. Rows that say nothing to us may be a newer
        // program's.
        for name in written.keys where entries[name] == nil && Ledger.isCounter(name) {
            try metaDeletion.bind(name, at: 1)
            try metaDeletion.run()
        }
    }

    /// A transaction with a ledger is through.
    func didWrite(_ ledger: Ledger) { written = ledger.entries }

    /// The columns of `SELECT * FROM message`.
    static func row(_ statement: Statement) -> Row {
        let id = RowID(statement.integer(0))
        let flags = statement.integer(2)
        var message: Message?
        if let priority = id.priority, id.sequence > 0, let qos = QoS(rawValue: UInt8(flags & 3)), flags <= 7,
            let topic = try? TopicName(statement.text(4)),
            let properties = statement.withBlob(6, { PropertiesBlob.decode(ByteBuffer(bytes: $0)) })
        {
            message = Message(
                topic: topic, payload: statement.withBlob(5) { ByteBuffer(bytes: $0) }, qos: qos,
                retain: flags & 4 != 0, priority: priority,
                expiry: statement.isNull(3) ? nil : .milliseconds(statement.integer(3)), properties: properties)
        }
        return Row(id: id, accepted: Timestamp(milliseconds: statement.integer(1)), message: message)
    }
}

extension Duration {
    /// Whole milliseconds, at most about 35,000 years of them.
    var clampedMilliseconds: Int64 { Swift.min(self, .seconds(1 << 40)).milliseconds }
}
