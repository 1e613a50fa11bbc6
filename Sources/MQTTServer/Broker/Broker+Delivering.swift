internal import DequeModule
internal import MQTTWire
internal import NIOCore

extension Broker {
    /// Gives a message to one session: it goes out, waits, or is dropped and counted.
    mutating func deliver(
        _ message: RoutedMessage, to place: Int, qos: QoS, retain: Bool, identifiers: [UInt32], _ stored: inout Int64,
        at now: NIODeadline
    ) {
        if let intercept = configuration.hooks.interceptEnqueue,
            !intercept(message.message, sessions[place].clientIdentifier)
        {
            return
        }
        let slot = sessions[place].connection
        if qos == .atMostOnce {
            if !limits.queuesQoS0, slot == nil { return }
            // What waited while the client was away goes first.
            if let slot, !limits.queuesQoS0 || sessions[place].queue.isEmpty {
                return pass(message, to: place, on: slot, retain: retain, identifiers: identifiers, at: now)
            }
        }
        guard makeRoom(for: message, in: place, at: now) else { return }
        enqueue(message, in: place, qos: qos, retain: retain, identifiers: identifiers, &stored)
        if slot != nil { pump(place, at: now) }
    }

    mutating func enqueue(
        _ message: RoutedMessage, in place: Int, qos: QoS, retain: Bool, identifiers: [UInt32], _ stored: inout Int64
    ) {
        let isStored = storesChanges && sessions[place].isStored
        if isStored { store(message, &stored) }
        let entry = sessions[place].append(
            message, qos: qos, retain: retain, identifiers: identifiers, stored: isStored ? stored : 0)
        count(message, 1)
        if isStored {
            note(
                .queued(
                    sessions[place].id,
                    StoredEntry(
                        sequence: entry.sequence, message: stored, qos: qos, retain: retain,
                        subscriptionIdentifiers: identifiers, isUnsent: entry.isUnsent)))
        }
        if wantsEvents { tell(.messageEnqueued(message.message, client: sessions[place].clientIdentifier)) }
    }

    /// QoS 0, to a client that is connected: it goes out at once, or waits for the socket.
    mutating func pass(
        _ message: RoutedMessage, to place: Int, on slot: Int, retain: Bool, identifiers: [UInt32], at now: NIODeadline
    ) {
        guard let connection = connections[slot] else { return }
        if connection.budget > 0, sessions[place].passing.isEmpty {
            if wantsEvents { tell(.messageEnqueued(message.message, client: connection.information.identifier)) }
            send(
                Delivery(message: message, qos: .atMostOnce, retain: retain), identifiers, on: connection, at: now)
            return
        }
        guard
            connection.client.isExacting
                || sessions[place].waiting < limits.queuedMessages
                    && sessions[place].bytes + message.size <= limits.queuedBytes,
            hasMemory(for: message, in: place)
        else { return dropped(message, for: connection.information.identifier, .notReading) }
        sessions[place].appendPassing(message, retain: retain, identifiers: identifiers)
        count(message, 1)
        if wantsEvents { tell(.messageEnqueued(message.message, client: connection.information.identifier)) }
    }

    /// Sees to it that one more message fits, as the limits say.
    private mutating func makeRoom(for message: RoutedMessage, in place: Int, at now: NIODeadline) -> Bool {
        if fits(message, in: place) == nil { return true }
        // Nobody wants those any more.
        for entry in sessions[place].evictExpired(at: now) { letGo(entry, of: place, .expired) }
        while let cause = fits(message, in: place) {
            // What is too large for the whole queue is not worth emptying it.
            guard limits.eviction == .oldest, cause == .queueFull, message.size <= limits.queuedBytes,
                let oldest = sessions[place].evictOldest()
            else {
                dropped(message, for: sessions[place].clientIdentifier, cause)
                return false
            }
            letGo(oldest, of: place, .queueFull)
        }
        return true
    }

    /// - Returns: which limit forbids it; nil when none does.
    private func fits(_ message: RoutedMessage, in place: Int) -> DropCause? {
        if !hasMemory(for: message, in: place) { return .memoryFull }
        if let slot = sessions[place].connection, connections[slot]?.client.isExacting == true { return nil }
        // One message is always taken, so that small limits do not mean that nothing ever arrives.
        let least = sessions[place].connection == nil ? 0 : 1
        if sessions[place].queue.count >= max(limits.queuedMessages, least) { return .queueFull }
        if (!sessions[place].queue.isEmpty || !sessions[place].inFlight.isEmpty),
            sessions[place].bytes + message.size > limits.queuedBytes
        {
            return .queueFull
        }
        return nil
    }

    /// Whether the limit for all queues together allows one more message in this one. Beyond it, a session may still have
    /// its share of half as much again: those who never read must not take what others need.
    private func hasMemory(for message: RoutedMessage, in place: Int) -> Bool {
        if statistics.queuedBytes + message.size <= limits.totalQueuedBytes { return true }
        let share = limits.totalQueuedBytes / 2 / max(1, sessionByClient.count)
        return sessions[place].bytes + message.size <= share
    }

    /// A message leaves a session undelivered.
    mutating func letGo(_ entry: ServerSession.Entry, of place: Int, _ cause: DropCause) {
        forget(entry, of: place)
        dropped(entry.message, for: sessions[place].clientIdentifier, cause)
    }

    mutating func count(_ message: RoutedMessage, _ sign: Int) {
        statistics.queuedMessages += sign
        statistics.queuedBytes += sign * message.size
    }

    // MARK: To the connection

    /// The driver has got rid of what there was to send: there may be more.
    mutating func flushed(_ id: ConnectionID, at now: NIODeadline) {
        guard let connection = connection(id) else { return }
        connections[id.slot]?.budget = BrokerConnection.fullBudget
        pump(connection.session, at: now)
    }

    /// Sends what a session has, as far as its client and its socket can take it.
    mutating func pump(_ place: Int, at now: NIODeadline) {
        guard let slot = sessions[place].connection else { return }
        while let connection = connections[slot], connection.budget > 0 {
            if let entry = sessions[place].popPassing() {
                count(entry.message, -1)
                if entry.message.isExpired(at: now) {
                    dropped(entry.message, for: connection.information.identifier, .expired)
                } else {
                    send(
                        Delivery(message: entry.message, qos: .atMostOnce, retain: entry.retain), entry.identifiers,
                        on: connection, at: now)
                }
            } else if let entry = sessions[place].next(window: connection.window) {
                send(entry, of: place, on: connection, at: now)
            } else if !deliverRetained(to: place, on: connection, at: now) {
                return
            }
        }
    }

    private mutating func send(
        _ entry: ServerSession.Entry, of place: Int, on connection: BrokerConnection, at now: NIODeadline
    ) {
        if entry.stage == .released {
            return send(.pubrel(Acknowledgement(packetIdentifier: entry.packetIdentifier)), on: connection.id)
        }
        // What may have been sent is completed whatever its age: the client may be waiting for it ([MQTT-3.3.2-5]).
        if entry.mayBeDropped, entry.message.isExpired(at: now) {
            sessions[place].withdraw(entry)
            return letGo(entry, of: place, .expired)
        }
        if entry.isUnsent { journal.sent(sessions[place].id, sequence: entry.sequence) }
        // QoS 0 is done with before it goes out: a later process must not send it again.
        if entry.qos == .atMostOnce { forget(entry, of: place) }
        let isSent = send(
            Delivery(
                message: entry.message, qos: entry.qos, retain: entry.retain, isDuplicate: entry.isDuplicate,
                packetIdentifier: entry.qos > .atMostOnce ? entry.packetIdentifier : nil),
            entry.identifiers, on: connection, isStored: entry.stored > 0, at: now)
        if !isSent, entry.qos > .atMostOnce {
            sessions[place].withdraw(entry)
            forget(entry, of: place)
        }
    }

    private mutating func forget(_ entry: ServerSession.Entry, of place: Int) {
        count(entry.message, -1)
        if storesChanges { journal.dequeue(sessions[place].id, entry) }
    }

    /// - Returns: false when the client takes no packet of that size; it is counted then.
    @discardableResult
    private mutating func send(
        _ delivery: Delivery, _ identifiers: [UInt32], on connection: BrokerConnection, isStored: Bool = false,
        at now: NIODeadline
    ) -> Bool {
        var delivery = delivery
        let message = delivery.message
        if connection.version == .v5 {
            delivery.properties = message.message.properties
            for number in identifiers { delivery.properties.append(.subscriptionIdentifier(number)) }
            if let deadline = message.deadline {
                // Rounded up: 0 would mean that it has expired.
                let left = (deadline - now).nanoseconds
                delivery.properties.messageExpiryInterval = UInt32(
                    clamping: max(1, (left + 999_999_999) / 1_000_000_000))
            }
        }
        if message.size + 16 * identifiers.count + 64 > connection.maximumPacketSize,
            delivery.encodedSize(version: connection.version) > connection.maximumPacketSize
        {
            // As if it had been delivered ([MQTT-3.1.2-25]).
            dropped(message, for: connection.information.identifier, .tooLarge)
            return false
        }
        connections[connection.id.slot]?.budget -= message.size
        statistics.packetsSent += 1
        statistics.messagesSent += 1
        statistics.payloadBytesSent += message.message.payload.readableBytes
        // QoS 2: the identifier must mean this message for ever, also to a later process.
        let waits = isStored && delivery.qos != .atLeastOnce
        effects.append(.deliver(connection.id, delivery, after: waits ? journal.needed : 0))
        return true
    }

    // MARK: Answers

    mutating func acknowledged(_ acknowledgement: Acknowledgement, from id: ConnectionID, at now: NIODeadline) {
        guard let connection = connection(id) else { return }
        switch sessions[connection.session].acknowledged(acknowledgement.packetIdentifier) {
        case .done(let entry): finish(entry, of: connection, acknowledgement.reasonCode)
        case .unexpected: return refuse("PUBACK", acknowledgement.packetIdentifier, on: id, at: now)
        default: break
        }
        pump(connection.session, at: now)
    }

    mutating func recorded(_ acknowledgement: Acknowledgement, from id: ConnectionID, at now: NIODeadline) {
        guard let connection = connection(id) else { return }
        let identifier = acknowledgement.packetIdentifier
        var release = Acknowledgement(packetIdentifier: identifier)
        let isError = acknowledgement.reasonCode.isError
        switch sessions[connection.session].recorded(identifier, isError: isError) {
        case .done(let entry):
            finish(entry, of: connection, acknowledgement.reasonCode)
            return pump(connection.session, at: now)
        case .release(let entry):
            // Before PUBREL goes out: a later process must not send the message again.
            if entry.stored > 0 { note(.released(sessions[connection.session].id, sequence: entry.sequence)) }
            send(.pubrel(release), on: id, durably: entry.stored > 0)
        case .releaseAgain: send(.pubrel(release), on: id, durably: true)
        case .unknown:
            guard !isError else { return }
            if connection.version == .v5 { release.reasonCode = .packetIdentifierNotFound }
            send(.pubrel(release), on: id)
        case .unexpected: refuse("PUBREC", identifier, on: id, at: now)
        }
    }

    mutating func completed(_ acknowledgement: Acknowledgement, from id: ConnectionID, at now: NIODeadline) {
        guard let connection = connection(id) else { return }
        switch sessions[connection.session].completed(acknowledgement.packetIdentifier) {
        // 0x92 only says that the client has finished with it before.
        case .done(let entry): finish(entry, of: connection, .success)
        case .unexpected: return refuse("PUBCOMP", acknowledgement.packetIdentifier, on: id, at: now)
        default: break
        }
        pump(connection.session, at: now)
    }

    /// Passed over, the message would hold its place among those on their way for as long as the connection stands.
    private mutating func refuse(
        _ answer: String, _ identifier: PacketIdentifier, on id: ConnectionID, at now: NIODeadline
    ) {
        refuse(
            .protocolError, "\(answer) is no answer to what packet identifier \(identifier.rawValue) stands for",
            on: id, at: now)
    }

    private mutating func finish(
        _ entry: ServerSession.Entry, of connection: BrokerConnection, _ reason: ReasonCode
    ) {
        forget(entry, of: connection.session)
        let client = connection.information.identifier
        if reason.isError {
            dropped(entry.message, for: client, .refused)
        } else {
            tell(.messageAcknowledged(entry.message.message.topic, client: client))
        }
    }
}
