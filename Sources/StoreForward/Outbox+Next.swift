internal import Logging
internal import MQTT
internal import MQTTWire
internal import Units

extension Outbox {
    /// What one call of `next` gathers; nothing of it counts before it is complete.
    struct Batch {
        let maximumCount: Int
        let maximumBytes: Int
        var messages: [StoredMessage] = []
        var bytes = 0
        var cursors: [RowID]
        var inFlight: [RowID: RowID] = [:]

        init(maximumCount: Int, maximumBytes: Int, cursors: [RowID]) {
            self.maximumCount = maximumCount
            self.maximumBytes = maximumBytes
            self.cursors = cursors
        }

        var isFull: Bool { messages.count >= maximumCount || (!messages.isEmpty && bytes >= maximumBytes) }

        mutating func add(
            _ message: Message, _ id: RowID, behind lower: RowID, mayHaveBeenSent: Bool = false,
            isReleased: Bool = false
        ) {
            messages.append(
                StoredMessage(
                    id: id.messageID, message: message, mayHaveBeenSent: mayHaveBeenSent, isReleased: isReleased))
            bytes += message.size
            inFlight[id] = lower
        }
    }

    func fill(_ batch: inout Batch) throws {
        for priority in Priority.highestFirst {
            try fillSaved(&batch, priority)
            if state != .durable { fillUnsaved(&batch, [priority]) }
            if batch.isFull { return }
        }
    }

    private func fillSaved(_ batch: inout Batch, _ priority: Priority) throws {
        let lane = Int(priority.rawValue)
        let now = now()
        while batch.cursors[lane] < last[lane], !batch.isFull, let database {
            let limit = batch.maximumCount - batch.messages.count
            let count = try database.read(behind: batch.cursors[lane], through: last[lane], limit: limit) { row in
                let lower = batch.cursors[lane]
                batch.cursors[lane] = row.id
                if inFlight[row.id] != nil || done.contains(row.id) { return true }
                guard let message = row.message else {
                    logger.error("a row of the queue makes no message", metadata: ["row": "\(row.id.value)"])
                    lose(row.id, behind: lower, \.damaged)
                    return true
                }
                let isReleased = released.contains(row.id)
                if !isReleased, isExpired(row.accepted, message.expiry, now) {
                    lose(row.id, behind: lower, \.expired)
                } else {
                    batch.add(
                        remaining(message, row.accepted, now), row.id, behind: lower,
                        mayHaveBeenSent: row.id.sequence < firstOwnSequence, isReleased: isReleased)
                }
                return !batch.isFull
            }
            if count == 0 { batch.cursors[lane] = last[lane] }
        }
    }

    /// Only while the disk fails: a message that is nowhere else may leave.
    func fillUnsaved(_ batch: inout Batch, _ priorities: [Priority]) {
        let now = now()
        for priority in priorities where !batch.isFull {
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
            for entry in unsaved where entry.message.priority == priority && !batch.isFull {
                guard inFlight[entry.id] == nil else { continue }
                batch.add(remaining(entry.message, entry.accepted, now), entry.id, behind: RowID(entry.id.value - 1))
            }
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
