/// When something that keeps failing is started again: after 1 s, then after twice the time each time, at most 5 min. What
/// ran for a minute has run well, and begins anew with 1 s. A value: time is a parameter.
struct Backoff: Sendable {
    static let base = Duration.seconds(1)
    static let limit = Duration.seconds(300)
    /// Who runs as long as this was no failure from the start.
    static let steady = Duration.seconds(60)

    private var delay: Duration?
    private var startedAt: ContinuousClock.Instant?
    private var nextStart: ContinuousClock.Instant?

    /// How long it must wait still; nil if it may be started.
    func wait(at now: ContinuousClock.Instant) -> Duration? {
        guard let nextStart, now < nextStart else { return nil }
        return now.duration(to: nextStart)
    }

    mutating func started(at now: ContinuousClock.Instant) {
        startedAt = now
        nextStart = nil
    }

    /// It has ended, or could not be started.
    mutating func failed(at now: ContinuousClock.Instant) {
        if let startedAt, startedAt.duration(to: now) >= Self.steady { delay = nil }
        let next = delay.map { min($0 * 2, Self.limit) } ?? Self.base
        delay = next
        nextStart = now + next
        startedAt = nil
    }
}
