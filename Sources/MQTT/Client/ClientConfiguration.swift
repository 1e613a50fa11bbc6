public import MQTTWire
public import NIOCore
public import OpenSSLTransport

/// How a client connects and keeps connected.
public struct ClientConfiguration: Sendable {
    /// At least one; the next one is tried after each failure, and after a round of failures the client waits.
    ///
    /// A session is resumed at the endpoint that holds it, which is therefore asked first when a connection or a process
    /// has ended; another one begins a new session, in which what was under way is sent anew and may arrive twice
    /// (``ClientStatistics/possibleDuplicates``).
    public var endpoints: [Endpoint]
    public var endpointOrder = EndpointOrder.listed
    /// How long a connection to another endpoint than the first must have stood before the client looks for the first
    /// and goes back to it, when nothing is under way, with a goodbye and without a will; twice as long after each time
    /// in vain, up to an hour. Nil: never. Without meaning for shuffled endpoints.
    public var returnAfter: Duration? = .seconds(300)
    /// The endpoints are one cluster, whose nodes have their sessions in common: a session is resumed at each of them.
    ///
    /// Only to be said of such clusters. Where each server has sessions of its own, one may hold an old session of ours
    /// and offer it after another server has been used: packet identifiers that are used anew would be taken for
    /// repetitions there, and QoS 2 messages be lost.
    public var endpointsShareSessions = false
    /// Whether to go where a server sends us (5.0 §4.11: Use another server, Server moved), which is then trusted with
    /// user name and password, and reached over the same transport. If not, the next endpoint is asked.
    public var followsRedirects = true
    /// Nil: 5.0, and 3.1.1 where a server does not speak it, but not with an ``authenticator``, of which 3.1.1 knows
    /// nothing. A session belongs to the version that it was begun in. 3.1 is spoken by servers only, and means 3.1.1.
    public var version: ProtocolVersion?
    /// Empty: the server assigns one (5.0).
    public var clientIdentifier: String
    /// Whole seconds, up to 65,535; zero turns keep-alive off. A server may ask for another value (5.0).
    public var keepAlive: Duration = .seconds(60)
    /// How long TCP connection and CONNACK together may take, and before them ``parameters``.
    public var connectTimeout: Duration = .seconds(10)
    /// How long the answer to a PINGREQ may take.
    public var responseTimeout: Duration = .seconds(10)
    /// When messages are under way and none was acknowledged for so long, the connection is given up: some brokers
    /// still answer pings when they have ceased to do anything else.
    public var acknowledgementTimeout: Duration = .seconds(60)
    /// How long the server keeps the session after a connection; whole seconds. Zero: it ends with the connection.
    /// Under 3.1.1, which knows no such time, a session that is wanted stays until the server's own limits end it.
    public var sessionExpiry: Duration = .seconds(3600)
    /// The first connection takes over the session that the server holds for this client identifier from an earlier
    /// process, with its subscriptions and the messages that wait in it.
    ///
    /// For clients that receive. One that publishes QoS 2 may lose a message to it: the earlier process may have left
    /// an exchange open whose packet identifier is used anew here.
    public var resumesEarlierSession = false
    /// QoS 1 and 2 messages that may wait for their acknowledgement: 1 to 32,768. A server may ask for fewer (5.0).
    ///
    /// Under 3.1.1 a server cannot ask, and more than it is prepared for is dangerous: Mosquitto 2.0 acknowledges QoS 2
    /// messages beyond its `max_inflight_messages`, 20 by default, and then loses them.
    public var maximumInFlight: Int = 20
    /// Messages of a higher QoS are sent at this one: for brokers that have no QoS 2 and do not say so.
    public var maximumQoS = QoS.exactlyOnce
    /// Incoming QoS 1 and 2 messages that the server may have under way (5.0): 1 to 65,535.
    public var receiveMaximum: Int = 256
    /// Topic aliases that the server may use towards us (5.0); zero: none.
    public var topicAliasMaximum: UInt16 = 16
    /// When QoS 1 and 2 messages that arrive are acknowledged.
    public var acknowledgement = Acknowledgement.whenProcessed
    /// How many messages a second may be sent of a backlog of the priorities normal and low; nil: as many as the
    /// connection takes. What is new waits behind its backlog all the same, unless its priority is higher.
    public var backlogRate: Double?
    /// Changes a message of the backlog before it is sent, to mark it as such. Called on the client's event loop.
    public var markBacklog: (@Sendable (inout Message) -> Void)?
    /// Bytes of the largest packet that is accepted from the server.
    public var maximumPacketSize: Int = 1 << 20
    public var backoff: Backoff = Backoff()
    /// ``MQTTClient/run()`` ends when every endpoint refuses us in a way that waiting will not mend (a wrong password,
    /// a broken certificate file); the last event says why, with no time for the next attempt. Otherwise it goes on at
    /// the slowest pace: for boards that nobody should have to climb to.
    public var stopsWhenRefused = false
    /// For endpoints that are reached over TLS. Files that it names are read anew for each connection.
    public var tls: TLSClientConfiguration
    /// Makes what conducts enhanced authentication, for each connection anew (5.0); nil: there is none.
    public var authenticator: (@Sendable () -> any Authenticator)?
    /// Asked before each attempt, with the number that the connection will have: a will that names its connection, a
    /// password that is signed anew or read again from its file. When it and the authenticator's beginning have taken
    /// ``connectTimeout``, they are cancelled, and the attempt has failed.
    public var parameters: @Sendable (_ connection: Int) async throws -> ConnectParameters

    public init(
        endpoints: [Endpoint], version: ProtocolVersion? = nil, clientIdentifier: String = "",
        parameters: @escaping @Sendable (_ connection: Int) async throws -> ConnectParameters = { _ in
            ConnectParameters()
        }
    ) {
        self.endpoints = endpoints
        self.version = version
        self.clientIdentifier = clientIdentifier
        self.parameters = parameters
        tls = TLSClientConfiguration()
        tls.sessionCache = TLSSessionCache()
    }

    public enum Acknowledgement: Sendable, Hashable {
        /// When the reader of ``MQTTClient/messages`` asks for the next one, or calls
        /// ``MQTTClient/acknowledge(_:_:)``: a program that dies over a message gets it again.
        case whenProcessed
        /// By ``MQTTClient/acknowledge(_:_:)`` only.
        case byHand
        /// As soon as it is there.
        case onArrival
    }

    /// The version that is not to be departed from.
    var fixedVersion: ProtocolVersion? { version == .v3_1 ? .v3_1_1 : version ?? (authenticator == nil ? nil : .v5) }

    /// The keep-alive as CONNECT says it.
    var keepAliveSeconds: UInt16 { UInt16(clamping: keepAlive.components.seconds) }
}

/// What one connection says of itself in CONNECT, and first thing after it.
public struct ConnectParameters: Sendable {
    public var username: String?
    public var password: ByteBuffer?
    public var will: Will?
    /// Published on the new connection before anything new: what makes the will untrue again.
    public var birth: Message?
    /// Further properties of CONNECT (5.0); those that the client says itself replace them.
    public var properties: Properties

    public init(
        username: String? = nil, password: ByteBuffer? = nil, will: Will? = nil, birth: Message? = nil,
        properties: Properties = []
    ) {
        self.username = username
        self.password = password
        self.will = will
        self.birth = birth
        self.properties = properties
    }
}
