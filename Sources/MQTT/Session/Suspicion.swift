public import MQTTWire

/// Looks for the message because of which a server disconnects us, as a value: it would be sent again on each
/// connection, for ever, and nothing behind it would arrive.
///
/// A DISCONNECT that blames a PUBLISH does not say which. So what was under way is sent again one by one, and a message
/// that was the only one unacknowledged when the server blamed one, twice in a row, is refused.
struct Suspicion: Sendable, Hashable {
    /// Messages to be acknowledged before more than one may be under way again.
    private var remaining = 0
    private var suspect: Session.Origin?

    /// Only one message may be under way.
    var isOn: Bool { remaining > 0 }

    /// The server disconnected us.
    ///
    /// - Parameters:
    ///   - code: that of its DISCONNECT.
    ///   - unanswered: messages of this connection that the server has not answered.
    ///   - inFlight: how many there are in the session.
    /// - Returns: whether the only unanswered message is to be refused.
    mutating func disconnected(with code: ReasonCode, unanswered: [Session.Origin], inFlight: Int) -> Bool {
        guard Self.blaming.contains(code), let first = unanswered.first else { return false }
        guard isOn, unanswered.count == 1 else {
            remaining = inFlight
            suspect = nil
            return false
        }
        if suspect == first {
            suspect = nil
            return true
        }
        suspect = first
        return false
    }

    /// A message is done with.
    mutating func completed() { remaining = max(0, remaining - 1) }

    /// What only a PUBLISH can have caused (5.0 §3.14.2.1); Malformed Packet and Protocol Error can come from anything,
    /// and would cost one innocent message after the other.
    private static let blaming: Set<ReasonCode> = [
        .topicNameInvalid, .packetTooLarge, .payloadFormatInvalid, .retainNotSupported, .qosNotSupported,
    ]
}

extension Session {
    /// The server said goodbye; to be called before ``connectionLost()``.
    ///
    /// - Returns: the refusal of the message that has driven the server to it, once it is found out.
    public mutating func disconnected(with code: ReasonCode) -> Completion? {
        let unanswered = outgoing.filter { $0.value.isOutstanding && $0.value.stage == .publish }
        let isFound = suspicion.disconnected(
            with: code, unanswered: unanswered.map(\.value.origin), inFlight: outgoing.count)
        guard isFound, let identifier = unanswered.first?.key else { return nil }
        return complete(identifier, code)
    }
}
