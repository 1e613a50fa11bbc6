internal import Database
internal import MQTT
internal import SQLite

/// Takes over into a new file what can be read of a damaged one.
enum Salvage {
    struct Result {
        var rows = 0
        /// What the damaged file's own numbers say; 0 when they cannot be read.
        var rowsExpected = 0
        /// Whether the damaged file's own numbers could be read.
        var hasNumbers = false
    }

    /// Reads from both ends of each priority towards the damage, and halves what lies between; each reading that
    /// fails costs one of so many attempts.
    private static let attempts = 1024

    /// - Parameter done: rows that are not wanted any more.
    /// - Throws: when the new file cannot be written; then it is incomplete.
    static func run(from damaged: String, to repaired: String, skipping done: RowRanges) throws -> Result {
        DatabaseFile.remove(repaired)
        DatabaseFile.create(repaired, mode: Outbox.fileMode)
        // Its own durability does not matter before it is complete: the checkpoint at the end synchronizes.
        let target = try QueueDatabase(path: repaired, durability: .relaxed)
        var result = Result()
        // Only with this setting does SQLite read a file that is shorter than it says itself.
        guard let source = try? Connection(path: damaged, mode: .readOnly),
            (try? source.execute("PRAGMA writable_schema = ON")) != nil,
            let forward = try? source.prepare("SELECT * FROM message WHERE id > ?1 AND id < ?2 ORDER BY id"),
            let backward = try? source.prepare("SELECT * FROM message WHERE id > ?1 AND id < ?2 ORDER BY id DESC")
        else { return result }
        let entries = entries(of: source)
        var ledger = Ledger(entries: entries)
        // How far its exchanges had come is not taken over: the next session has to be a new one, also if we crash next.
        ledger.counters[Outbox.sessionCounter] = nil
        result.rowsExpected = ledger.rows
        result.hasNumbers = !entries.isEmpty
        var remaining = attempts

        /// - Returns: the last row that could be read, and whether the reading came to its end.
        func copy(_ statement: Statement, _ lower: RowID, _ upper: RowID) throws -> (RowID?, isComplete: Bool) {
            var reached: RowID?
            defer { statement.reset() }
            do {
                try statement.bind(lower.value, at: 1)
                try statement.bind(upper.value, at: 2)
            } catch { return (nil, true) }
            while true {
                do {
                    guard try statement.step() else { return (reached, true) }
                } catch {
                    remaining -= 1
                    return (reached, false)
                }
                let row = QueueDatabase.row(statement)
                // A damaged page may lead anywhere.
                guard lower < row.id, row.id < upper else { continue }
                reached = row.id
                guard let message = row.message, !done.contains(row.id) else { continue }
                if try target.insert(row.id, accepted: row.accepted, message) { result.rows += 1 }
                ledger.nextSequence = max(ledger.nextSequence, row.id.sequence + 1)
            }
        }

        func copyAll(between lower: RowID, and upper: RowID) throws {
            guard remaining > 0, upper.value - lower.value > 1 else { return }
            let (first, isComplete) = try copy(forward, lower, upper)
            if isComplete { return }
            let low = first ?? lower
            let (second, isCompleteBackward) = try copy(backward, low, upper)
            if isCompleteBackward { return }
            let high = second ?? upper
            // A single row that could not be read: nothing to halve.
            guard high.value - low.value > 2 else { return }
            let middle = RowID(low.value + (high.value - low.value) / 2)
            try copyAll(between: low, and: RowID(middle.value + 1))
            try copyAll(between: middle, and: high)
        }

        try target.connection.transaction {
            for priority in Priority.highestFirst {
                remaining = attempts
                // Not to the ceiling: halving has to begin where rows can be.
                let end = RowID(priority, max(ledger.nextSequence, 1) + (1 << 24))
                try copyAll(between: priority.floor, and: end)
            }
            ledger.rows = result.rows
            try target.write(ledger)
        }
        try target.connection.checkpoint()
        return result
    }

    private static func entries(of source: Connection) -> [String: Int64] {
        var entries: [String: Int64] = [:]
        guard let meta = try? source.prepare("SELECT name, value FROM meta") else { return entries }
        while (try? meta.step()) == true { entries[meta.text(0)] = meta.integer(1) }
        return entries
    }
}
