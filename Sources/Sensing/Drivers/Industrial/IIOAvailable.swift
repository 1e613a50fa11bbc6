/// What an `_available` attribute permits: "1 2 4 8", or "[0 1 4095]" for minimum, step and maximum.
enum IIOAvailable {
    case values([Double])
    case steps(from: Double, by: Double, to: Double)

    /// Nil if it is neither.
    init?(_ text: String) {
        let isRange = text.first == "[" && text.last == "]"
        let words = (isRange ? text.dropFirst().dropLast() : text[...]).split { $0 == " " || $0 == "\n" }
        let numbers = words.compactMap { Double($0) }.filter(\.isFinite)
        guard !numbers.isEmpty, numbers.count == words.count else { return nil }
        if !isRange {
            self = .values(numbers)
        } else if numbers.count == 3, numbers[0] <= numbers[2] {
            self = .steps(from: numbers[0], by: numbers[1], to: numbers[2])
        } else {
            return nil
        }
    }

    func contains(_ value: Double) -> Bool {
        switch self {
        case .values(let values): values.contains(value)
        case .steps(let first, let step, let last):
            (first...last).contains(value)
                && (step <= 0 || ((value - first) / step - ((value - first) / step).rounded()).magnitude < 1e-9)
        }
    }

    /// From the least to the largest.
    var range: ClosedRange<Double>? {
        switch self {
        case .values(let values): values.min().flatMap { least in values.max().map { least...$0 } }
        case .steps(let first, _, let last): first...last
        }
    }
}
