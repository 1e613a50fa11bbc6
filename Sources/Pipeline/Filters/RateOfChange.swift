internal import Units

/// `rate = "1m"`: how much a value changes in that time, from one reading to the next.
///
/// The first value gives none, and neither does one that is not later than the one before, nor a counter
/// (`counter = true`) that went back: it began anew.
struct RateOfChange: Sendable {
    struct Options: Sendable, Hashable {
        /// Milliseconds.
        var per: Int64
        var isCounter: Bool
    }

    let options: Options
    private var last: (time: Timestamp, value: Double)?

    init(_ options: Options) { self.options = options }

    mutating func callAsFunction(_ value: Double, at time: Timestamp) -> Double? {
        guard let last else {
            self.last = (time, value)
            return nil
        }
        let elapsed = time.elapsed(since: last.time)
        // Two values of one instant: the change between them belongs to the next one that has a time of its own.
        if elapsed == 0 { return nil }
        self.last = (time, value)
        guard elapsed > 0, !(options.isCounter && value < last.value) else { return nil }
        let rate = (value - last.value) / Double(elapsed) * Double(options.per)
        return rate.isFinite ? rate : nil
    }

    /// "mm/min" for "mm".
    func unit(of unit: String?) -> String {
        let per =
            switch options.per {
            case 1000: "s"
            case 60_000: "min"
            case 3_600_000: "h"
            case 86_400_000: "d"
            case let other: Duration.milliseconds(other).compact
            }
        return "\(unit ?? "1")/\(per)"
    }

    mutating func reset() { last = nil }

    var state: JSON? { last.map { [JSON($0.time), .number($0.value)] } }

    mutating func restore(_ state: JSON?) {
        guard let time = state?[0]?.time, let value = state?[1]?.finite else { return }
        last = (time, value)
    }
}
