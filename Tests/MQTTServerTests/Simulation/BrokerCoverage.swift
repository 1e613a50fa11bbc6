/// What the simulations have to come by, or they prove nothing.
enum BrokerLandmark: Int, Sendable, CaseIterable {
    case cut, goodbye, clientDies, clientDiesProcessing
    case brokerDies, brokerDiesWithChanges, brokerDiesWriting, brokerDiesHolding
    case held, windowFull, repeated, repeatedByLaterProcess
    case resumed, misled, expired, messageExpired, dropped, retained, will
}

struct BrokerCoverage: Sendable, CustomStringConvertible {
    var schedules = 0
    private var counts = [Int](repeating: 0, count: BrokerLandmark.allCases.count)

    mutating func reached(_ landmark: BrokerLandmark) { counts[landmark.rawValue] += 1 }

    subscript(landmark: BrokerLandmark) -> Int { counts[landmark.rawValue] }

    var description: String {
        "\(schedules) schedules: " + BrokerLandmark.allCases.map { "\($0) \(self[$0])" }.joined(separator: ", ")
    }
}
