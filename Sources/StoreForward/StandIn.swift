internal import Database
internal import MQTT
internal import SQLite
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A queue that an older program has begun beside one that it could not read, and how it comes home.
enum StandIn {
    /// The note that tells one such queue from another.
    static let identity = "stand_in"
    /// The note of the last one that was taken over.
    fileprivate static let taken = "taken_over"

    /// Since 2025: what counts on where a count is not known, so that it rises all the same. 0 while the clock is not set.
    static func minutes(at now: Timestamp) -> Int64 {
        max(0, (now - Timestamp(milliseconds: 1_735_689_600_000)).milliseconds / 60_000)
    }

    /// Where numbering begins, so that it lies behind the other queue's: payloads carry these numbers. Not far behind it:
    /// the store looks for older messages with the same packet identifier.
    ///
    /// - Parameter path: a queue of a format that we do not know. If it does not say how far it has come, 1.
    static func firstSequence(behind path: String) -> Int64 {
        guard let connection = try? Connection(path: path, mode: .immutable) else { return 1 }
        func number(_ sql: String) -> Int64 {
            guard let statement = try? connection.prepare(sql), (try? statement.step()) == true else { return 0 }
            return statement.integer(0)
        }
        let noted = number("SELECT value FROM meta WHERE name = 'next_sequence'")
        let last = Priority.allCases.map { priority in
            let (floor, ceiling) = (priority.floor.value, priority.ceiling.value)
            return RowID(number("SELECT max(id) FROM message WHERE id > \(floor) AND id < \(ceiling)")).sequence
        }
        let next = max(noted, (last.max() ?? 0) + 1)
        guard (1...1 << 46).contains(next) else { return 1 }
        return access(path + "-wal", F_OK) == 0 ? next + messagesInLog : next
    }

    /// More than the log of a queue holds, which is not read here.
    private static let messagesInLog: Int64 = 1 << 17

    /// Moves all that a queue holds behind what is in another, with its losses and its counts, and removes its files.
    ///
    /// Each message keeps its time and its place among the others; once the transaction is through, a crash before the
    /// removal brings nothing twice.
    /// - Returns: how many messages came.
    static func takeOver(_ path: String, into target: QueueDatabase, at now: Timestamp) throws -> Int {
        let count: Int
        do {
            count = try moveMessages(path, into: target)
        } catch let error as SQLiteError where error.isCorrupt && error.path == path {
            count = try moveSalvage(path, into: target, at: now)
        }
        DatabaseFile.remove(path)
        return count
    }

    private static func moveMessages(_ path: String, into target: QueueDatabase, lost: Int = 0) throws -> Int {
        // Opened as its own program would, which brings it to our format.
        let source = try QueueDatabase(path: path, durability: .relaxed)
        let other = try source.load().ledger
        var (ledger, _) = try target.load()
        if let number = other.notes[identity], number == ledger.notes[taken] { return 0 }
        var count = 0
        try target.connection.transaction {
            // Its own numbers lie behind ours, unless our file did not say how far it had come.
            let shift = try source.firstSequence() ?? .max < ledger.nextSequence ? ledger.nextSequence : 0
            var unreadable = lost
            for priority in Priority.allCases {
                try source.read(behind: priority.floor, through: priority.ceiling, limit: .max) { row in
                    let id = RowID(priority, row.id.sequence + shift)
                    if let message = row.message, try target.insert(id, accepted: row.accepted, message) {
                        count += 1
                    } else {
                        unreadable += 1
                    }
                    return true
                }
            }
            try target.forgetExchanges()
            ledger.take(countsOf: other, numbersShiftedBy: shift)
            ledger.rows += count
            ledger.losses.damaged += Int64(unreadable)
            try target.write(ledger)
        }
        // What the disk has not got must not go.
        try target.connection.checkpoint()
        target.didWrite(ledger)
        return count
    }

    /// Takes over what can be read of a damaged one, which is moved aside.
    private static func moveSalvage(_ path: String, into target: QueueDatabase, at now: Timestamp) throws -> Int {
        let files = DamagedFiles(database: path)
        let salvaged = try Salvage.run(from: path, to: files.repaired, skipping: RowRanges())
        guard files.moveAside(now) != nil else { throw NotMovable() }
        files.finishRepair()
        return try moveMessages(path, into: target, lost: max(0, salvaged.rowsExpected - salvaged.rows))
    }

    private struct NotMovable: Error, CustomStringConvertible {
        var description: String { "it is damaged, and cannot be moved aside" }
    }
}

extension Ledger {
    /// Adds another queue's losses; counts and notes go on from whichever is ahead.
    fileprivate mutating func take(countsOf other: Ledger, numbersShiftedBy shift: Int64) {
        nextSequence = max(nextSequence, other.nextSequence + shift)
        var other = other
        counters.merge(other.counters, uniquingKeysWith: max)
        // What the broker holds of an earlier session is not what either of the two knows.
        counters[Outbox.sessionCounter] = nil
        other.counters = [:]
        let number = other.notes.removeValue(forKey: StandIn.identity)
        other.notes[StandIn.taken] = number ?? notes[StandIn.taken]
        add(countsOf: other)
    }
}

extension QueueDatabase {
    /// The lowest number of a message.
    fileprivate func firstSequence() throws -> Int64? {
        try Priority.allCases.compactMap {
            try heads(behind: $0.floor, through: $0.ceiling, limit: 1).first?.id.sequence
        }.min()
    }
}
