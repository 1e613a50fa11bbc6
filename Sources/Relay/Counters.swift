/// What a relay has done since its start. Counters never go back, but for ``open``.
public struct Counters: Sendable, Equatable {
    /// Connections that reached the server.
    public internal(set) var connections = 0
    /// Connections that exist now, swallowed newcomers included.
    public internal(set) var open = 0
    /// Newcomers that were closed or swallowed by a fault. Refused ones are the kernel's and not counted.
    public internal(set) var turnedAway = 0
    /// Newcomers that were reset because the server did not accept its side.
    public internal(set) var unreachable = 0
    /// Connections that a cut closed, or that a mend closed because bytes of theirs had been swallowed.
    public internal(set) var cut = 0
    /// Bytes handed to the kernel towards the server.
    public internal(set) var bytesToServer = 0
    /// Bytes handed to the kernel towards the client.
    public internal(set) var bytesToClient = 0
    /// Bytes on their way to the server that were swallowed.
    public internal(set) var swallowedToServer = 0
    /// Bytes on their way to the client that were swallowed.
    public internal(set) var swallowedToClient = 0

    mutating func forwarded(_ count: Int, _ direction: Direction) {
        switch direction {
        case .toServer: bytesToServer += count
        case .toClient: bytesToClient += count
        }
    }

    mutating func swallowed(_ count: Int, _ direction: Direction) {
        switch direction {
        case .toServer: swallowedToServer += count
        case .toClient: swallowedToClient += count
        }
    }
}
