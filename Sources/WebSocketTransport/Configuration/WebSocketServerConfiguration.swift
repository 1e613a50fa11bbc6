/// What a server accepts.
public struct WebSocketServerConfiguration: Sendable, Hashable {
    /// The path that requests must ask for, without a query; nil takes any.
    public var path: String?
    /// What may be spoken inside, the best first; the client must offer one of them.
    public var subprotocols: [String]
    /// The longest payload of a frame that is taken, in bytes. Payloads are passed on as they come, so that memory is
    /// bounded without it.
    public var maximumFrameSize: Int
    /// From the channel's becoming active to the end of the handshake; with TLS underneath, of both handshakes.
    public var handshakeTimeout: Duration
    /// How long the peer may take to answer our goodbye.
    public var closeTimeout: Duration

    public init(
        path: String? = "/mqtt", subprotocols: [String] = ["mqtt"], maximumFrameSize: Int = 268_435_456,
        handshakeTimeout: Duration = .seconds(10), closeTimeout: Duration = .seconds(2)
    ) {
        self.path = path
        self.subprotocols = subprotocols
        self.maximumFrameSize = maximumFrameSize
        self.handshakeTimeout = handshakeTimeout
        self.closeTimeout = closeTimeout
    }
}
