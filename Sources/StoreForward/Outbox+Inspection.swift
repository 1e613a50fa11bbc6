package import Database
public import MQTT
internal import MQTTWire
internal import SQLite
public import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A message that waits, as a person wants to see it.
public struct QueuedMessage: Sendable, Hashable {
    /// Its number in the order of acceptance.
    public var sequence: Int64
    /// What the clock said when it was accepted.
    public var accepted: Timestamp
    public var message: Message
}

extension Outbox {
    /// Of a queue's file.
    package static var format: DatabaseFormat { QueueDatabase.format }

    public func status() throws -> OutboxStatus {
        guard !isClosed else { throw OutboxError.closed }
        var status = OutboxStatus(
            state: state, queued: try pendingCount(), inFlight: inFlight.count,
            unsaved: unsaved.count, bytesUsed: (try? database?.bytesUsed()) ?? 0, oldest: nil,
            nextSequence: ledger.nextSequence, losses: ledger.losses, commits: commits, damage: damage,
            damagedFiles: DamagedFiles(database: place.file).all(), newer: NewerQueue(place, path: path))
        let saved = try? database?.oldest(skipping: done)
        status.oldest = [saved, unsaved.first?.accepted].compactMap(\.self).min()
        return status
    }

    /// How many messages wait, and why the disk fails if it does: what takes no look at the disk.
    package var summary: (queued: Int, failure: String?) {
        let failure: String? = if case .memory(let reason) = state { reason } else { nil }
        return (ledger.rows - doneCount + unsaved.count, failure)
    }

    /// Has the queue's thread call `answer` when it is done with its present work: never, if it is stuck there.
    package nonisolated func ask(_ answer: @escaping @Sendable () -> Void) { thread.perform(answer) }

    /// The first messages that wait, in the order of sending; those that were given out are among them.
    /// - Parameter limit: at most so many.
    public func list(limit: Int) throws -> [QueuedMessage] {
        guard !isClosed else { throw OutboxError.closed }
        return try database?.list(limit: limit, skipping: done) ?? []
    }

    /// Deletes messages that wait and are not in flight.
    ///
    /// - Parameters:
    ///   - priority: only these; nil: all.
    ///   - olderThan: only those accepted before; nil: all.
    /// - Returns: how many were deleted.
    /// - Throws: ``OutboxError/closed``, or what SQLite says; then nothing was deleted on disk.
    public func purge(priority: Priority? = nil, olderThan: Timestamp? = nil) throws -> Int {
        guard !isClosed else { throw OutboxError.closed }
        commit()
        func isMeant(_ id: RowID, _ accepted: Timestamp) -> Bool {
            inFlight[id] == nil && !exchanges.released.contains(id) && olderThan.map { accepted < $0 } ?? true
        }
        let waiting = unsaved.count
        unsaved.removeAll { ($0.message.priority == priority || priority == nil) && isMeant($0.id, $0.accepted) }
        unsavedBytes = unsaved.reduce(0) { $0 + $1.message.size }
        var count = waiting - unsaved.count
        ledger.losses.purged += Int64(count)
        isLedgerChanged = isLedgerChanged || count > 0
        guard let database else { return count }
        var ledger = ledger
        try database.transaction { database in
            for chosen in Priority.allCases where chosen == priority || priority == nil {
                let deleted = try database.delete(chosen) { head in
                    guard isMeant(head.id, head.accepted), !done.contains(head.id) else { return .keep }
                    if mayLeaveExchangeOpen(head.id, head.qos) { ledger.counters[Self.sessionCounter] = nil }
                    return .delete
                }
                ledger.rows -= deleted
                ledger.losses.purged += Int64(deleted)
                count += deleted
            }
            try database.write(ledger)
        }
        database.didWrite(ledger)
        self.ledger = ledger
        return count
    }

    /// Looks into a queue from outside, also while its agent runs, and changes nothing.
    ///
    /// - Parameter limit: at most so many messages, in the order of sending.
    /// - Throws: ``OutboxError``, or what SQLite says about a file that cannot be read.
    public static func inspect(path: String, limit: Int = 0) throws -> (status: OutboxStatus, messages: [QueuedMessage])
    {
        let place = DatabasePlace(finding: path, format: QueueDatabase.format)
        let newer = NewerQueue(place, path: path)
        if let version = place.newer, access(place.file, F_OK) != 0 { throw OutboxError(.newer(version), path: path) }
        let path = place.file
        // An empty file is what a crash in the first moment leaves.
        var file = stat()
        guard stat(path, &file) == 0, file.st_size > 0 || access(path + "-wal", F_OK) == 0 else {
            throw OutboxError.noSuchQueue(path: path)
        }
        do {
            var (status, messages) = try look(path, limit)
            status.newer = newer
            return (status, messages)
        } catch let error as SQLiteError where error.isCorrupt {
            throw OutboxError.damaged(path: path, reason: error.message)
        }
    }

    private static func look(_ path: String, _ limit: Int) throws -> (status: OutboxStatus, messages: [QueuedMessage]) {
        // Without a log nobody has it open: then SQLite need not lock, nor create a log that it could not remove.
        let mode = access(path + "-wal", F_OK) == 0 ? Connection.Mode.readOnly : .immutable
        let database = try QueueDatabase(reading: path, mode: mode)
        // One transaction, so that all of it shows one moment.
        try database.connection.execute("BEGIN")
        let ledger = try database.load().ledger
        let status = OutboxStatus(
            state: .observed, queued: ledger.rows, inFlight: 0, unsaved: 0, bytesUsed: try database.bytesUsed(),
            oldest: try database.oldest(skipping: RowRanges()), nextSequence: ledger.nextSequence,
            losses: ledger.losses, commits: 0, damage: nil, damagedFiles: DamagedFiles(database: path).all())
        return (status, try database.list(limit: limit, skipping: RowRanges()))
    }
}

extension QueueDatabase {
    /// When the first message of those that head a priority was accepted.
    fileprivate func oldest(skipping done: RowRanges) throws -> Timestamp? {
        var oldest: Timestamp?
        for priority in Priority.allCases {
            var position = priority.floor
            search: while true {
                let found = try heads(behind: position, through: priority.ceiling, limit: 16)
                for head in found {
                    if done.contains(head.id) { continue }
                    oldest = min(oldest ?? head.accepted, head.accepted)
                    break search
                }
                guard let last = found.last else { break }
                position = last.id
            }
        }
        return oldest
    }

    fileprivate func list(limit: Int, skipping done: RowRanges) throws -> [QueuedMessage] {
        var messages: [QueuedMessage] = []
        guard limit > 0 else { return messages }
        try read(behind: RowID(0), through: Priority.low.ceiling, limit: .max) { row in
            if let message = row.message, !done.contains(row.id) {
                messages.append(QueuedMessage(sequence: row.id.sequence, accepted: row.accepted, message: message))
            }
            return messages.count < limit
        }
        return messages
    }
}
