/// In which order endpoints are asked.
public enum EndpointOrder: String, Sendable, Hashable, CaseIterable {
    /// As listed: the first is preferred.
    case listed
    /// In a random order, drawn anew by each client, so that a fleet spreads over a cluster.
    case shuffled
}

/// Which endpoint to ask next, and when, as a value without clock or socket.
///
/// - The endpoints are asked in turn, a short random wait apart; when a whole round has failed, ``Backoff`` says how long
///   to wait. The mildest of the round's decisions counts: one endpoint with a wrong password must not slow down the
///   others.
/// - Where a connection stood, there is the session: the same endpoint is asked first, unless it wants us elsewhere, or
///   ends one connection after the other soon.
/// - Another server that a server names (5.0 §4.11) is asked for this once, or in its place from now on.
/// - From another endpoint than the first of the list there is a way back, after a while that doubles when it was in
///   vain.
struct EndpointSelection: Sendable {
    /// So many servers in a row may send us elsewhere before there has been a stable connection or a failed round.
    static let maximumRedirects = 5
    /// So many connections in a row may end soon before another endpoint is asked.
    static let maximumKicks = 2
    /// How long the list may become by servers that moved; what was configured is never dropped.
    private let maximumCount: Int
    private let configured: [Endpoint]

    /// Another server that a server named.
    struct Redirect: Sendable, Hashable {
        /// At least one.
        var endpoints: [Endpoint]
        /// Server moved (0x9D), not only Use another server (0x9C).
        var isPermanent: Bool
    }

    /// What became of the current endpoint.
    enum Outcome: Sendable, Hashable {
        case notConnected
        /// A connection was there and lasted so long.
        case ended(after: Duration)
    }

    struct Next: Sendable, Hashable {
        /// How long to wait before ``current`` is asked.
        var delay: Duration
        /// Waiting will not mend it, whichever endpoint was asked.
        var isHopeless = false
    }

    private(set) var endpoints: [Endpoint]
    private(set) var backoff: Backoff
    private var index = 0
    /// Endpoints of the list that have failed in this round.
    private var failed = 0
    /// The mildest decision of the round.
    private var mildest: ReconnectDecision?
    /// What remains of a server's list of others; the first is current.
    private var detour: [Endpoint] = []
    private var redirects = 0
    private var kicks = 0
    private let returnAfter: Duration?
    private var returns = 0
    /// From where we went back to the preferred endpoint.
    private var returningFrom: Int?

    /// - Parameters:
    ///   - endpoints: without repetitions from now on.
    ///   - returnAfter: how long a connection to another endpoint than the first must have stood before the first is looked
    ///     for; nil: never. Without meaning for shuffled endpoints.
    init(
        _ endpoints: [Endpoint], order: EndpointOrder = .listed, backoff: Backoff = Backoff(),
        returnAfter: Duration? = nil, using generator: inout some RandomNumberGenerator
    ) {
        var list: [Endpoint] = []
        for endpoint in endpoints where !list.contains(endpoint) { list.append(endpoint) }
        if order == .shuffled { list.shuffle(using: &generator) }
        self.endpoints = list
        self.backoff = backoff
        self.returnAfter = order == .listed ? returnAfter : nil
        configured = list
        maximumCount = list.count + 2 * ServerReference.maximumCount
    }

    /// The endpoint to ask; nil when there is none at all.
    var current: Endpoint? { detour.first ?? (endpoints.isEmpty ? nil : endpoints[index]) }

    /// Begins with this endpoint, which holds the session of an earlier process.
    mutating func begin(at endpoint: Endpoint) { index = endpoints.firstIndex(of: endpoint) ?? index }

    /// - Returns: when to ask ``current``, which may be another one now.
    mutating func next(
        after outcome: Outcome, _ decision: ReconnectDecision, redirect: Redirect? = nil,
        using generator: inout some RandomNumberGenerator
    ) -> Next {
        let hasReturned = returningFrom
        returningFrom = nil
        mildest = min(mildest ?? decision, decision)
        if case .ended(let uptime) = outcome {
            if uptime >= backoff.stableAfter {
                startRound(with: decision)
                kicks = 0
                redirects = 0
                if detour.isEmpty, index == 0 { returns = 0 }
            } else {
                kicks += 1
            }
        }
        if let redirect, redirects < Self.maximumRedirects {
            follow(redirect)
            return Next(delay: shortDelay(using: &generator))
        }
        switch outcome {
        case .ended(let uptime) where decision != .otherEndpoint && kicks < Self.maximumKicks:
            let failure: Backoff.Failure = decision >= .retrySlowly ? .refused : .ended(after: uptime)
            return Next(delay: backoff.delay(after: failure, using: &generator), isHopeless: decision == .giveUp)
        case .notConnected where hasReturned != nil:
            // Where we came from we were welcome.
            index = hasReturned ?? 0
            startRound(with: nil)
            return Next(delay: shortDelay(using: &generator))
        case .ended, .notConnected: break
        }
        guard advance() else { return Next(delay: shortDelay(using: &generator)) }
        let worst = mildest ?? decision
        startRound(with: nil)
        redirects = 0
        var failure = Backoff.Failure.notConnected
        if case .ended(let uptime) = outcome { failure = .ended(after: uptime) }
        if worst >= .retrySlowly { failure = .refused }
        return Next(delay: backoff.delay(after: failure, using: &generator), isHopeless: worst == .giveUp)
    }

    /// - Returns: true when all endpoints have failed in this round.
    private mutating func advance() -> Bool {
        kicks = 0
        if !detour.isEmpty {
            detour.removeFirst()
            if !detour.isEmpty { return false }
        }
        guard !endpoints.isEmpty else { return true }
        index = (index + 1) % endpoints.count
        failed += 1
        return failed >= endpoints.count
    }

    private mutating func startRound(with decision: ReconnectDecision?) {
        failed = 0
        mildest = decision
    }

    private mutating func follow(_ redirect: Redirect) {
        redirects += 1
        kicks = 0
        // One that is not on the list has nothing there to be replaced.
        guard redirect.isPermanent, detour.isEmpty, let old = current else {
            detour = redirect.endpoints
            return
        }
        let before = endpoints[..<index].filter { !redirect.endpoints.contains($0) }
        let behind = endpoints[(index + 1)...].filter { !redirect.endpoints.contains($0) }
        endpoints = before + redirect.endpoints + behind
        index = before.count
        // What has moved stays at the list's end, for the day on which the new address turns out to be wrong.
        if !endpoints.contains(old) { endpoints.append(old) }
        startRound(with: nil)
        while endpoints.count > maximumCount,
            let excess = endpoints.lastIndex(where: { !configured.contains($0) && $0 != current })
        {
            endpoints.remove(at: excess)
            if excess < index { index -= 1 }
        }
    }

    /// Enough for a fleet not to come all at once.
    private func shortDelay(using generator: inout some RandomNumberGenerator) -> Duration {
        min(backoff.base, .seconds(1)) * Double.random(in: 0...1, using: &generator)
    }

    // MARK: The way back

    /// The endpoint to go back to, if we are elsewhere, and not because a server sent us there.
    var preferred: Endpoint? {
        returnAfter != nil && detour.isEmpty && index > 0 ? endpoints.first : nil
    }

    /// How long the connection must have stood before the preferred endpoint is looked for; nil: there is nowhere to go.
    var returnDelay: Duration? {
        guard let returnAfter, preferred != nil else { return nil }
        let longest = Duration.seconds(3600)
        return returnAfter < longest ? min(returnAfter * (1 << min(returns, 12)), longest) : returnAfter
    }

    /// The preferred endpoint is not there yet, or we could not leave.
    mutating func returnFailed() { returns += 1 }

    /// The preferred endpoint is there, and is current from now on.
    mutating func goBack() {
        guard preferred != nil else { return }
        // In vain until a stable connection has shown otherwise.
        returns += 1
        returningFrom = index
        index = 0
        kicks = 0
        startRound(with: nil)
    }
}
