internal import DequeModule
internal import MQTTWire

/// Names an incoming QoS 1 or 2 message that the server waits to have acknowledged.
public struct Receipt: Sendable, Hashable {
    let serial: UInt64
}

/// The incoming half of a session as a value: which QoS 1 and 2 messages were given to the application, and what is owed
/// to the server for them.
///
/// A message is acknowledged when the application has processed it, so that one which dies meanwhile gets it again; and
/// acknowledgements go in the order of arrival ([MQTT-4.6.0-2], [MQTT-4.6.0-3]), in whatever order the processing ends.
struct IncomingMessages: Sendable {
    /// What to do with a PUBLISH that arrived.
    enum Arrival: Sendable, Hashable {
        case deliver(Receipt)
        /// The application has it, or had it already: there may be something to answer.
        case repeated(Step?)
    }

    typealias Step = Session.AfterProcessing

    private struct Owed: Sendable {
        let receipt: Receipt
        let identifier: PacketIdentifier
        let qos: QoS
        /// What to answer, once it was processed.
        var answer: ReasonCode?
    }

    private enum Stage: Sendable, Hashable {
        case delivered(Receipt)
        /// Processed; the store is to note it before PUBREC is sent.
        case noting
        case seen
        /// PUBREL has come; the store is to forget it before PUBCOMP is sent.
        case finishing
    }

    /// Whether the store has to know a step before the server does.
    var holdsSteps = false

    private var lastSerial: UInt64 = 0
    /// Of this connection, in the order of arrival.
    private var owed: Deque<Owed> = []
    private var owedAtLeastOnce = 0
    private var exactlyOnce: [PacketIdentifier: Stage] = [:]
    /// QoS 2 messages that this connection has brought and that were not answered yet.
    private var unanswered: Set<PacketIdentifier> = []

    /// What counts against the receive maximum (5.0 §4.9).
    var underWay: Int { owedAtLeastOnce + exactlyOnce.count }

    /// Processed, and not noted by the store yet.
    func isToBeNoted(_ identifier: PacketIdentifier) -> Bool { exactlyOnce[identifier] == .noting }

    func knows(_ identifier: PacketIdentifier) -> Bool { exactlyOnce[identifier] != nil }

    /// What an earlier process has seen of the session that will be resumed.
    mutating func restore(_ identifiers: Set<PacketIdentifier>) {
        for identifier in identifiers { exactlyOnce[identifier] = .seen }
    }

    mutating func connected(sessionPresent: Bool) {
        if !sessionPresent { exactlyOnce.removeAll() }
    }

    /// - Returns: what the store is to note as seen: messages that were processed before one that came earlier, whose
    ///   answers had to wait for it.
    mutating func connectionLost() -> [PacketIdentifier] {
        var toNote: [PacketIdentifier] = []
        for entry in owed where entry.qos == .exactlyOnce {
            guard let answer = entry.answer else { continue }
            if answer.isError {
                exactlyOnce[entry.identifier] = nil
            } else {
                exactlyOnce[entry.identifier] = holdsSteps ? .noting : .seen
                if holdsSteps { toNote.append(entry.identifier) }
            }
        }
        owed.removeAll()
        owedAtLeastOnce = 0
        unanswered.removeAll()
        for (identifier, stage) in exactlyOnce where stage == .finishing { exactlyOnce[identifier] = .seen }
        return toNote
    }

    mutating func arrived(_ identifier: PacketIdentifier, _ qos: QoS) -> Arrival {
        guard qos == .exactlyOnce else {
            owedAtLeastOnce += 1
            return .deliver(owe(newReceipt(), identifier, qos))
        }
        unanswered.insert(identifier)
        switch exactlyOnce[identifier] {
        case nil:
            let receipt = newReceipt()
            exactlyOnce[identifier] = .delivered(receipt)
            return .deliver(owe(receipt, identifier, qos))
        case .delivered(let receipt):
            if !owed.contains(where: { $0.receipt == receipt }) { _ = owe(receipt, identifier, qos) }
            return .repeated(nil)
        case .noting: return .repeated(nil)
        case .seen, .finishing: return .repeated(answer(identifier))
        }
    }

    private mutating func newReceipt() -> Receipt {
        lastSerial += 1
        return Receipt(serial: lastSerial)
    }

    private mutating func owe(_ receipt: Receipt, _ identifier: PacketIdentifier, _ qos: QoS) -> Receipt {
        owed.append(Owed(receipt: receipt, identifier: identifier, qos: qos))
        return receipt
    }

    private mutating func answer(_ identifier: PacketIdentifier) -> Step? {
        guard unanswered.remove(identifier) != nil else { return nil }
        return .send(.pubrec(Acknowledgement(packetIdentifier: identifier)))
    }

    /// The application has processed a message, or refuses it with an error code (5.0).
    ///
    /// - Returns: what is due now, in order; nothing while an earlier message is still being processed.
    mutating func processed(_ receipt: Receipt, _ reasonCode: ReasonCode) -> [Step] {
        if let index = owed.firstIndex(where: { $0.receipt == receipt }) {
            // The first word counts: whoever refuses a message and reads on has still refused it.
            if owed[index].answer == nil { owed[index].answer = reasonCode }
            return due()
        }
        // Its connection is gone. A QoS 1 message will come again; a QoS 2 message only to be answered.
        guard let identifier = exactlyOnce.first(where: { $0.value == .delivered(receipt) })?.key else { return [] }
        return seen(identifier, reasonCode).map { [$0] } ?? []
    }

    mutating func dropped(_ receipt: Receipt) {
        guard let index = owed.lastIndex(where: { $0.receipt == receipt }) else { return }
        let entry = owed.remove(at: index)
        if entry.qos == .exactlyOnce {
            exactlyOnce[entry.identifier] = nil
            unanswered.remove(entry.identifier)
        } else {
            owedAtLeastOnce -= 1
        }
    }

    private mutating func due() -> [Step] {
        var steps: [Step] = []
        while let first = owed.first, let answer = first.answer {
            owed.removeFirst()
            if first.qos == .exactlyOnce {
                if let step = seen(first.identifier, answer) { steps.append(step) }
            } else {
                owedAtLeastOnce -= 1
                steps.append(
                    .send(.puback(Acknowledgement(packetIdentifier: first.identifier, reasonCode: answer))))
            }
        }
        return steps
    }

    private mutating func seen(_ identifier: PacketIdentifier, _ reasonCode: ReasonCode) -> Step? {
        if reasonCode.isError {
            // PUBREC with an error ends the exchange (5.0 §4.3.3). Without a connection for it the message will come
            // again, as a new one.
            exactlyOnce[identifier] = nil
            guard unanswered.remove(identifier) != nil else { return nil }
            return .send(.pubrec(Acknowledgement(packetIdentifier: identifier, reasonCode: reasonCode)))
        }
        exactlyOnce[identifier] = holdsSteps ? .noting : .seen
        return holdsSteps ? .note(identifier) : answer(identifier)
    }

    /// The store has noted that a message was seen.
    ///
    /// - Returns: the PUBREC to send, if this connection has brought the message.
    mutating func noted(_ identifier: PacketIdentifier) -> Step? {
        guard exactlyOnce[identifier] == .noting else { return nil }
        exactlyOnce[identifier] = .seen
        return answer(identifier)
    }

    /// PUBREL came.
    ///
    /// - Returns: whether the store has to forget the message before PUBCOMP is sent; nil when it is not known.
    mutating func released(_ identifier: PacketIdentifier) -> Bool? {
        guard exactlyOnce[identifier] != nil else { return nil }
        exactlyOnce[identifier] = holdsSteps ? .finishing : nil
        unanswered.remove(identifier)
        return holdsSteps
    }

    /// The store has forgotten a message that was released on this very connection.
    ///
    /// - Returns: whether PUBCOMP is to be sent.
    mutating func finished(_ identifier: PacketIdentifier) -> Bool {
        guard exactlyOnce[identifier] == .finishing else { return false }
        exactlyOnce[identifier] = nil
        return true
    }
}
