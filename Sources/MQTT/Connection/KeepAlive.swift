/// Watches over a connection (5.0 §3.1.2.10) as a value: when to send PINGREQ, and when to give the peer up.
///
/// The server is pinged when nothing was *sent* for most of the interval, which the protocol asks for, and also when
/// nothing was *received* for an interval: a client that only publishes would otherwise write into a dead connection
/// until the kernel gives up, which takes many minutes.
struct KeepAlive: Sendable, Hashable {
    enum Action: Sendable, Hashable {
        /// Look again then.
        case wait(until: ContinuousClock.Instant)
        case ping
        case expired
        /// Keep-alive is off.
        case off
    }

    /// Zero: off.
    let interval: Duration
    /// How long the answer to a PINGREQ may take.
    let responseTimeout: Duration
    private var sent: ContinuousClock.Instant
    private var received: ContinuousClock.Instant
    private var pinged: ContinuousClock.Instant?

    init(interval: Duration, responseTimeout: Duration, now: ContinuousClock.Instant) {
        self.interval = interval
        self.responseTimeout = responseTimeout
        sent = now
        received = now
    }

    mutating func packetSent(at now: ContinuousClock.Instant) { sent = now }
    mutating func bytesReceived(at now: ContinuousClock.Instant) { received = now }
    mutating func pingResponseReceived() { pinged = nil }

    mutating func check(at now: ContinuousClock.Instant) -> Action {
        guard interval > .zero else { return .off }
        if let pinged {
            // A slow line may have much to carry before the answer: bytes that arrive prolong the wait, but not for ever.
            let latest = pinged.advanced(by: responseTimeout * 4)
            let deadline = min(max(pinged, received).advanced(by: responseTimeout), latest)
            return now >= deadline ? .expired : .wait(until: deadline)
        }
        let due = min(sent + interval * 3 / 4, received + interval)
        guard now >= due else { return .wait(until: due) }
        pinged = now
        sent = now
        return .ping
    }
}
