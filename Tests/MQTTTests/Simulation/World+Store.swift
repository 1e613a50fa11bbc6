import MQTT
import MQTTWire

enum StoreCall {
    case next(count: Int)
    case forget(acknowledged: [Int], refused: [Int])
    case note(ExchangeSteps)
    /// A connection begins; in a session of its own when there is a name.
    case begin(name: Int?, session: Int)
}

enum StoreAnswer {
    case next([StoredMessage])
    case forgotten, noted, begun, appended
}

// The store: what the Outbox promises, and no more. Calls are carried out in order, answers travel in order; the disk
// takes what waits when somebody needs it, or later.
extension World {
    mutating func append(_ argument: Int) {
        guard entries.count < Self.maximumEntries, let topic = Self.topic else { return }
        let number = entries.count
        let rank = setup.hasRanks && argument >> 4 & 3 == 3 ? 0 : 1
        let qos: QoS = argument >> 2 & 3 == 3 ? .atLeastOnce : .exactlyOnce
        let id = MessageID(rawValue: Int64(rank) << 48 | (1 + Int64(number) * setup.stride))
        let message = Message(
            topic: topic, payload: Self.payloads[number], qos: qos, priority: rank == 0 ? .urgent : .normal)
        entries.append(
            Entry(
                number: number, exactlyOnce: qos == .exactlyOnce, rank: rank, id: id, message: message, isDirect: false)
        )
        note("append #\(number), QoS \(qos == .exactlyOnce ? 2 : 1)\(rank == 0 ? ", urgent" : "")")
        guard setup.isDurable else {
            entries[number].place = .stored
            entries[number].isAccepted = true
            ranks[rank].append(number)
            answered.append(.appended)
            return
        }
        unsaved.append(number)
    }

    func number(of id: MessageID) -> Int { Int((id.sequence - 1) / setup.stride) }

    mutating func commit() throws(Failure) {
        guard !unsaved.isEmpty || !done.isEmpty else { return }
        if !unsaved.isEmpty {
            note("the store commits \(unsaved.map { "#\($0)" }.joined(separator: " "))")
            for number in unsaved {
                entries[number].place = .stored
                entries[number].isAccepted = true
                ranks[entries[number].rank].append(number)
            }
            unsaved.removeAll()
            answered.append(.appended)
        }
        if !done.isEmpty {
            note("the store deletes \(done.map { "#\($0)" }.joined(separator: " "))")
            for number in done {
                entries[number].place = .gone
                try checkNotLost(number)
            }
            done.removeAll()
        }
    }

    mutating func storeWorks() throws(Failure) {
        guard !asked.isEmpty else { return }
        switch asked.removeFirst() {
        case .next(let count): answered.append(.next(next(count)))
        case .forget(let acknowledged, let refused):
            forget(acknowledged + refused)
            answered.append(.forgotten)
        case .note(let steps):
            for id in steps.released {
                note("the store notes #\(number(of: id)) as released")
                entries[number(of: id)].isReleased = true
            }
            for identifier in steps.seen {
                note("the store notes incoming \(identifier) as seen")
                storedIncoming.insert(identifier)
                for seen in client.seen where seen.identifier == identifier { own[seen.number].isSeen = true }
                client.seen.removeAll { $0.identifier == identifier }
            }
            for identifier in steps.finished { storedIncoming.remove(identifier) }
            try commit()
            answered.append(.noted)
        case .begin(let name, let session):
            if let name {
                note("the store notes a new session")
                storedName = name
                storedIncoming.removeAll()
                for number in entries.indices { entries[number].isReleased = false }
                newSessionIsKnown(session)
                try commit()
            }
            answered.append(.begun)
        }
    }

    /// The highest rank first, inside it the oldest first.
    mutating func next(_ count: Int) -> [StoredMessage] {
        var batch: [StoredMessage] = []
        for rank in 0...1 {
            for number in ranks[rank] {
                let entry = entries[number]
                guard entry.place == .stored, !entry.isGiven, !entry.isDone else { continue }
                if batch.count >= count { return batch }
                entries[number].isGiven = true
                batch.append(
                    StoredMessage(
                        id: entry.id, message: entry.message, mayHaveBeenSent: number < firstOwnNumber,
                        isReleased: entry.isReleased))
            }
        }
        return batch
    }

    mutating func forget(_ numbers: [Int]) {
        for number in numbers where !entries[number].isDone && entries[number].place == .stored {
            entries[number].isDone = true
            done.append(number)
        }
    }

    mutating func evict(_ argument: Int) {
        guard setup.evicts else { return }
        let candidates = entries.filter { $0.place == .stored && !$0.isGiven && !$0.isReleased && !$0.isDone }
        guard !candidates.isEmpty else { return }
        let number = candidates[argument >> 4 % candidates.count].number
        note("the store drops #\(number)")
        coverage.reached(number < firstOwnNumber ? .evictedAfterCrash : .evicted)
        entries[number].place = .gone
        entries[number].isExcused = true
    }

    /// What was not committed is gone, and so is everything that only the process knew.
    mutating func storeCrashes() {
        for number in unsaved { entries[number].place = .gone }
        for number in entries.indices {
            entries[number].isGiven = false
            entries[number].isDone = false
        }
        unsaved.removeAll()
        done.removeAll()
        asked.removeAll()
        answered.removeAll()
        firstOwnNumber = entries.count
    }
}
