import Testing

/// Waits until a condition holds, which no event tells of; half a minute at most.
func eventually(
    _ condition: () -> Bool, _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let end = ContinuousClock.now + .seconds(30)
    while !condition() {
        guard ContinuousClock.now < end else {
            Issue.record(what, sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(2))
    }
}
