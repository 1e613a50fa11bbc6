/// Something did not happen in time.
public struct TimedOut: Error, CustomStringConvertible {
    /// What was waited for.
    public let what: String
    /// How long.
    public let limit: Duration

    public var description: String { "waited \(limit) in vain for \(what)" }
}

/// Runs an operation with a deadline.
///
/// At the deadline the operation is cancelled and left to itself, so that one which ignores its cancellation cannot
/// hold up the test.
///
/// - Parameters:
///   - limit: how long the operation may take.
///   - what: what is waited for; the error names it.
/// - Throws: ``TimedOut``, the operation's error, or a `CancellationError` when the caller is cancelled.
public func within<Result: Sendable>(
    _ limit: Duration, _ what: String, _ operation: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    let (results, continuation) = AsyncThrowingStream<Result, any Error>.makeStream(
        bufferingPolicy: .bufferingOldest(1))
    let work = Task {
        do {
            continuation.yield(try await operation())
            continuation.finish()
        } catch {
            continuation.finish(throwing: error)
        }
    }
    let alarm = Task {
        try await Task.sleep(for: limit)
        continuation.finish(throwing: TimedOut(what: what, limit: limit))
    }
    defer {
        work.cancel()
        alarm.cancel()
    }
    for try await result in results { return result }
    throw CancellationError()
}

/// Asks every 10 ms until the answer is yes.
///
/// - Throws: ``TimedOut`` after `limit`, or the condition's error.
public func eventually(
    within limit: Duration = .seconds(30), _ what: String, _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw TimedOut(what: what, limit: limit) }
        try await Task.sleep(for: .milliseconds(10))
    }
}
