/// How much of a sensor that comes and goes is told in the log: so much in ten minutes, and what was left out is counted.
/// A value: time is a parameter.
struct LogAllowance: Sendable {
    static let limit = 20
    static let span = Duration.seconds(600)

    private var began: ContinuousClock.Instant?
    private var told = 0
    private var omitted = 0

    /// Nil if it is not to be told; else how many were left out since the last that was.
    mutating func admit(at now: ContinuousClock.Instant) -> Int? {
        if began.map({ $0.duration(to: now) >= Self.span }) ?? true { (began, told) = (now, 0) }
        guard told < Self.limit else {
            omitted += 1
            return nil
        }
        told += 1
        defer { omitted = 0 }
        return omitted
    }
}
