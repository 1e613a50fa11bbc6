internal import Database
internal import Logging
internal import MQTT
internal import MQTTWire
internal import SQLite
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

extension Outbox {
    func start() throws {
        // Without a file, numbers begin in the upper half, where no file's numbers are: see `adopt`.
        ledger.nextSequence = Self.provisionalSequence
        do {
            do {
                _ = try openDatabase()
            } catch let error as SQLiteError where error.isCorrupt {
                recover(from: error)
            }
        } catch let error as OutboxError {
            lock = nil
            throw error
        } catch {
            degrade(error)
        }
        commit()
    }

    private static let provisionalSequence: Int64 = 1 << 47

    /// The file's connection; opened now when there was none.
    func openDatabase() throws -> QueueDatabase {
        if let database { return database }
        if lock == nil {
            lock = try takeLock()
            place = DatabasePlace(finding: path, format: QueueDatabase.format)
        }
        DamagedFiles(database: place.file).finishRepair()
        DatabaseFile.create(place.file, mode: Self.fileMode)
        let opened = try QueueDatabase(path: place.file, durability: options.durability)
        if !isLedgerKnown { takeOver(into: opened) }
        var stored = try opened.load()
        if !isLedgerKnown, let newer = NewerQueue(place, path: path) { standIn(for: newer, &stored.ledger) }
        try adopt(stored, of: opened)
        database = opened
        return opened
    }

    /// Brings home what older programs have queued beside this file while they could not read it.
    private func takeOver(into database: QueueDatabase) {
        for file in place.standIns {
            do {
                let count = try StandIn.takeOver(file, into: database, at: now())
                // Another program has talked to the broker: how far our exchanges had come counts no more.
                sessionIsLost = true
                logger.notice(
                    "took over what an older Fieldpost had queued",
                    metadata: ["from": "\(file)", "messages": "\(count)"])
            } catch {
                logger.error(
                    "what an older Fieldpost had queued waits for the next start",
                    metadata: ["in": "\(file)", "reason": "\(error)"])
            }
        }
    }

    /// Makes a new queue beside the one of a newer program go on behind that one's numbers.
    private func standIn(for newer: NewerQueue, _ ledger: inout Ledger) {
        logger.error(
            "the queue was written by a newer Fieldpost: it is left as it is, for that one's return",
            metadata: [
                "path": "\(newer.path)", "format": "\(newer.format)", "known": "\(newer.known)",
                "instead": "\(newer.instead)",
            ])
        guard ledger.notes[StandIn.identity] == nil else { return }
        ledger.notes[StandIn.identity] = Int64.random(in: 1 ... .max)
        ledger.nextSequence = max(ledger.nextSequence, StandIn.firstSequence(behind: newer.path))
        lostCounters = StandIn.minutes(at: now())
        isLedgerChanged = true
    }

    /// The payloads are the business of its owner and its group.
    static let fileMode: mode_t = 0o640

    private func takeLock() throws -> DatabaseLock {
        do {
            return try DatabaseLock(database: path, mode: Self.fileMode)
        } catch .inUse(let pid) {
            throw OutboxError.inUse(path: path, pid: pid)
        } catch .system(let code, let file) {
            let reason = String(cString: strerror(code))
            switch code {
            case ENOENT, ENOTDIR, EACCES, EISDIR, ENAMETOOLONG:
                throw OutboxError.notAccessible(path: file, reason: reason)
            default: throw LockUnavailable(reason: "\(file): \(reason)")
            }
        }
    }

    /// The disk does not let the lock be taken.
    private struct LockUnavailable: Error {
        var reason: String
    }

    /// Brings the numbers of a file that was just opened together with those in memory.
    private func adopt(_ stored: (ledger: Ledger, last: [RowID]), of database: QueueDatabase) throws {
        var merged = stored.ledger
        if isLedgerKnown {
            // A commit whose success was not reported may be in the file all the same.
            let missing = try unsaved.filter { try !database.contains($0.id) }
            unsaved = missing
            unsavedBytes = missing.reduce(0) { $0 + $1.message.size }
            merged.nextSequence = max(merged.nextSequence, ledger.nextSequence)
            merged.losses = ledger.losses
            merged.counters = ledger.counters
            merged.notes = ledger.notes
        } else {
            var counted = ledger
            let session = counted.counters.removeValue(forKey: Self.sessionCounter)
            merged.add(countsOf: counted)
            firstOwnSequence = stored.ledger.nextSequence
            lastOfBacklog = min(lastOfBacklog, stored.ledger.nextSequence - 1)
            liveCursors = Priority.allCases.map(\.floor)
            if exchanges.mustForget {
                merged.counters[Self.sessionCounter] = session
            } else {
                try exchanges.load(from: database)
                firstClosedSequence = stored.ledger.nextSequence
            }
            merged.nextSequence += sequencesToSkip
            sequencesToSkip = 0
            for index in unsaved.indices {
                let old = unsaved[index].id
                let new = RowID(unsaved[index].message.priority, merged.nextSequence)
                merged.nextSequence += 1
                unsaved[index].id = new
                if inFlight.removeValue(forKey: old) != nil {
                    inFlight[new] = RowID(new.value - 1)
                    aliases[old] = new
                    exchanges.rename(old, new)
                    // The server knows it under the packet identifier of its old number.
                    if unsaved[index].message.qos == .exactlyOnce { merged.counters[Self.sessionCounter] = nil }
                }
            }
        }
        if sessionIsLost {
            sessionIsLost = false
            merged.counters[Self.sessionCounter] = nil
            exchanges.isLost()
        }
        isLedgerChanged = isLedgerChanged || merged != stored.ledger
        isLedgerKnown = true
        ledger = merged
        last = stored.last
        neverExpiring = Priority.allCases.map(\.floor)
        mustEnforceLimits = true
    }

    /// Goes on in memory.
    func degrade(_ error: any Error) {
        let reason = (error as? LockUnavailable)?.reason ?? "\(error)"
        if state == .durable {
            logger.error("the queue's disk fails; new messages wait in memory", metadata: ["reason": "\(reason)"])
        }
        state = .memory(reason: reason)
        // A connection that met such an error may never work again, even when its disk does.
        if let error = error as? SQLiteError, error.isInputOutput || error.isCannotOpen { database = nil }
        trimUnsaved()
        thread.setTimer(after: Self.retryInterval)
    }

    /// Moves a damaged file aside and takes over what can be read of it.
    ///
    /// The new file is built beside the old one and put in its place when it is complete, so that a crash in between
    /// loses nothing. Does not open the new file.
    func recover(from error: SQLiteError) {
        let path = place.file
        logger.error("the queue's file is damaged", metadata: ["path": "\(path)", "reason": "\(error.message)"])
        let expected = isLedgerKnown ? ledger.rows : nil
        database = nil
        let files = DamagedFiles(database: path)
        var salvaged: Salvage.Result?
        do {
            salvaged = try Salvage.run(from: path, to: files.repaired, skipping: done)
        } catch {
            logger.error("nothing could be salvaged", metadata: ["reason": "\(error)"])
            DatabaseFile.remove(files.repaired)
        }
        guard let moved = files.moveAside(now()) else {
            DatabaseFile.remove(files.repaired)
            return degrade(error)
        }
        files.finishRepair()
        let report = DamageReport(reason: error.message, movedTo: moved, salvaged: salvaged?.rows ?? 0)
        damage = report
        let lost = max(0, (expected ?? salvaged?.rowsExpected ?? 0) - doneCount - report.salvaged)
        ledger.losses.damaged += Int64(lost)
        if !isLedgerKnown {
            // The file's own numbers may be behind by so much: better a gap in the numbers than one that is used twice.
            sequencesToSkip = Self.recountLimit
            if salvaged?.hasNumbers != true {
                lostCounters = StandIn.minutes(at: now())
            }
        }
        isLedgerChanged = true
        done.removeAll()
        doneCount = 0
        // What was released is not known any more: the next session has to be a new one. While this process goes on, it
        // knows by itself.
        sessionIsLost = true
        logger.notice(
            "the damaged file was moved aside",
            metadata: [
                "to": "\(moved)", "salvaged": "\(report.salvaged)",
                "lost": "\(expected == nil ? "\(lost) or more" : "\(lost)")",
            ])
        do {
            let database = try openDatabase()
            for id in inFlight.keys where indexOfUnsaved(id) == nil {
                if try !database.contains(id) { inFlight[id] = nil }
            }
        } catch {
            degrade(error)
        }
    }
}
