/// The user event that says that the handshake is done: from now on bytes go through.
public struct WebSocketHandshakeCompleted: Sendable, Hashable {
    /// What the client asked for: a path, maybe with a query.
    public let target: String
    /// What both agreed to speak.
    public let subprotocol: String
}
