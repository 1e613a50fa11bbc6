/// The user event that says that the peer said goodbye; the channel's end follows.
public struct WebSocketClosed: Sendable, Hashable {
    /// Why, if the peer says so.
    public let code: WebSocketCloseCode?
    /// The peer's words, at most 123 bytes of UTF-8; may be empty.
    public let reason: String
}
