internal import Synchronization
internal import Units

/// What a bridge has done since the agent started.
final class BridgeCounters: Sendable {
    struct Counts: Sendable, Hashable {
        /// In the queue, for the far broker.
        var out: Int64 = 0
        /// At the broker inside.
        var `in`: Int64 = 0
        /// Not carried: a topic that cannot be on the other side, a message too large for the queue, or one that the
        /// broker inside refuses.
        var dropped: Int64 = 0
        /// Not carried because they were here before, or came over too many gateways.
        var looped: Int64 = 0
    }

    private let counts = Mutex(Counts())

    var current: Counts { counts.withLock { $0 } }

    func count(_ member: any WritableKeyPath<Counts, Int64> & Sendable, _ number: Int = 1) {
        guard number > 0 else { return }
        counts.withLock { $0[keyPath: member] += Int64(number) }
    }
}

extension BridgeCounters.Counts {
    /// As in the board's status.
    var json: JSON {
        var members = [
            JSON.Member("out", .integer(out)), JSON.Member("in", .integer(`in`)),
            JSON.Member("dropped", .integer(dropped)),
        ]
        if looped > 0 { members.append(JSON.Member("looped", .integer(looped))) }
        return .object(members)
    }
}
