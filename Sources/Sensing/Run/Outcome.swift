import Synchronization

/// A result that is settled once, by whoever comes first, and awaited by one task.
final class Outcome<Success: Sendable>: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<Success, any Error>)
        case settled(Result<Success, any Error>)
        case taken
    }

    private let state = Mutex(State.open)

    var isSettled: Bool {
        state.withLock {
            switch $0 {
            case .open, .awaited: false
            case .settled, .taken: true
            }
        }
    }

    /// Does nothing if it is settled already.
    func settle(_ result: Result<Success, any Error>) {
        let continuation: CheckedContinuation<Success, any Error>? = state.withLock {
            switch $0 {
            case .open: $0 = .settled(result)
            case .awaited(let continuation):
                $0 = .taken
                return continuation
            case .settled, .taken: break
            }
            return nil
        }
        continuation?.resume(with: result)
    }

    /// To be called once.
    func value() async throws -> Success {
        try await withCheckedThrowingContinuation { continuation in
            let result: Result<Success, any Error>? = state.withLock {
                guard case .settled(let result) = $0 else {
                    $0 = .awaited(continuation)
                    return nil
                }
                $0 = .taken
                return result
            }
            if let result { continuation.resume(with: result) }
        }
    }
}
