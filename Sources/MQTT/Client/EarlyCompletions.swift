internal import DequeModule
internal import MQTTWire

/// Completions that overtake their callers' way back from the store: a message may be sent and acknowledged before the
/// caller that appended it knows its identifier.
///
/// Each is kept for as long as a caller is with the store who was there already when it came, and no longer, so that
/// callers who take turns do not make this grow for ever.
struct EarlyCompletions: Sendable {
    /// The server's last word, or why it was never asked.
    typealias Completion = Result<ReasonCode, ClientError>

    private var callers: Deque<UInt64> = []
    private var lastCaller: UInt64 = 0
    private var results: [MessageID: Completion] = [:]
    private var order: Deque<(lastCaller: UInt64, id: MessageID)> = []

    var count: Int { results.count }

    /// A caller goes to the store, and gets a number for ``leave(_:with:)``.
    mutating func enter() -> UInt64 {
        lastCaller += 1
        callers.append(lastCaller)
        return lastCaller
    }

    /// A message was completed for which nobody waits yet.
    mutating func completed(_ id: MessageID, _ result: Completion) {
        guard !callers.isEmpty else { return }
        results[id] = result
        order.append((lastCaller, id))
    }

    /// A caller is back, with its message's identifier if the store took it.
    ///
    /// - Returns: the completion that overtook it.
    mutating func leave(_ caller: UInt64, with id: MessageID?) -> Completion? {
        let result = id.flatMap { results.removeValue(forKey: $0) }
        // They come back nearly in order.
        if let index = callers.firstIndex(of: caller) { callers.remove(at: index) }
        while let oldest = order.first, callers.first.map({ oldest.lastCaller < $0 }) ?? true {
            results[oldest.id] = nil
            order.removeFirst()
        }
        return result
    }
}
