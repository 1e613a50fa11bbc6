/// One of the two ways that bytes take through a relay.
public enum Direction: Sendable, Hashable, CaseIterable {
    /// From the client, who connected to the relay, to the server behind it.
    case toServer
    /// From the server behind the relay back to the client.
    case toClient
}

extension Set<Direction> {
    /// Both ways.
    public static var both: Self { [.toServer, .toClient] }
}

/// A value for each direction.
struct PerDirection<Value> {
    private var toServer: Value
    private var toClient: Value

    init(_ value: Value) {
        toServer = value
        toClient = value
    }

    subscript(_ direction: Direction) -> Value {
        get {
            switch direction {
            case .toServer: toServer
            case .toClient: toClient
            }
        }
        set {
            switch direction {
            case .toServer: toServer = newValue
            case .toClient: toClient = newValue
            }
        }
    }
}

extension PerDirection: Sendable where Value: Sendable {}
