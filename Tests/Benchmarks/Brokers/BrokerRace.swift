internal import TestSupport

/// The same load for every broker, again and again.
struct BrokerRace: Sendable {
    let title: String
    /// brokerload's, but for the broker.
    let arguments: [String]

    init(_ title: String, _ arguments: String) {
        self.title = title
        self.arguments = arguments.split(separator: " ").map(String.init)
    }

    /// What was measured of one broker, by round.
    struct Result: Sendable {
        var loads: [Load] = []
        /// It hung or failed, and was not tried again.
        var failure: String?

        /// The median of the rounds; nil without any.
        func median(_ name: String) -> Double? { BrokerRace.median(loads.map { $0[name] }) }
        func highest(_ name: String) -> Double { loads.map { $0[name] }.max() ?? 0 }

        /// The median of what each round says by itself: a busy minute of the machine was everybody's.
        func ratio(_ name: String, to other: Result) -> Double? {
            BrokerRace.median(zip(loads, other.loads).map { $0[name] / $1[name] }.filter(\.isFinite))
        }
    }

    private static func median(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.sorted()[values.count / 2]
    }

    /// Lets them run in turns, who was first in one round last in the next.
    func run(rounds: Int, _ brokers: [RacedBroker], load: String) async -> [Result] {
        var results = [Result](repeating: Result(), count: brokers.count)
        for round in 0..<rounds {
            let order = brokers.indices
            for index in round.isMultiple(of: 2) ? Array(order) : order.reversed() where results[index].failure == nil {
                do {
                    results[index].loads.append(try await brokers[index].measured(by: load, arguments))
                } catch {
                    results[index].failure = error is TimedOut ? "hung" : "failed"
                    say("\(title), \(brokers[index].name): \(error)")
                }
            }
        }
        return results
    }
}
