import MQTTWire

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
        releasedByEarlierProcess, sentByEarlierProcess, identifierWait, windowFull, direct, evicted, evictedAfterCrash
    // Incoming …
    case own, ownRepeated, ownSwallowed, ownRepeatedAfterCrash, ownProcessedLate
    // And …
    case backoffAtCap
}

extension Landmark {
    /// Whether schedules of this kind can come by it.
    func isExpected(_ version: ProtocolVersion, _ isDurable: Bool) -> Bool {
        switch self {
        case .crashIdle, .crashConnecting, .crashBeforeBegin, .crashUp, .crashAppending, .crashFetching, .crashReady,
            .crashResending, .crashPublished, .crashReleased, .crashNoting, .crashNoted, .crashSessionNoted,
            .crashTelling, .crashUndeleted, .crashProcessing, .crashSeen, .releasedByEarlierProcess,
            .sentByEarlierProcess, .evictedAfterCrash:
            isDurable
        case .refusedPublish: version == .v5
        default: true
        }
    }
}

struct Coverage: Sendable {
    var schedules = 0
    var steps = 0
    private(set) var counts = [Int](repeating: 0, count: Landmark.allCases.count)

    mutating func reached(_ landmark: Landmark) { counts[landmark.rawValue] += 1 }

    subscript(landmark: Landmark) -> Int { counts[landmark.rawValue] }
}

extension Coverage: CustomStringConvertible {
    var description: String {
        "\(schedules) schedules, \(steps) steps: "
            + Landmark.allCases.map { "\($0) \(self[$0])" }.joined(separator: ", ")
    }
}
