internal import Database
internal import Logging
internal import MQTT
internal import MQTTWire
internal import SQLite
internal import Units

extension Outbox {
    /// Writes what waits: deletions, new messages, limits and numbers, in one transaction. Never fails: what the disk
    /// does not take stays in memory.
    func commit() {
        guard !isClosed else { return }
        thread.clearTimer()
        do {
            try commitOrRecover()
            if state != .durable {
                logger.notice("the queue's disk is well again", metadata: ["path": "\(path)"])
                state = .durable
            }
        } catch {
            degrade(error)
        }
        let waiters = waiters
        self.waiters.removeAll()
        for waiter in waiters { waiter.resume() }
        if state != .durable {
            thread.setTimer(after: Self.retryInterval)
        } else if ledger.rows > 0 {
            thread.setTimer(after: sweepInterval)
        }
    }

    private func commitOrRecover() throws {
        do {
            try commitOnce()
        } catch let error as SQLiteError where error.isCorrupt {
            recover(from: error)
            try commitOnce()
        } catch let error as SQLiteError where error.isFull && !done.isEmpty {
            // What was acknowledged makes room, once it is deleted.
            try? database?.connection.checkpoint()
            try commitOnce(deletionsOnly: true)
            try commitOnce()
        }
    }

    private func commitOnce(deletionsOnly: Bool = false) throws {
        let database = try openDatabase()
        let now = now()
        let mustSweep = lastSweep.map { max(now - $0, $0 - now) >= sweepInterval } ?? true
        guard
            !unsaved.isEmpty || !done.isEmpty || isLedgerChanged || exchanges.isUnsaved || mustEnforceLimits
                || mustSweep
        else { return }
        var ledger = ledger
        var last = last
        var neverExpiring = neverExpiring
        let isLedgerWritten = try database.transaction { database in
            try exchanges.save(to: database)
            let countBefore = ledger.rows
            for range in done.all { ledger.rows -= try database.delete(behind: range.lower, through: range.upper) }
            var hasDeleted = ledger.rows != countBefore
            let inserted = deletionsOnly ? [] : unsaved
            var bytes = 0
            for entry in inserted {
                if try database.insert(entry.id, accepted: entry.accepted, entry.message) { ledger.rows += 1 }
                last[Int(entry.message.priority.rawValue)] = entry.id
                bytes += entry.message.size
                if bytes >= Self.evictionSlice {
                    hasDeleted = try enforceSize(&ledger, database) || hasDeleted
                    bytes = 0
                }
            }
            if mustSweep { hasDeleted = try sweep(&ledger, &neverExpiring, database, now) || hasDeleted }
            if !inserted.isEmpty || mustEnforceLimits {
                hasDeleted = try enforceRows(&ledger, database) || hasDeleted
                hasDeleted = try enforceSize(&ledger, database) || hasDeleted
            }
            // Rows below the written number are taken as counted; and counting at the next opening is kept short.
            let known = database.written["next_sequence"] ?? 1
            let mustWrite =
                hasDeleted || isLedgerChanged || (inserted.first.map { $0.id.sequence < known } ?? false)
                || ledger.nextSequence - known > Self.recountLimit
            if mustWrite { try database.write(ledger) }
            if let injectedFailure { throw injectedFailure }
            return mustWrite
        }
        self.ledger = ledger
        self.last = last
        self.neverExpiring = neverExpiring
        if isLedgerWritten { database.didWrite(ledger) }
        isLedgerChanged = false
        exchanges.didSave()
        done.removeAll()
        doneCount = 0
        if !deletionsOnly {
            unsaved.removeAll()
            unsavedBytes = 0
            mustEnforceLimits = false
        }
        if mustSweep { lastSweep = now }
        commits += 1
    }

    /// So many bytes are inserted before the size is looked at again.
    private static let evictionSlice = 32 * 1024
    /// So many rows, at most about, are counted when a queue is opened.
    static let recountLimit: Int64 = 4096

    /// How often the oldest messages' age is looked at.
    var sweepInterval: Duration {
        guard let maximumAge = options.maximumAge else { return .seconds(60) }
        return max(.seconds(1), min(.seconds(60), maximumAge / 16))
    }

    // MARK: - Limits

    private func enforceRows(_ ledger: inout Ledger, _ database: QueueDatabase) throws -> Bool {
        guard let maximum = options.maximumRows, ledger.rows > maximum else { return false }
        // A little more than needed, so that not every commit has to evict.
        let target = maximum - maximum / 64
        return try evict(&ledger, database, \.evictedByRows) { ledger in ledger.rows - target }
    }

    private func enforceSize(_ ledger: inout Ledger, _ database: QueueDatabase) throws -> Bool {
        guard let maximum = options.maximumSize, try database.bytesUsed() > maximum else { return false }
        let target = maximum - maximum / 64
        return try evict(&ledger, database, \.evictedBySize) { ledger in
            let excess = try database.bytesUsed() - target
            guard excess > 0, ledger.rows > 0 else { return 0 }
            return max(1, min(64, excess / max(1, maximum / ledger.rows)))
        }
    }

    /// Deletes the oldest of the lowest priority that were not given out, as many as `wanted` says, again and again
    /// until it says 0.
    private func evict(
        _ ledger: inout Ledger, _ database: QueueDatabase, _ cause: WritableKeyPath<OutboxStatus.Losses, Int64>,
        wanted: (Ledger) throws -> Int
    ) throws -> Bool {
        var hasEvicted = false
        for priority in Priority.allCases {
            while true {
                var remaining = try wanted(ledger)
                if remaining <= 0 { return hasEvicted }
                let count = try database.delete(priority) { head in
                    if inFlight[head.id] != nil || exchanges.released.contains(head.id) { return .keep }
                    guard remaining > 0 else { return .stop }
                    remaining -= 1
                    if mayLeaveExchangeOpen(head.id, head.qos) { ledger.counters[Self.sessionCounter] = nil }
                    return .delete
                }
                if count == 0 { break }
                ledger.rows -= count
                ledger.losses[keyPath: cause] += Int64(count)
                hasEvicted = true
            }
        }
        return hasEvicted
    }

    /// Deletes what has expired at the head of each priority; behind the first message that has time left, `next`
    /// takes care.
    private func sweep(
        _ ledger: inout Ledger, _ neverExpiring: inout [RowID], _ database: QueueDatabase, _ now: Timestamp
    ) throws -> Bool {
        var count = 0
        for priority in Priority.allCases {
            let lane = Int(priority.rawValue)
            var skipped = 0
            var isPrefix = true
            count += try database.delete(priority, behind: neverExpiring[lane]) { head in
                if inFlight[head.id] != nil || exchanges.released.contains(head.id) {
                    isPrefix = false
                } else if isExpired(head.accepted, head.expiry, now) {
                    if mayLeaveExchangeOpen(head.id, head.qos) { ledger.counters[Self.sessionCounter] = nil }
                    return .delete
                } else if head.accepted.isPlausible {
                    if head.accepted <= now { return .stop }
                    isPrefix = false
                } else if isPrefix {
                    neverExpiring[lane] = head.id
                }
                skipped += 1
                return skipped < 1024 ? .keep : .stop
            }
        }
        ledger.rows -= count
        ledger.losses.expired += Int64(count)
        return count > 0
    }

    /// An earlier process may have sent it, and the server then waits for PUBREL: it would take another message that comes
    /// under the same packet identifier, 49,151 messages later, for this one. So the next session has to be a new one.
    func mayLeaveExchangeOpen(_ id: RowID, _ qos: QoS) -> Bool {
        qos == .exactlyOnce && id.sequence < firstClosedSequence
    }

    /// Keeps the memory of a failing disk bounded: the oldest of the lowest priority go first.
    func trimUnsaved() {
        guard unsavedBytes > options.memoryLimit else { return }
        let target = options.memoryLimit - options.memoryLimit / 16
        for priority in Priority.allCases where unsavedBytes > target {
            unsaved.removeAll { entry in
                guard unsavedBytes > target, entry.message.priority == priority, inFlight[entry.id] == nil else {
                    return false
                }
                unsavedBytes -= entry.message.size
                ledger.losses.droppedUnsaved += 1
                return true
            }
        }
        isLedgerChanged = true
    }
}
