/// What a simulation has to come by, or it proves nothing.
enum Landmark: Int, Sendable, CaseIterable {
    // The client's process dies …
    case crashIdle, crashConnecting, crashBeforeBegin, crashUp
    case crashAppending, crashFetching, crashReady, crashResending
    case crashPublished, crashReleased, crashNoting, crashNoted, crashSessionNoted, crashTelling, crashUndeleted
    case crashProcessing, crashSeen
    // The server dies …
    case serverCrashConnected, serverCrashHolding, serverCrashUnpersisted, serverCrashOwnPublished,
        serverCrashOwnReleased, serverCrashForgets
    // The network …
    case cut, cutLosesToServer, cutLosesToClient, halfOpen, lateRead, takeover, staleConnect
    // Sessions …
    case resumed, lostWithMessages, expired, cleanStartOverSession, unseenNewSession, refusedConnection, otherServer
    // Messages …
    case publish, repeated, releaseRepeated, duplicateQoS1, duplicateQoS2, swallowedDuplicate, refusedPublish,
        releasedByEarlierProcess, sentByEarlierProcess, identifierWait, windowFull, direct
    // Incoming …
    case own, ownRepeated, ownSwallowed, ownRepeatedAfterCrash, ownProcessedLate
    // And …
    case backoffAtCap
}

struct Coverage: Sendable {
    var schedules = 0
    var steps = 0
    private(set) var counts = [Int](repeating: 0, count: Landmark.allCases.count)

    mutating func reached(_ landmark: Landmark) { counts[landmark.rawValue] += 1 }

    static func += (left: inout Coverage, right: Coverage) {
        left.schedules += right.schedules
        left.steps += right.steps
        for index in left.counts.indices { left.counts[index] += right.counts[index] }
    }

    subscript(landmark: Landmark) -> Int { counts[landmark.rawValue] }
}

extension Coverage: CustomStringConvertible {
    var description: String {
        "\(schedules) schedules, \(steps) steps: "
            + Landmark.allCases.map { "\($0) \(self[$0])" }.joined(separator: ", ")
    }
}
