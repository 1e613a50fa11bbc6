internal import DequeModule
internal import NIOCore

/// Deadlines of one length for many connections, in order, so that one timer serves them all.
struct Patience: Sendable {
    let length: TimeAmount
    private var waits: Deque<(deadline: NIODeadline, id: ConnectionID)> = []

    init(_ length: Duration) { self.length = TimeAmount(length) }

    var next: NIODeadline? { waits.first?.deadline }

    mutating func begin(_ id: ConnectionID, at now: NIODeadline) -> NIODeadline {
        let deadline = now + length
        waits.append((deadline, id))
        return deadline
    }

    /// The next wait whose time is up. The connection may have stopped waiting long ago.
    mutating func popExpired(at now: NIODeadline) -> (deadline: NIODeadline, id: ConnectionID)? {
        guard let first = waits.first, first.deadline <= now else { return nil }
        return waits.removeFirst()
    }
}
