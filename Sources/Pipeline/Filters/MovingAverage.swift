internal import Units

/// `average = 10` or `average = "1m"`: the mean of the last so many values, or of those of the last so much time.
///
/// Values from the future are forgotten: the clock has been set back since.
struct MovingAverage: Sendable {
    /// How much it looks back.
    enum Span: Sendable, Hashable {
        /// 2 to 1000 values.
        case count(Int)
        /// In milliseconds. Of more than ``MovingAverage/limit`` values in that time, the newest count.
        case time(Int64)
    }

    static let counts = 2...1000
    static let limit = 1024

    let span: Span
    /// The oldest one first.
    private var samples: [(time: Timestamp, value: Double)] = []

    init(_ span: Span) { self.span = span }

    mutating func callAsFunction(_ value: Double, at time: Timestamp) -> Double {
        switch span {
        case .count(let count):
            if samples.count >= count { samples.removeFirst(samples.count - count + 1) }
        case .time(let span):
            samples.removeAll { !(0..<span).contains(time.elapsed(since: $0.time)) }
            if samples.count >= Self.limit { samples.removeFirst(samples.count - Self.limit + 1) }
        }
        samples.append((time, value))
        let mean = samples.reduce(0) { $0 + $1.value } / Double(samples.count)
        return mean.isFinite ? mean : value
    }

    mutating func reset() { samples = [] }

    var state: JSON? {
        samples.isEmpty ? nil : .array(samples.map { [JSON($0.time), .number($0.value)] })
    }

    mutating func restore(_ state: JSON?) {
        let limit = if case .count(let count) = span { count } else { Self.limit }
        samples = (state?.array ?? []).suffix(limit).compactMap {
            guard let time = $0[0]?.time, let value = $0[1]?.finite else { return nil }
            return (time, value)
        }
    }
}
