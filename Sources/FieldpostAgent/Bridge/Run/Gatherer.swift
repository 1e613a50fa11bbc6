internal import Synchronization

/// What comes one by one, to be taken together: whoever brings waits while it is full, whoever takes while it is empty.
/// Each of the two is one task.
final class Gatherer<Element: Sendable>: Sendable {
    private struct State: Sendable {
        var elements: [Element] = []
        var bytes = 0
        var bringer: CheckedContinuation<Void, Never>?
        var taker: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let maximumCount: Int
    private let maximumBytes: Int

    /// - Parameters:
    ///   - maximumCount: elements that wait.
    ///   - maximumBytes: of those; one more is always taken that may go beyond.
    init(maximumCount: Int, maximumBytes: Int = 1 << 20) {
        self.maximumCount = maximumCount
        self.maximumBytes = maximumBytes
    }

    /// - Returns: false when the task was cancelled; the element is not taken then.
    func bring(_ element: Element, bytes: Int) async -> Bool {
        while !Task.isCancelled {
            let taker = state.withLock { state -> CheckedContinuation<Void, Never>?? in
                guard state.elements.count < maximumCount, state.bytes < maximumBytes else { return nil }
                state.elements.append(element)
                state.bytes += bytes
                return .some(state.taker.take())
            }
            if let taker {
                taker?.resume()
                return true
            }
            await wait(\.bringer) { $0.elements.count >= self.maximumCount || $0.bytes >= self.maximumBytes }
        }
        return false
    }

    /// - Returns: at least one; nil when the task was cancelled and nothing is left.
    func take() async -> [Element]? {
        while true {
            let (elements, bringer) = state.withLock { state in
                let elements = state.elements
                state.elements = []
                state.bytes = 0
                return (elements, state.bringer.take())
            }
            bringer?.resume()
            if !elements.isEmpty { return elements }
            if Task.isCancelled { return nil }
            await wait(\.taker) { $0.elements.isEmpty }
        }
    }

    /// What was taken and could not be dealt with comes first again.
    func putBack(_ elements: [Element]) {
        state.withLock { $0.elements.insert(contentsOf: elements, at: 0) }
    }

    private func wait(
        _ place: any WritableKeyPath<State, CheckedContinuation<Void, Never>?> & Sendable,
        while condition: (State) -> Bool
    ) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { state in
                    guard !Task.isCancelled, condition(state) else { return false }
                    state[keyPath: place] = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0[keyPath: place].take() }?.resume()
        }
    }
}
