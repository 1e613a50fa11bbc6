/// What came of the messages that a board has numbered.
struct ArrivalLedger: Sendable {
    /// So many behind a gap, it will not be filled any more.
    private static let patience = 500

    /// The numbers that came; all up to the first gap are only counted.
    private var through = 0
    private var beyond: Set<Int> = []
    /// Gaps in `through` that answers stand for.
    private var bridged = 0
    private var highest: [String: Int] = [:]
    private var outOfOrder = 0
    private var repeated = 0
    /// Messages that have numbers and do not say them: answers to commands.
    private(set) var answers = 0

    struct Account: Sendable, Hashable {
        var arrived = 0
        var missing = 0
        var outOfOrder = 0
        var repeated = 0
    }

    /// - Parameter mayBeRepeated: whether coming twice is no fault.
    mutating func take(_ number: Int, topic: String, mayBeRepeated: Bool) {
        guard number > through, beyond.insert(number).inserted else {
            if !mayBeRepeated { repeated += 1 }
            return
        }
        // What matters more goes ahead; each topic is in order.
        if number < highest[topic] ?? 0 { outOfOrder += 1 }
        highest[topic] = max(highest[topic] ?? 0, number)
        close()
        while beyond.count > Self.patience, bridged < answers {
            bridged += 1
            through += 1
            close()
        }
    }

    private mutating func close() { while beyond.remove(through + 1) != nil { through += 1 } }

    mutating func takeAnswer() { answers += 1 }

    /// What a summary says of the numbers 1 to `last`.
    /// - Parameter answers: how many of them are answers to commands that came.
    func account(of last: Int, answers: Int) -> Account {
        let arrived = min(through, last) - bridged + beyond.count { $0 <= last } + answers
        return Account(arrived: arrived, missing: last - arrived, outOfOrder: outOfOrder, repeated: repeated)
    }
}
