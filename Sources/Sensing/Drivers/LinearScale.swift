/// `number * factor + offset`, as exact as doubles allow.
struct LinearScale: Sendable, Hashable {
    /// The factor's reciprocal where that is a whole number: 25080 / 1000 is 25.08, but 25080 * 0.001 is not.
    private let divisor: Double?
    private let factor: Double
    private let offset: Double

    init(factor: Double = 1, offset: Double = 0) {
        let reciprocal = 1 / factor
        divisor = abs(factor) < 1 && reciprocal.isFinite && reciprocal == reciprocal.rounded() ? reciprocal : nil
        self.factor = factor
        self.offset = offset
    }

    func callAsFunction(_ number: Double) -> Double { (divisor.map { number / $0 } ?? number * factor) + offset }

    /// The number that becomes `value`.
    func inverse(_ value: Double) -> Double {
        let share = value - offset
        return divisor.map { share * $0 } ?? share / factor
    }
}
