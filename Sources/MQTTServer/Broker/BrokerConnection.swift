internal import MQTTWire
internal import NIOCore

/// What the broker knows of one connection, beyond the session behind it.
struct BrokerConnection: Sendable {
    let id: ConnectionID
    let client: AcceptedClient
    /// The session's place in the broker's table.
    let session: Int
    let version: ProtocolVersion
    var will: Will?
    /// 1.5 times the agreed keep-alive ([MQTT-3.1.2-22]); nil: off.
    let patience: TimeAmount?
    var lastHeard: NIODeadline
    /// QoS 1 and 2 messages that may be on their way to it.
    let window: Int
    /// Bytes of the largest packet that it takes.
    let maximumPacketSize: Int
    /// Topics that the client has given aliases.
    var aliases: [UInt16: TopicName] = [:]
    /// Its QoS 2 messages of this connection whose PUBREL has not come.
    var unreleased = 0
    /// Bytes that may still be sent before the driver says that the socket has taken the last ones.
    var budget = Self.fullBudget

    static let fullBudget = 128 << 10

    var information: ClientInformation { client.information }
}
