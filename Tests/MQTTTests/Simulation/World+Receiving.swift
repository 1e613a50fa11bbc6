import MQTT
import MQTTWire

// What the server says, as ``MQTTClient`` takes it.
extension World {
    mutating func clientReads(_ argument: Int) throws(Failure) {
        guard client.phase != .idle, !wires[wires.count - 1].toClient.isEmpty else { return }
        for _ in 0...argument >> 2 & 1 {
            guard client.phase != .idle, !wires[wires.count - 1].toClient.isEmpty else { break }
            let frame = wires[wires.count - 1].toClient.removeFirst()
            note("client reads \(frame)")
            do throws(ProtocolViolation) {
                try handle(frame)
            } catch {
                throw Failure(rule: .violation, detail: error.description)
            }
            if let broken { throw broken }
        }
        guard client.phase == .up else { return }
        tellStore()
        noteSteps()
        try pump(Self.budget(argument))
    }

    private mutating func handle(_ frame: Frame) throws(ProtocolViolation) {
        switch frame {
        case .connack(let present, let session, let receiveMaximum):
            accepted(present, session, receiveMaximum)
        case .refused:
            coverage.reached(.refusedConnection)
            end(.refused)
        case .publish(let identifier, let number, let exactlyOnce, let duplicate):
            let publish = Publish(
                topic: Self.topic, payload: Self.payloads[number], qos: exactlyOnce ? .exactlyOnce : .atLeastOnce,
                duplicate: duplicate, packetIdentifier: identifier)
            switch try client.session.received(publish: publish) {
            case .deliver(_, let receipt?):
                checkDelivery(number)
                client.inbox.append((receipt, identifier, number))
                if setup.fault == .acknowledgesOnArrival { acknowledge(receipt) }
            case .deliver(_, nil): break
            case .repeated(let answer):
                coverage.reached(.ownSwallowed)
                if let answer { clientAnswers(answer) }
            }
        case .puback(let identifier, let isRefused):
            let puback = Acknowledgement(
                packetIdentifier: identifier, reasonCode: isRefused ? .quotaExceeded : .success)
            if let completion = try client.session.received(puback: puback) { finish(completion) }
        case .pubrec(let identifier, let isRefused):
            let pubrec = Acknowledgement(
                packetIdentifier: identifier, reasonCode: isRefused ? .quotaExceeded : .success)
            switch try client.session.received(pubrec: pubrec) {
            case .send(let pubrel): clientAnswers(.pubrel(pubrel))
            case .note(let id): client.steps.released.append(id)
            case .completed(let completion): finish(completion)
            }
        case .pubcomp(let identifier, let isKnown):
            let pubcomp = Acknowledgement(
                packetIdentifier: identifier,
                reasonCode: isKnown || setup.version == .v3_1_1 ? .success : .packetIdentifierNotFound)
            if let completion = try client.session.received(pubcomp: pubcomp) { finish(completion) }
        case .pubrel(let identifier):
            switch client.session.received(pubrel: Acknowledgement(packetIdentifier: identifier)) {
            case .send(let pubcomp): clientAnswers(.pubcomp(pubcomp))
            case .note(let identifier): client.steps.finished.append(identifier)
            }
        case .connect, .subscribe: break
        }
    }

    private mutating func finish(_ completion: Session.Completion) {
        do throws(Failure) { try complete(completion) } catch { broken = error }
    }

    private mutating func acknowledge(_ receipt: Receipt) {
        for step in client.session.processed(receipt) {
            switch step {
            case .send(let packet): clientAnswers(packet)
            case .note(let identifier): client.steps.seen.append(identifier)
            }
        }
    }

    private mutating func clientAnswers(_ packet: Packet) {
        do throws(Failure) { try clientSends(packet) } catch { broken = error }
    }

    private mutating func checkDelivery(_ number: Int) {
        do throws(Failure) { try checkIncoming(number) } catch { broken = error }
    }

    private mutating func accepted(_ present: Bool, _ session: Int, _ receiveMaximum: Int) {
        let hadMessages = client.session.inFlight > 0
        client.connections += 1
        let resumption = client.session.connected(
            sessionPresent: present,
            limits: ServerLimits(receiveMaximum: setup.version == .v5 ? receiveMaximum : 65_535))
        possibleDuplicates += resumption.possibleDuplicates
        client.receiveMaximum = setup.version == .v5 ? receiveMaximum : 65_535
        client.phase = .up
        client.upSince = now
        client.resumesEarlierProcess = present && (client.resumesEarlierProcess || client.connections == 1)
        if present {
            coverage.reached(.resumed)
            if session != believed { misled() }
        } else {
            if hadMessages { coverage.reached(.lostWithMessages) }
            client.steps = ExchangeSteps()
        }
        guard setup.isDurable else {
            client.sessionName = client.server
            if !present { newSessionIsKnown(session) }
            do throws(Failure) { try begin(isNew: !present) } catch { broken = error }
            return
        }
        if !present {
            client.sessionName = nil
            forgetReleases()
        }
        let hides = setup.fault == .hidesNewSession
        client.beginnings.append(
            (client.link, !present, .begin(name: hides || present ? nil : client.server, session: session), false))
        askToBegin()
    }

    /// The application is done with a message: with the first, or out of order with the last.
    mutating func process(_ argument: Int) throws(Failure) {
        guard !client.inbox.isEmpty else { return }
        let isLast = setup.processesOutOfOrder && argument >> 2 & 1 == 1
        let message = client.inbox.remove(at: isLast ? client.inbox.count - 1 : 0)
        note("the application has processed incoming #\(message.number)")
        own[message.number].isProcessed = true
        if client.phase != .up { coverage.reached(.ownProcessedLate) }
        for step in client.session.processed(message.receipt) {
            switch step {
            case .send(let packet): if client.phase == .up { try clientSends(packet) }
            case .note(let identifier): client.steps.seen.append(identifier)
            }
        }
        if setup.isDurable, own[message.number].exactlyOnce { client.seen.append((message.identifier, message.number)) }
        noteSteps()
    }
}
