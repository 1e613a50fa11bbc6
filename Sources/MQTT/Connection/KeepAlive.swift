/// Watches over a connection (5.0 §3.1.2.10) as a value: when to send PINGREQ, and when to give the peer up.
///
/// The server is pinged when nothing was *sent* for most of the interval, which the protocol asks for, and also when
/// nothing was *received* for an interval: a client that only publishes would otherwise write into a dead connection
/// until the kernel gives up, which takes many minutes. The answer is due only once the ping has left: on a slow line it
/// waits behind a large message.
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
    /// When PINGREQ was queued, behind whatever the socket has not taken yet.
    private var pinged: ContinuousClock.Instant?
    /// PINGREQ waits for the socket still, which took something then.
    private var progressed: ContinuousClock.Instant?

    init(interval: Duration, responseTimeout: Duration, now: ContinuousClock.Instant) {
        self.interval = interval
        self.responseTimeout = responseTimeout
        sent = now
        received = now
    }

    mutating func packetSent(at now: ContinuousClock.Instant) { sent = now }
    mutating func bytesReceived(at now: ContinuousClock.Instant) { received = now }
    mutating func pingResponseReceived() {
        pinged = nil
        progressed = nil
    }

    /// The socket has taken some of what there was to send, or all of it, and with it a PINGREQ.
    mutating func bytesWritten(at now: ContinuousClock.Instant, isAll: Bool) {
        guard pinged != nil, progressed != nil else { return }
        if isAll {
            pinged = now
            progressed = nil
        } else {
            progressed = now
        }
    }

    mutating func check(at now: ContinuousClock.Instant) -> Action {
        guard interval > .zero else { return .off }
        if let progressed {
            // A large message is on its way out; as long as the line takes it bit by bit, the answer is not due.
            let deadline = max(progressed, received).advanced(by: responseTimeout)
            return now >= deadline ? .expired : .wait(until: deadline)
        }
        if let pinged {
            // A slow line may have much to carry before the answer: bytes that arrive prolong the wait, but not for ever.
            let latest = pinged.advanced(by: responseTimeout * 4)
            let deadline = min(max(pinged, received).advanced(by: responseTimeout), latest)
            return now >= deadline ? .expired : .wait(until: deadline)
        }
        let due = min(sent + interval * 3 / 4, received + interval)
        guard now >= due else { return .wait(until: due) }
        pinged = now
        progressed = now
        sent = now
        return .ping
    }
}
