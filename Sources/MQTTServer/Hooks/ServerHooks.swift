public import MQTTWire
public import NIOCore

/// What a program may have to say in the server's work. Each is optional.
///
/// All but ``validateConnection`` and the authenticators run on the server's event loop, between two packets: they must
/// not block.
public struct ServerHooks: Sendable {
    /// A client that wants to come in, after password file and certificate have had their say.
    public struct ConnectionRequest: Sendable {
        public var client: ClientInformation
        public var password: ByteBuffer?
        public var isCleanStart: Bool
        public var will: Will?
        /// Those of CONNECT (5.0).
        public var properties: Properties
        /// What the configured rules came to: ``ReasonCode/success``, or why they refuse. The hook has the last word.
        public var verdict: ReasonCode
    }

    public enum ConnectionVerdict: Sendable, Hashable {
        /// As the rules know it, or, where they refuse it, by the name that it gave.
        case accept
        /// As what the client is to be known; `username` decides what its access rules are.
        case acceptAs(username: String)
        /// CONNACK's code; under 3.1.1 the return code that is nearest to it.
        case refuse(ReasonCode, properties: Properties = [])
    }

    public enum Verdict: Sendable, Hashable {
        case accept
        /// What the client is told, where its version has a place for it.
        case refuse(ReasonCode)
        /// As if accepted, without effect.
        case swallow
    }

    public var validateConnection: (@Sendable (ConnectionRequest) async -> ConnectionVerdict)?
    /// A subscription that the rules allow; it may be changed, for example to a lower QoS.
    public var interceptSubscription: (@Sendable (inout Subscription, ClientInformation) -> Verdict)?
    public var interceptUnsubscription: (@Sendable (TopicFilter, ClientInformation) -> Verdict)?
    /// A message that the rules allow; it may be changed. With properties that PUBLISH cannot carry it is refused. The
    /// client is nil for what the server publishes itself; it is not asked about `$SYS`.
    public var interceptPublish: (@Sendable (inout ServerMessage, ClientInformation?) -> Verdict)?
    /// A message on its way to a session, by its client identifier: false withholds it.
    public var interceptEnqueue: (@Sendable (ServerMessage, _ receiver: String) -> Bool)?
    /// Every ``ServerEvent``, as it happens.
    public var onEvent: (@Sendable (ServerEvent) -> Void)?
    /// Enhanced authentication (5.0 §4.12): by method, what conducts one exchange.
    public var authenticators: [String: @Sendable (ClientInformation) -> any ServerAuthenticator] = [:]

    public init() {}
}

/// The server's side of one enhanced authentication (5.0 §4.12), or of a repeated one.
public protocol ServerAuthenticator: Sendable {
    /// - Parameter data: the client's Authentication Data, nil when it sent none.
    func proceed(with data: ByteBuffer?) async -> AuthenticationStep
}

public enum AuthenticationStep: Sendable, Hashable {
    /// AUTH with 0x18 and this data; the client's answer comes to the next `proceed`.
    case `continue`(ByteBuffer?)
    /// The client is who it says; the data goes with CONNACK, or with AUTH 0x00.
    case success(ByteBuffer?, username: String? = nil)
    case failure(ReasonCode)
}
