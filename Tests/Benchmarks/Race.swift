internal import TestSupport

/// Contenders that do the same thing, one after the other, again and again.
struct Race {
    let title: String
    let direction: Contender.Direction
    let qos: Int
    let count: Int
    let contenders: [Contender]

    init(_ title: String, _ direction: Contender.Direction, qos: Int, count: Int, _ contenders: [Contender]) {
        self.title = title
        self.direction = direction
        self.qos = qos
        self.count = count
        self.contenders = contenders
    }

    /// What became of a contender.
    struct Result {
        /// By round.
        var measurements: [Measurement] = []
        /// It did not come to its end in time, or failed, and was not tried again.
        var failure: String?

        /// The one with the median rate.
        var median: Measurement? { Race.median(of: measurements.sorted { $0.rate < $1.rate }) }
    }

    private static func median<Element>(of sorted: [Element]) -> Element? { sorted.dropFirst(sorted.count / 2).first }

    /// Lets them run in turns, so that a slow minute of the machine is everybody's.
    func run(rounds: Int, broker: Mosquitto, loader: Contender) async -> [Result] {
        var results = [Result](repeating: Result(), count: contenders.count)
        for _ in 0..<rounds {
            for (index, contender) in contenders.enumerated() where results[index].failure == nil {
                do {
                    let measurement = try await contender.run(
                        direction, qos: qos, count: count, broker: broker, loader: loader)
                    results[index].measurements.append(measurement)
                } catch is TimedOut {
                    results[index].failure = "hung"
                } catch {
                    results[index].failure = "failed"
                    say("\(title), \(contender.name): \(error)")
                }
            }
        }
        return results
    }

    // MARK: The table

    func table(of results: [Result]) -> String {
        let peers = zip(contenders, results).filter { $0.0.isYardstick }.map { $0.1.measurements }
        let heads = ["rate", "lowest", "highest", "ratio", "CPU", "peak"]
        let lines = zip(contenders, results).map { contender, result in
            var line = "  " + contender.name.padded(to: Self.nameWidth - 2)
            if let median = result.median {
                let rates = result.measurements.map(\.rate)
                let cells = [
                    Self.grouped(median.rate), Self.grouped(rates.min() ?? 0), Self.grouped(rates.max() ?? 0),
                    ratio(of: result.measurements, to: peers).map { Self.decimal($0, places: 2) } ?? "–",
                    Self.decimal(median.cpu, places: 1), Self.decimal(median.peak, places: 1),
                ]
                line += Self.row(cells)
            }
            if let failure = result.failure {
                line += "  \(failure) in round \(result.measurements.count + 1)"
            }
            return line
        }
        return (["\n" + title.padded(to: Self.nameWidth) + Self.row(heads)] + lines).joined(separator: "\n")
    }

    /// The median of what each round says by itself: a busy minute of the machine was everybody's.
    private func ratio(of own: [Measurement], to peers: [[Measurement]]) -> Double? {
        let ratios = own.enumerated().compactMap { round, measurement in
            peers.compactMap { $0.indices.contains(round) ? $0[round].rate : nil }.max().map { measurement.rate / $0 }
        }
        return Self.median(of: ratios.sorted())
    }

    private static let nameWidth = 36

    private static func row(_ cells: [String]) -> String {
        zip(cells, [10, 10, 10, 8, 8, 8]).map { $0.padded(before: $1) }.joined()
    }

    /// A whole number in groups of three digits.
    static func grouped(_ value: Double) -> String {
        var digits = String(Int(value.rounded()))
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return ([digits] + groups).joined(separator: ",")
    }

    static func decimal(_ value: Double, places: Int) -> String {
        let factor = (0..<places).reduce(1) { product, _ in product * 10 }
        let whole = Int((value * Double(factor)).rounded())
        let fraction = String(whole % factor)
        return "\(whole / factor)." + String(repeating: "0", count: places - fraction.count) + fraction
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
    fileprivate func padded(before width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }
}
