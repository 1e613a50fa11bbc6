public import MQTTWire

extension Session {
    /// What to do with a PUBLISH from the server.
    public enum Incoming: Sendable, Hashable {
        /// Give it to the application, and call ``processed(_:_:)`` with the receipt, if there is one, when it is done
        /// with it. Topic aliases are resolved.
        case deliver(Publish, Receipt?)
        /// The application has it already: only answer, if there is an answer.
        case repeated(answer: Packet?)
    }

    public mutating func received(publish: Publish) throws(ProtocolViolation) -> Incoming {
        var publish = publish
        try incomingAliases.resolve(&publish)
        guard let identifier = publish.packetIdentifier, publish.qos != .atMostOnce else {
            return .deliver(publish, nil)
        }
        // The receive maximum that was announced is not insisted on: Mosquitto 2.0 goes far beyond it, and whoever breaks
        // off gets the same messages again, and again too many. Memory is bounded by not reading on.
        if incoming.underWay >= 65_535, publish.qos == .atLeastOnce || !incoming.knows(identifier) {
            throw ProtocolViolation(
                "65535 messages under way (MQTT-3.3.4-9)", reasonCode: .receiveMaximumExceeded)
        }
        switch incoming.arrived(identifier, publish.qos) {
        case .deliver(let receipt): return .deliver(publish, receipt)
        case .repeated(.send(let answer)): return .repeated(answer: answer)
        case .repeated(.note), .repeated(nil): return .repeated(answer: nil)
        }
    }

    /// What follows when an incoming message was processed.
    public enum AfterProcessing: Sendable, Hashable {
        case send(Packet)
        /// Have the store note that the message was seen, and call ``noted(_:isCurrent:)`` when it has.
        case note(PacketIdentifier)
    }

    /// The application is done with a message, or refuses it with an error code (5.0). Acknowledgements go in the order
    /// of arrival: nothing is due while an earlier message is still being processed.
    public mutating func processed(_ receipt: Receipt, _ reasonCode: ReasonCode = .success) -> [AfterProcessing] {
        incoming.processed(receipt, version == .v5 ? reasonCode : .success)
    }

    /// The application could not be given a message: it is not acknowledged, and new when it comes again.
    public mutating func dropped(_ receipt: Receipt) { incoming.dropped(receipt) }

    /// What to do with a PUBREL from the server.
    public enum AfterPubRel: Sendable, Hashable {
        case send(Acknowledgement)
        /// Have the store forget the message, and call ``noted(_:isCurrent:)`` when it has.
        case note(PacketIdentifier)
    }

    public mutating func received(pubrel: Acknowledgement) -> AfterPubRel {
        switch incoming.released(pubrel.packetIdentifier) {
        case true?: .note(pubrel.packetIdentifier)
        case false?: .send(Acknowledgement(packetIdentifier: pubrel.packetIdentifier))
        case nil:
            .send(
                Acknowledgement(
                    packetIdentifier: pubrel.packetIdentifier,
                    reasonCode: version == .v3_1_1 ? .success : .packetIdentifierNotFound))
        }
    }

    /// The store has noted these steps, of the present session.
    ///
    /// - Parameter isCurrent: they were taken on this very connection.
    /// - Returns: what is to be sent now.
    public mutating func noted(_ steps: ExchangeSteps, isCurrent: Bool) -> [Packet] {
        var packets: [Packet] = []
        if isCurrent {
            for id in steps.released {
                if let pubrel = released(id) { packets.append(.pubrel(pubrel)) }
            }
        }
        for identifier in steps.seen {
            if case .send(let pubrec) = incoming.noted(identifier) { packets.append(pubrec) }
        }
        if isCurrent {
            for identifier in steps.finished where incoming.finished(identifier) {
                packets.append(.pubcomp(Acknowledgement(packetIdentifier: identifier)))
            }
        }
        return packets
    }

    /// Resumes what an earlier process has seen; before the first connection.
    public mutating func restore(_ stored: StoredSession) { incoming.restore(stored.incoming) }
}
