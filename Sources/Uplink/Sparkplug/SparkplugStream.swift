internal import MQTT
internal import Units

/// What flows from a queue to the client, as a value: births and deaths, the queue's messages behind them, and what became
/// of each.
struct SparkplugStream: Sendable {
    var node: SparkplugNode
    /// Of the attempt to connect that was last.
    var attempt: (connection: Int, bdSeq: UInt8) = (0, 0)
    var connection: Int?
    /// Rises whenever what was given out is void.
    var epoch = 0
    var mustRewind = false
    /// Came from the queue, and was not given out yet.
    var waiting: [StoredMessage] = []
    var given: Set<MessageID> = []
    /// So many calls have made metrics known whose messages the queue does not have yet.
    var appending = 0
    /// So many have begun to, ever.
    var appends = 0
    /// Written, and not known to have arrived.
    var unproven: [(id: MessageID, written: ContinuousClock.Instant)] = []
    /// Known to have arrived, and the queue does not know yet.
    var proven: [MessageID] = []
    /// No messages of ours, which the queue does not know yet either.
    var unsayable: [MessageID] = []
    var lastSynthetic: Int64 = 0
    /// Somebody will look after `unproven`, or ring the bell.
    var isAlarmSet = false
    var isBellSet = false
    var statistics = SparkplugStatistics()

    /// All that was given out and is not known to have arrived is to be given out again.
    mutating func takeBack() {
        statistics.repeated += unproven.count
        unproven.removeAll()
        given.removeAll()
        waiting.removeAll()
        mustRewind = true
        epoch += 1
    }

    /// More than this, and the oldest are believed to have arrived.
    static let maximumUnproven = 100_000

    mutating func written(_ ids: [MessageID], at now: ContinuousClock.Instant) {
        for id in ids where given.remove(id) != nil { unproven.append((id, now)) }
        let excess = unproven.count - Self.maximumUnproven
        if excess > 0 {
            proven += unproven.prefix(excess).map(\.id)
            unproven.removeFirst(excess)
        }
    }

    /// - Parameter instant: what was written until then has arrived; nil: all.
    mutating func prove(before instant: ContinuousClock.Instant?) {
        let count = instant.map { instant in unproven.prefix { $0.written <= instant }.count } ?? unproven.count
        guard count > 0 else { return }
        proven += unproven.prefix(count).map(\.id)
        unproven.removeFirst(count)
    }

    mutating func synthetic(_ message: Message) -> StoredMessage {
        // No queue gives negative identifiers.
        lastSynthetic -= 1
        return StoredMessage(id: MessageID(rawValue: lastSynthetic), message: message)
    }

    /// - Returns: what may be given out; how long births have to wait that are due.
    mutating func take(
        _ maximumCount: Int, _ now: ContinuousClock.Instant, _ time: Timestamp
    ) throws -> ([StoredMessage], wait: Duration?) {
        var ready: [StoredMessage] = []
        while node.maySpeak {
            if node.isBirthDue {
                if let wait = node.birthWait(at: now) { return (ready, wait) }
                ready += try node.births(at: now, time).map { synthetic($0) }
            }
            guard ready.count < maximumCount, let stored = waiting.first else { break }
            switch try node.tell(stored, at: time) {
            case .birthFirst: continue
            case .nothing: proven.append(stored.id)
            case .never:
                unsayable.append(stored.id)
                statistics.dropped += 1
            case .now(let messages):
                given.insert(stored.id)
                for message in messages.dropLast() { ready.append(synthetic(message)) }
                if let message = messages.last {
                    ready.append(StoredMessage(id: stored.id, message: message, isBacklog: stored.isBacklog))
                }
            }
            waiting.removeFirst()
        }
        return (ready, nil)
    }
}
