internal import Logging
internal import MQTT
internal import MQTTWire
internal import Units

extension Outbox {
    /// What one call of `next` gathers; nothing of it counts before it is complete.
    struct Batch {
        let maximumCount: Int
        let maximumBytes: Int
        /// How many more of a backlog that is paced.
        var maximumBacklog: Int
        var messages: [StoredMessage] = []
        var bytes = 0
        var cursors: [RowID]
        var liveCursors: [RowID]
        var inFlight: [RowID: RowID] = [:]

        init(
            maximumCount: Int, maximumBytes: Int, maximumBacklog: Int, cursors: [RowID], liveCursors: [RowID]
        ) {
            self.maximumCount = maximumCount
            self.maximumBytes = maximumBytes
            self.maximumBacklog = maximumBacklog
            self.cursors = cursors
            self.liveCursors = liveCursors
        }

        var isFull: Bool { messages.count >= maximumCount || (!messages.isEmpty && bytes >= maximumBytes) }

        mutating func add(
            _ message: Message, _ id: RowID, behind lower: RowID, mayHaveBeenSent: Bool = false,
            isReleased: Bool = false, isBacklog: Bool
        ) {
            messages.append(
                StoredMessage(
                    id: id.messageID, message: message, mayHaveBeenSent: mayHaveBeenSent, isReleased: isReleased,
                    isBacklog: isBacklog))
            if isBacklog, message.priority.isPaced { maximumBacklog -= 1 }
            bytes += message.size
            inFlight[id] = lower
        }
    }

    func fill(_ batch: inout Batch) throws {
        for priority in Priority.highestFirst {
            let lane = Int(priority.rawValue)
            switch options.backlogOrder {
            case .first:
                try fill(&batch, priority, \.cursors, through: priority.ceiling)
            case .last:
                let end = RowID(priority, lastOfBacklog)
                batch.liveCursors[lane] = max(batch.liveCursors[lane], end)
                try fill(&batch, priority, \.liveCursors, through: priority.ceiling)
                try fill(&batch, priority, \.cursors, through: end)
            }
            if batch.isFull { return }
        }
    }

    private func fill(
        _ batch: inout Batch, _ priority: Priority, _ cursor: any WritableKeyPath<Batch, [RowID]> & Sendable,
        through end: RowID
    ) throws {
        let lane = Int(priority.rawValue)
        let start = batch[keyPath: cursor][lane]
        let isHeldBack = try fillSaved(&batch, priority, cursor, through: min(last[lane], end))
        // What is on disk is older, and goes first (D4).
        if state != .durable, !isHeldBack {
            fillUnsaved(&batch, priority, behind: start, through: end, since: try oldestSequence())
        }
    }

    /// - Returns: whether something has to wait, and what comes behind it too.
    private func fillSaved(
        _ batch: inout Batch, _ priority: Priority, _ cursor: any WritableKeyPath<Batch, [RowID]> & Sendable,
        through end: RowID
    ) throws -> Bool {
        let lane = Int(priority.rawValue)
        let now = now()
        let lookBack = try oldestSequence()
        var isHeldBack = false
        while batch[keyPath: cursor][lane] < end, !batch.isFull, !isHeldBack, let database {
            let limit = batch.maximumCount - batch.messages.count
            let start = batch[keyPath: cursor][lane]
            let count = try database.read(behind: start, through: end, limit: limit) { row in
                let isBacklog = row.id.sequence <= lastOfBacklog
                if isBacklog, priority.isPaced, batch.maximumBacklog <= 0 {
                    isHeldBack = true
                    return false
                }
                if let qos = row.message?.qos, try hasOlderTwin(row.id, qos, since: lookBack) {
                    isHeldBack = true
                    return false
                }
                let lower = batch[keyPath: cursor][lane]
                batch[keyPath: cursor][lane] = row.id
                if inFlight[row.id] != nil || done.contains(row.id) { return true }
                guard let message = row.message else {
                    logger.error("a row of the queue makes no message", metadata: ["row": "\(row.id.value)"])
                    lose(row.id, behind: lower, \.damaged)
                    return true
                }
                let isReleased = exchanges.released.contains(row.id)
                let mayHaveBeenSent = row.id.sequence < firstOwnSequence
                if !isReleased, isExpired(row.accepted, message.expiry, now) {
                    if mayLeaveExchangeOpen(row.id, message.qos) { ledger.counters[Self.sessionCounter] = nil }
                    lose(row.id, behind: lower, \.expired)
                } else {
                    batch.add(
                        remaining(message, row.accepted, now), row.id, behind: lower,
                        mayHaveBeenSent: mayHaveBeenSent, isReleased: isReleased, isBacklog: isBacklog)
                }
                return !batch.isFull
            }
            if count == 0 { batch[keyPath: cursor][lane] = end }
        }
        return isHeldBack
    }

    /// Packet identifiers repeat after so many messages (see `Session`).
    private static let identifiers: Int64 = 49_151

    /// The number of the oldest message, when that is so long ago that identifiers may meet; else nil.
    private func oldestSequence() throws -> Int64? {
        guard let database, ledger.nextSequence - knownOldest > Self.identifiers else { return nil }
        knownOldest = ledger.nextSequence
        for priority in Priority.allCases {
            if let head = try database.heads(behind: priority.floor, through: priority.ceiling, limit: 1).first {
                knownOldest = min(knownOldest, head.id.sequence)
            }
        }
        return ledger.nextSequence - knownOldest > Self.identifiers ? knownOldest : nil
    }

    /// Whether a message has to wait for an older one with the same packet identifier, in whatever rank, because a server may
    /// take the one for the other when the exchange of one of them (QoS 2) is left open by a crash (D3).
    private func hasOlderTwin(_ id: RowID, _ qos: QoS, since oldest: Int64?) throws -> Bool {
        guard let oldest, let database, qos > .atMostOnce else { return false }
        // Of QoS 1 a server keeps nothing that could be mistaken later.
        if qos == .atLeastOnce, oldest >= firstClosedSequence { return false }
        var sequence = id.sequence - Self.identifiers
        while sequence >= oldest {
            for priority in Priority.allCases {
                let twin = RowID(priority, sequence)
                guard !done.contains(twin),
                    let head = try database.heads(behind: RowID(twin.value - 1), through: twin, limit: 1).first
                else { continue }
                if qos == .exactlyOnce ? head.qos > .atMostOnce : mayLeaveExchangeOpen(head.id, head.qos) {
                    return true
                }
            }
            sequence -= Self.identifiers
        }
        return false
    }

    /// Only while the disk fails: a message that is nowhere else may leave.
    ///
    /// - Parameter oldest: as for `hasOlderTwin`; nil also when the file cannot be asked.
    func fillUnsaved(
        _ batch: inout Batch, _ priority: Priority, behind start: RowID, through end: RowID, since oldest: Int64? = nil
    ) {
        let now = now()
        // Passed by is gone, or it would come behind its successors once the clock goes back.
        unsaved.removeAll { entry in
            guard entry.message.priority == priority, inFlight[entry.id] == nil,
                isExpired(entry.accepted, entry.message.expiry, now)
            else { return false }
            unsavedBytes -= entry.message.size
            ledger.losses.expired += 1
            isLedgerChanged = true
            return true
        }
        for entry in unsaved where entry.message.priority == priority && start < entry.id && entry.id <= end {
            if batch.isFull { return }
            guard inFlight[entry.id] == nil else { continue }
            let isBacklog = entry.id.sequence <= lastOfBacklog
            if isBacklog, priority.isPaced, batch.maximumBacklog <= 0 { return }
            if (try? hasOlderTwin(entry.id, entry.message.qos, since: oldest)) == true { return }
            batch.add(
                remaining(entry.message, entry.accepted, now), entry.id, behind: RowID(entry.id.value - 1),
                isBacklog: isBacklog)
        }
    }

    private func lose(_ id: RowID, behind lower: RowID, _ cause: WritableKeyPath<OutboxStatus.Losses, Int64>) {
        done.insert(behind: lower, through: id)
        doneCount += 1
        ledger.losses[keyPath: cause] += 1
        isLedgerChanged = true
    }

    /// By its own expiry or by the queue's maximum age. A clock that was not set then, is not set now, or went back
    /// since, says nothing.
    func isExpired(_ accepted: Timestamp, _ expiry: Duration?, _ now: Timestamp) -> Bool {
        guard accepted.isPlausible, now > accepted else { return false }
        let age = now - accepted
        return options.maximumAge.map { age > $0 } ?? false || expiry.map { age >= $0 } ?? false
    }

    /// The message with what is left of its expiry, which is what the broker has to be told.
    private func remaining(_ message: Message, _ accepted: Timestamp, _ now: Timestamp) -> Message {
        guard let expiry = message.expiry, accepted.isPlausible, now > accepted else { return message }
        var message = message
        message.expiry = expiry - (now - accepted)
        return message
    }
}
