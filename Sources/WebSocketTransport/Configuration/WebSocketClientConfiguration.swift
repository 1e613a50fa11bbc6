/// What a client asks of a server.
public struct WebSocketClientConfiguration: Sendable, Hashable {
    /// One more header of the request.
    public struct Header: Sendable, Hashable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// What the request asks for: an absolute path, maybe with a query, as it goes over the wire.
    public var path: String
    /// What is spoken inside; the server must agree to it.
    public var subprotocol: String
    /// More headers for proxies and servers: `Authorization`, `Cookie`, …; none that the handshake sets itself.
    public var headers: [Header]
    /// The longest payload of a frame that is taken, in bytes. Payloads are passed on as they come, so that memory is
    /// bounded without it.
    public var maximumFrameSize: Int
    /// From the channel's becoming active to the end of the handshake; with TLS underneath, of both handshakes.
    public var handshakeTimeout: Duration
    /// How long the peer may take to answer our goodbye.
    public var closeTimeout: Duration

    public init(
        path: String = "/mqtt", subprotocol: String = "mqtt", headers: [Header] = [],
        maximumFrameSize: Int = 268_435_456, handshakeTimeout: Duration = .seconds(10),
        closeTimeout: Duration = .seconds(2)
    ) {
        self.path = path
        self.subprotocol = subprotocol
        self.headers = headers
        self.maximumFrameSize = maximumFrameSize
        self.handshakeTimeout = handshakeTimeout
        self.closeTimeout = closeTimeout
    }
}
