internal import DequeModule
internal import MQTTWire
internal import NIOCore

/// A client inside this program: packets go to and from the broker without a socket.
///
/// It belongs to the server's actor.
final class LocalConnection {
    let id: ConnectionID
    let clientIdentifier: String
    /// Packets that wait for the store, in order.
    var held: Deque<(batch: Int, packet: Packet)> = []
    /// What the reader has not taken yet.
    var inbox: Deque<Publish> = []
    var inboxBytes = 0
    /// The broker has been told that all is taken.
    var isDrained = true
    var isDirty = false
    var reader: CheckedContinuation<Publish?, Never>?
    var connecting: CheckedContinuation<ConnAck?, Never>?
    /// Who waits for which answer.
    var requests: [PacketIdentifier: CheckedContinuation<[ReasonCode]?, Never>] = [:]
    /// Who waits for a free identifier.
    var queue: Deque<CheckedContinuation<Void, Never>> = []
    private var last: UInt16 = 0
    var isEnded = false

    /// Bytes of messages that wait for the reader before the broker keeps them back.
    static let inboxLimit = 128 << 10

    init(id: ConnectionID, clientIdentifier: String) {
        self.id = id
        self.clientIdentifier = clientIdentifier
    }

    /// One that no request has; there are always some, since their number is bounded.
    func newIdentifier() -> PacketIdentifier {
        while true {
            last = last == .max ? 1 : last + 1
            if let identifier = PacketIdentifier(rawValue: last), requests[identifier] == nil { return identifier }
        }
    }
}
