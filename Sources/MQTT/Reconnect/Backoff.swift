/// When to try again after a connection failed or ended: exponential backoff with full jitter, as a value.
///
/// Each try waits a random time between nothing and a ceiling that doubles from `base` up to `cap`; the
/// randomness spreads a fleet whose broker came back over the whole ceiling. The ceiling falls back to `base` only
/// after a connection that lasted `stableAfter`: a broker that accepts and then kicks at once (two devices with one
/// client identifier do that to each other) is met with rising patience too.
public struct Backoff: Sendable, Hashable {
    public var base: Duration
    public var cap: Duration
    public var stableAfter: Duration
    /// Failures since the last stable connection.
    public private(set) var failures = 0

    public init(base: Duration = .seconds(1), cap: Duration = .seconds(120), stableAfter: Duration = .seconds(60)) {
        self.base = max(base, .milliseconds(1))
        self.cap = max(cap, self.base)
        self.stableAfter = stableAfter
    }

    /// Why the last try came to nothing.
    public enum Failure: Sendable, Hashable {
        /// A connection was there and lasted so long.
        case ended(after: Duration)
        /// No connection came about.
        case notConnected
        /// Waiting alone will not mend it (bad password, banned …), or asking often makes it worse: go to the cap at
        /// once, and wait no less than half of it.
        case refused
    }

    /// The longest wait that the next delay may draw.
    public var ceiling: Duration {
        var ceiling = base
        for _ in 1..<max(failures, 1) {
            ceiling *= 2
            if ceiling >= cap { return cap }
        }
        return min(ceiling, cap)
    }

    /// - Returns: how long to wait before the next try.
    public mutating func delay(after failure: Failure, using generator: inout some RandomNumberGenerator) -> Duration {
        switch failure {
        case .ended(let uptime) where uptime >= stableAfter: failures = 1
        case .ended, .notConnected: failures = min(failures + 1, 64)
        case .refused:
            failures = 64
            return ceiling * Double.random(in: 0.5...1, using: &generator)
        }
        return ceiling * Double.random(in: 0...1, using: &generator)
    }
}
