internal import Units

/// `median = 5`: the middle one of the last so many values. A single outlier never gets through.
///
/// While there are fewer, the middle of those that there are, or the mean of the two in the middle.
struct MovingMedian: Sendable {
    /// Odd lengths that are possible.
    static let lengths = 3...99

    let length: Int
    /// The oldest one first.
    private var values: [Double] = []
    private var sorted: [Double] = []

    init(length: Int) { self.length = length }

    mutating func callAsFunction(_ value: Double) -> Double {
        if values.count == length {
            let oldest = values.removeFirst()
            let index = position(of: oldest)
            if sorted.indices.contains(index) { sorted.remove(at: index) }
        }
        values.append(value)
        sorted.insert(value, at: position(of: value))
        let middle = sorted.count / 2
        if sorted.count.isMultiple(of: 2) { return sorted[middle - 1] / 2 + sorted[middle] / 2 }
        return sorted[middle]
    }

    /// Of the first that is not less.
    private func position(of value: Double) -> Int {
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    mutating func reset() { self = MovingMedian(length: length) }

    var state: JSON? { values.isEmpty ? nil : .array(values.map(JSON.number)) }

    mutating func restore(_ state: JSON?) {
        guard let elements = state?.array else { return }
        for value in elements.suffix(length).compactMap(\.finite) { _ = self(value) }
    }
}
