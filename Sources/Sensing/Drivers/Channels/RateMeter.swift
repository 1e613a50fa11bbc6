/// Makes rates of counters: a value without a clock.
///
/// A rate is known from the second of two reads in a row on. A counter that went down was reset or has wrapped, and
/// nobody knows which: it gives no rate then, instead of an absurd one.
struct RateMeter: Sendable {
    private typealias Read = (time: ContinuousClock.Instant, counts: [String: Double])

    private var before: Read?
    private var now: Read?

    /// A read begins. What the one before did not count is forgotten.
    mutating func begin(at time: ContinuousClock.Instant) {
        before = now
        now = (time, [:])
    }

    /// How much a counter rises in a second; nil if that is not known.
    mutating func rate(of name: String, _ count: Double) -> Double? {
        now?.counts[name] = count
        guard let before, let now, let last = before.counts[name], count >= last else { return nil }
        let seconds = before.time.duration(to: now.time) / .seconds(1)
        return seconds > 0 ? (count - last) / seconds : nil
    }
}
