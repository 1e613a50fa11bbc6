/// Why there is no WebSocket, or none any more.
///
/// The description is a sentence for people that names the thing, the place and the mend; a program looks at ``code``.
public struct WebSocketError: Error, Hashable, Sendable {
    public enum Code: String, Sendable, Hashable, CaseIterable {
        // The configuration

        /// A setting that cannot be: a path without a slash, a header that the handshake sets itself.
        case invalidSetting

        // The handshake

        /// The peer's first bytes are something else.
        case notHTTP
        /// HTTP, but malformed or too long.
        case malformedHead
        /// The server wants us to go elsewhere (3xx).
        case redirected
        /// The server wants to know who we are, or does not let us in (401, 403, 407).
        case unauthorized
        /// Nothing is at the path (404, 410).
        case notFound
        /// The server answers with another status than 101.
        case refused
        /// The server agrees to something else than a WebSocket, or its answer is not to our key.
        case wrongAnswer
        /// There is no agreement on the subprotocol.
        case subprotocolRefused
        /// A client's request is not one for a WebSocket, or not for ours.
        case badRequest
        case handshakeTimeout
        case closedDuringHandshake
        /// More was written before the end of the handshake than is kept.
        case tooMuchBeforeHandshake

        // The connection

        /// The peer broke RFC 6455, or sent text.
        case protocolViolation
        /// A frame is longer than the limit.
        case frameTooLarge
        /// The peer said goodbye and gave a reason, which is not that all is done.
        case closedByPeer
        /// The connection ended without a close frame.
        case truncated
    }

    /// Who can mend it.
    public enum Fault: Sendable, Hashable {
        /// Whoever wrote the configuration.
        case configuration
        /// The peer, or whoever poses as it.
        case peer
        /// Nobody; it may work next time.
        case network
        /// This program.
        case ourselves
    }

    public let code: Code
    public let description: String
    /// The HTTP status, where there is one: the server's answer, or ours to a client.
    public let status: Int?

    init(_ code: Code, _ description: String, status: Int? = nil) {
        self.code = code
        self.description = description
        self.status = status
    }

    public var fault: Fault {
        switch code {
        case .invalidSetting, .redirected, .unauthorized, .notFound: .configuration
        case .handshakeTimeout, .closedDuringHandshake, .truncated: .network
        case .tooMuchBeforeHandshake: .ourselves
        default: .peer
        }
    }
}

extension WebSocketError: CustomStringConvertible {}

extension WebSocketError {
    init(_ error: FrameError, from role: Role) {
        let code: Code = if case .tooLarge = error { .frameTooLarge } else { .protocolViolation }
        self.init(code, "the \(role) \(error.deed)")
    }
}
