internal import Synchronization

/// Commands on their way: bounded in number, and those for one thing one after another, in the order in which they came.
final class CommandQueue: Sendable {
    /// More than these are no conversation but a flood.
    static let limit = 64

    private struct State {
        var count = 0
        var next: UInt64 = 0
        /// The last of each lane.
        var lanes: [String: (number: UInt64, task: Task<Void, Never>)] = [:]
        var isClosed = false
    }

    private let state = Mutex(State())

    /// - Parameter lane: what it is for; nil: it waits for nobody.
    /// - Returns: false if there is no room for it, or nothing is begun any more.
    func add(to lane: String?, _ work: @escaping @Sendable () async -> Void) -> Bool {
        state.withLock { state in
            guard !state.isClosed, state.count < Self.limit else { return false }
            state.count += 1
            state.next += 1
            let number = state.next
            let previous = lane.flatMap { state.lanes[$0]?.task }
            let task = Task {
                await previous?.value
                await work()
                end(number, of: lane)
            }
            if let lane { state.lanes[lane] = (number, task) }
            return true
        }
    }

    private func end(_ number: UInt64, of lane: String?) {
        state.withLock { state in
            state.count -= 1
            if let lane, state.lanes[lane]?.number == number { state.lanes[lane] = nil }
        }
    }

    /// Nothing is begun any more.
    func close() { state.withLock { $0.isClosed = true } }

    /// Waits until all is done that was begun, but no longer than this.
    func settle(within time: Duration) async {
        let end = ContinuousClock.now + time
        while state.withLock({ $0.count > 0 }), .now < end { try? await Task.sleep(for: .milliseconds(10)) }
    }
}
