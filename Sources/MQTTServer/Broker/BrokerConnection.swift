internal import MQTTWire
internal import NIOCore

/// What the broker knows of one connection, beyond the session behind it.
struct BrokerConnection: Sendable {
    /// What stays as it was at CONNECT, in one piece, so that a connection is cheap to pass around.
    final class Peer: Sendable {
        let accepted: AcceptedClient
        let will: Will?
        let isBridge: Bool

        init(_ accepted: AcceptedClient, will: Will?, isBridge: Bool) {
            self.accepted = accepted
            self.will = will
            self.isBridge = isBridge
        }
    }

    let id: ConnectionID
    let peer: Peer
    /// The session's place in the broker's table.
    let session: Int
    let version: ProtocolVersion
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

    var aliasBytes: Int { aliases.values.reduce(0) { $0 + $1.string.utf8.count } }

    var client: AcceptedClient { peer.accepted }
    var information: ClientInformation { peer.accepted.information }
    var will: Will? { peer.will }
}
