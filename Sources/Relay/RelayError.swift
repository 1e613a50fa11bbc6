/// Why a relay could not do what it was asked for.
public enum RelayError: Error, Sendable, Equatable, CustomStringConvertible {
    /// No socket, or no port to be had on 127.0.0.1; `errno` says why.
    case noPort(errno: CInt)
    /// The wait for `what` took longer than `limit`; the counters as they were then.
    case timedOut(what: String, limit: Duration, counters: Counters)
    /// The relay was stopped, before or during the call.
    case stopped

    public var description: String {
        switch self {
        case .noPort(let errno):
            "the relay got no port on 127.0.0.1 (errno \(errno)): is the loopback interface up, are file descriptors left?"
        case .timedOut(let what, let limit, let counters):
            "the relay waited \(limit) in vain for \(what); it has seen \(counters)"
        case .stopped:
            "the relay is stopped: start another one"
        }
    }
}
