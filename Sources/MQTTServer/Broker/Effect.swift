internal import MQTTWire

/// A connection's place in the driver's and the broker's tables, with a count that tells it from others that had it.
struct ConnectionID: Sendable, Hashable {
    var slot: Int
    var generation: UInt32
}

/// What the broker wants done, in this order.
enum Effect: Sendable {
    /// Send it behind all that was sent on this connection before.
    ///
    /// - Parameter after: the batch of ``Change``s that must be on disk first; 0 needs none.
    case send(ConnectionID, Packet, after: Int)
    /// As `send`, with PUBLISH.
    case deliver(ConnectionID, Delivery, after: Int)
    /// Send what there is, then close. The broker has forgotten the connection.
    ///
    /// - Parameter cause: why, unless CONNACK says it.
    case close(ConnectionID, DisconnectCause?)
    case event(ServerEvent)
}

/// Who comes in, decided already: name, rights, and what the server has agreed to.
struct AcceptedClient: Sendable {
    var information: ClientInformation
    /// Goes into CONNACK as Assigned Client Identifier when the client gave none.
    var isIdentifierAssigned = false
    /// More for CONNACK, such as authentication data.
    var properties: Properties = []
    /// The listener's, or the server's.
    var maximumQoS = QoS.exactlyOnce
    var maximumPacketSize: Int
    var topicAliasMaximum: UInt16
    /// In the place of ``ServerLimits/maximumInFlight``.
    var maximumInFlight: Int?
    /// The limits of its session's queue do not hold: the driver sees to it that publishers wait in time.
    var isExacting = false
    /// Nil: everything is allowed.
    var policy: (any ClientPolicy)?
}

/// What one client may do. Asked on the event loop for every message; answers at once.
protocol ClientPolicy: Sendable {
    func mayPublish(to topic: TopicName) -> Bool
    func mayReceive(_ topic: TopicName) -> Bool
    /// False when nothing that the filter matches could ever be received.
    func mayEverReceive(_ filter: TopicFilter) -> Bool
}
