/// How a relay ends a connection.
public enum Ending: Sendable, Equatable {
    /// With a RST, as after a crash of the peer's host or of a router between. What was sent shortly before may be
    /// lost to the receiver.
    case reset
    /// With a FIN after everything that was forwarded, as after the peer's `close()`. A peer that does not close its
    /// own side within a second is reset.
    case orderly
}

/// What happens to those who connect while the line is broken.
public enum Newcomers: Sendable, Equatable {
    /// They are connected to the server as always: a cut was momentary.
    case served
    /// They are accepted and then hear nothing; what they send is swallowed.
    case swallowed
    /// They are accepted and reset at once, as by a broker that kicks its clients.
    case closed
    /// Nobody listens: the kernel refuses them (ECONNREFUSED). The port stays reserved for the mend.
    case refused
}

/// A cut that waits for its byte.
struct PlannedCut {
    /// Bytes still to be forwarded before the cut; above 0.
    var remaining: Int
    var ending: Ending
    var newcomers: Newcomers
}

/// Everything that is wrong with the line at present.
struct Faults {
    var newcomers: Newcomers = .served
    var swallowed: Set<Direction> = []
    var delay = PerDirection<Duration>(.zero)
    var isByteWise = false
    var plannedCut = PerDirection<PlannedCut?>(nil)
}
