/// `scale` and `offset`: `number * scale + offset`.
struct LinearScale: Sendable, Hashable {
    var factor = 1.0
    var offset = 0.0

    var isIdentity: Bool { factor == 1 && offset == 0 }

    func callAsFunction(_ number: Double) -> Double {
        // 25080 / 1000 is 25.08, but 25080 * 0.001 is not.
        let reciprocal = 1 / factor
        let divides = abs(factor) < 1 && reciprocal.isFinite && reciprocal == reciprocal.rounded()
        return (divides ? number / reciprocal : number * factor) + offset
    }
}
