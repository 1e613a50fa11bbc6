/// Why an agent could not begin. Once it runs, nothing from outside stops it.
public enum AgentError: Error, Sendable, CustomStringConvertible {
    /// The queue could not be opened.
    case queue(String)

    public var description: String {
        switch self {
        case .queue(let why): "the queue cannot be opened: \(why)"
        }
    }
}

/// Why an agent is told to stop; the fleet reads it in the status.
public enum StopReason: String, Sendable, Hashable {
    case stopped
    case interrupted
    /// It comes back at once, with a new configuration.
    case reloading
}
