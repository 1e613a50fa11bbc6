internal import DequeModule

/// Password hashes that are being computed: two at a time, so that guessing does not take the whole processor, and a
/// bounded number behind them.
struct PasswordChecks {
    private static let atOnce = 2
    private static let most = 1_000
    private var running = 0
    private var pending = 0
    private var waiting: Deque<CheckedContinuation<Void, Never>> = []

    /// - Returns: false when too many wait already.
    mutating func begin() -> Bool {
        guard pending < Self.most else { return false }
        pending += 1
        return true
    }

    /// - Returns: false when it has to wait for its turn.
    mutating func takeTurn() -> Bool {
        guard running < Self.atOnce else { return false }
        running += 1
        return true
    }

    mutating func wait(_ continuation: CheckedContinuation<Void, Never>) { waiting.append(continuation) }

    /// One is done; the next has its turn.
    mutating func end() {
        pending -= 1
        if let next = waiting.popFirst() { next.resume() } else { running -= 1 }
    }
}
