/// How fast a backlog may be sent, as a value: a token bucket that holds a quarter of a second.
struct Pace: Sendable, Hashable {
    /// Messages a second; above 0.
    let rate: Double
    private let capacity: Double
    private var tokens: Double
    private var last: ContinuousClock.Instant

    init(rate: Double, now: ContinuousClock.Instant) {
        // Also of what is no number something is made that one can count with.
        self.rate = rate > 0.001 ? min(rate, 1e9) : 0.001
        capacity = max(1, self.rate / 4)
        tokens = capacity
        last = now
    }

    /// How many may go now.
    mutating func available(at now: ContinuousClock.Instant) -> Int {
        let (seconds, attoseconds) = last.duration(to: now).components
        tokens = min(capacity, tokens + rate * max(0, Double(seconds) + Double(attoseconds) / 1e18))
        last = max(last, now)
        return Int(tokens)
    }

    mutating func take(_ count: Int) { tokens -= Double(count) }

    /// Until there is one for the next.
    var wait: Duration { .seconds(max(0, 1 - tokens) / rate) }
}
