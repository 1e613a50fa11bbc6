internal import Logging
public import MQTTWire
internal import NIOCore

// What the server says.
extension MQTTClient {
    func received(_ packet: Packet, on id: Int) {
        guard link.id == id else { return }
        switch link.phase {
        case .awaitingConnAck:
            if case .auth(let auth) = packet, link.authenticator != nil {
                do throws(ProtocolViolation) {
                    try received(auth: auth)
                } catch {
                    breakOff(error)
                }
                return
            }
            guard case .connack(let connack) = packet else {
                return end(id, ConnectFailure.protocolError("the first packet was not CONNACK (MQTT-3.2.0-1)"))
            }
            accepted(connack)
        case .up:
            do throws(ProtocolViolation) {
                try handle(packet)
            } catch {
                breakOff(error)
            }
        case .opening, .closing, .ended: break
        }
    }

    func handle(_ packet: Packet) throws(ProtocolViolation) {
        switch packet {
        case .publish(let publish): deliver(try session.received(publish: publish))
        case .puback(let puback):
            if let completion = try session.received(puback: puback) { complete(completion) }
            if session.answeredAtQoS1 > statistics.takenAtQoS1 {
                statistics.takenAtQoS1 = session.answeredAtQoS1
                guard statistics.takenAtQoS1 == 1 else { return }
                logger.warning(
                    "the broker takes QoS 2 for QoS 1: messages may arrive twice",
                    metadata: ["broker": "\(link.endpoint.map { "\($0)" } ?? "")"])
            }
        case .pubrec(let pubrec):
            closedOverQoS2 = 0
            switch try session.received(pubrec: pubrec) {
            case .send(let pubrel): send(.pubrel(pubrel))
            case .note(let id): steps.released.append(id)
            case .completed(let completion): complete(completion)
            }
        case .pubcomp(let pubcomp):
            if let completion = try session.received(pubcomp: pubcomp) { complete(completion) }
        case .pubrel(let pubrel):
            switch session.received(pubrel: pubrel) {
            case .send(let pubcomp): send(.pubcomp(pubcomp))
            case .note(let identifier): steps.finished.append(identifier)
            }
        case .suback(let suback):
            try session.received(suback: suback)
            answered(suback.packetIdentifier, suback.reasonCodes)
        case .unsuback(let unsuback):
            try session.received(unsuback: unsuback)
            answered(unsuback.packetIdentifier, unsuback.reasonCodes)
        case .pingresp:
            link.keepAlive?.bytesReceived(at: .now)
            link.keepAlive?.pingResponseReceived()
            // The alarm was set for the end of our patience; the next ping may be due before.
            watch()
        case .disconnect(let disconnect):
            link.serverReference = disconnect.properties.serverReference
            if let refused = session.disconnected(with: disconnect.reasonCode) { complete(refused) }
            end(
                link.id,
                .byServer(disconnect.reasonCode, explanation: disconnect.properties.reasonString))
        case .auth(let auth): try received(auth: auth)
        case .connack, .connect, .subscribe, .unsubscribe, .pingreq:
            throw ProtocolViolation("a packet that a server may not send now: \(packet.type)")
        }
    }

    func deliver(_ incoming: Session.Incoming) {
        switch incoming {
        case .repeated(let answer): if let answer { send(answer) }
        case .deliver(let publish, let receipt):
            guard let topic = publish.topic else { return }
            statistics.received += 1
            let message = ReceivedMessage(
                topic: topic, payload: publish.payload, qos: publish.qos, retain: publish.retain,
                duplicate: publish.duplicate, properties: publish.properties, receipt: receipt)
            if configuration.acknowledgement == .onArrival, let receipt { processed(receipt) }
            if isAnswer(message) {
                if let receipt { processed(receipt) }
            } else {
                handOver(message)
            }
        }
    }

    func processed(_ receipt: Receipt, _ reasonCode: ReasonCode = .success) {
        for step in session.processed(receipt, reasonCode) {
            switch step {
            case .send(let packet): if link.isUp { send(packet) }
            case .note(let identifier): steps.seen.append(identifier)
            }
        }
    }

    /// The reader has done with these.
    func processed(_ receipts: [Receipt]) {
        for receipt in receipts { processed(receipt) }
        noteSteps()
        if link.isUp { flush() }
        leaveWhenNothingIsUnderWay()
    }

    /// Tells the server that a message is done with, or that it is refused; see ``ClientConfiguration/acknowledgement``.
    ///
    /// - Parameter reasonCode: an error code refuses the message (5.0 only: 0x80, 0x83, 0x87, 0x90, 0x97, 0x99).
    public func acknowledge(_ message: ReceivedMessage, _ reasonCode: ReasonCode = .success) {
        guard let receipt = message.receipt else { return }
        processed(receipt, reasonCode)
        noteSteps()
        if link.isUp { flush() }
        leaveWhenNothingIsUnderWay()
    }

    private func handOver(_ message: ReceivedMessage) {
        // Somebody who never reads must not stop the client, nor fill the memory. Without an acknowledgement the server
        // keeps the message.
        if isFull, !hasReader || isAwaited && inbox.count >= Inbox.limit {
            return drop(message)
        }
        arrived.append(message)
        // Packets may gather before the end of a read is told.
        if arrived.count >= 256 { handOverArrived() }
    }

    /// Together, so that a reader who waits is woken once.
    func handOverArrived() {
        guard !arrived.isEmpty else { return }
        let hasRoom = inbox.append(arrived)
        arrived.removeAll(keepingCapacity: true)
        guard !hasRoom else { return }
        isFull = true
        if hasReader { pauseReading() }
    }

    private func drop(_ message: ReceivedMessage) {
        statistics.receivedUnread += 1
        if let receipt = message.receipt { session.dropped(receipt) }
    }

    /// Somebody reads from now on; what waits already is to be read before more is taken from the socket.
    func readerDidArrive() {
        readers += 1
        if isFull { pauseReading() }
    }

    func readerDidLeave() {
        readers -= 1
        if !hasReader { readOn() }
    }

    private func pauseReading() {
        guard !readingPaused, !isAwaited else { return }
        readingPaused = true
        setReading(false)
        watch()
    }

    func resumeReading() {
        isFull = false
        readOn()
    }

    func readOn() {
        guard readingPaused else { return }
        readingPaused = false
        pardonSilence(at: .now)
        setReading(true)
    }

    func setReading(_ on: Bool) {
        link.channel?.setOption(.autoRead, value: on).whenFailure { _ in }
    }

    /// While nothing is read, neither the answer to a ping nor an acknowledgement can have come.
    func pardonSilence(at now: ContinuousClock.Instant) {
        link.keepAlive?.bytesReceived(at: now)
        link.keepAlive?.pingResponseReceived()
        link.lastProgress = now
    }

    func readCompleted(on id: Int) {
        guard link.id == id else { return }
        handOverArrived()
        guard link.isUp else { return }
        link.keepAlive?.bytesReceived(at: .now)
        tellStore()
        noteSteps()
        pump()
        flush()
        leaveWhenNothingIsUnderWay()
    }

    func writabilityChanged(to isWritable: Bool, on id: Int) {
        guard link.id == id else { return }
        link.isWritable = isWritable
        guard isWritable else { return }
        pump()
        // Answers and goodbyes go out when nothing may be published, too.
        flush()
    }
}
