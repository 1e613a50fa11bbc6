internal import DequeModule
internal import MQTTWire
internal import NIOCore

// Clients inside this program.
extension MQTTServer {
    /// Connects a client without a socket, for a bridge or another part of the same program. It may do everything.
    ///
    /// - Parameters:
    ///   - identifier: clients over the network cannot use it at the same time.
    ///   - cleanStart: begins a new session; otherwise goes on with the one that there is.
    ///   - sessionExpiry: how long the session outlives the connection.
    ///   - maximumInFlight: QoS 1 and 2 messages that its reader has not acknowledged, in the place of
    ///     ``ServerLimits/maximumInFlight``; for readers that take many together.
    ///   - losesNothing: publishers wait for this reader: while half of what its session may hold waits for it, nothing is
    ///     read from any client over the network. Otherwise, and while it is not connected, what comes beyond
    ///     ``ServerLimits/queuedMessages`` and ``ServerLimits/queuedBytes`` is dropped, as for every client.
    /// - Throws: ``ServerError/Code/notRunning``; ``ServerError/Code/refused`` by the limit of sessions.
    public func connectLocal(
        identifier: String, cleanStart: Bool = true, sessionExpiry: Duration = .zero,
        maximumInFlight: Int? = nil, losesNothing: Bool = false
    ) async throws -> LocalClient {
        try checkRunning()
        var connect = Connect(version: .v5, clientIdentifier: identifier, cleanStart: cleanStart, keepAlive: 0)
        if sessionExpiry > .zero {
            connect.properties.sessionExpiryInterval = UInt32(clamping: sessionExpiry.components.seconds)
        }
        let connection = LocalConnection(id: connections.nextID, clientIdentifier: identifier)
        connections.insert(.local(connection))
        localClients[identifier] = connection.id
        let client = AcceptedClient(
            information: ClientInformation(identifier: identifier, version: .v5, listener: "local", address: ""),
            maximumPacketSize: limits.maximumPacketSize, topicAliasMaximum: 0, maximumInFlight: maximumInFlight,
            isExacting: losesNothing)
        let id = connection.id
        if losesNothing { exactingReaders.append(id) }
        var nextNumber: Int64 = 0
        let connack = await withCheckedContinuation { continuation in
            connection.connecting = continuation
            let now = NIODeadline.now()
            broker.connect(connect, client, on: id, at: now)
            nextNumber = broker.sessionByClient[identifier].map { broker.sessions[$0].nextSequence } ?? 0
            drain(at: now)
        }
        guard let connack, !connack.reasonCode.isError else {
            throw ServerError(
                .refused, "the client \"\(identifier)\" was refused: \(connack?.reasonCode ?? .serverShuttingDown)")
        }
        return LocalClient(
            server: self, id: id, identifier: identifier, isSessionPresent: connack.sessionPresent,
            nextNumber: nextNumber)
    }

    func disconnectLocal(_ id: ConnectionID) {
        guard connections.local(id) != nil else { return }
        let now = NIODeadline.now()
        broker.receive(.disconnect(Disconnect()), from: id, at: now)
        drain(at: now)
    }

    // MARK: From the client

    func request(on id: ConnectionID, _ make: (PacketIdentifier) -> Packet) async throws -> [ReasonCode] {
        while let connection = connections.local(id), connection.requests.count >= max(1, limits.receiveMaximum) {
            await withCheckedContinuation { connection.queue.append($0) }
        }
        guard let connection = connections.local(id), !connection.isEnded else { throw Self.ended }
        let identifier = connection.newIdentifier()
        let codes = await withCheckedContinuation { continuation in
            connection.requests[identifier] = continuation
            let now = NIODeadline.now()
            broker.receive(make(identifier), from: id, at: now)
            drain(at: now)
        }
        guard let codes else { throw Self.ended }
        return codes
    }

    func publish(_ message: ServerMessage, on id: ConnectionID) async throws -> ReasonCode {
        try message.checkProperties()
        let make = { (identifier: PacketIdentifier?) in
            Packet.publish(
                Publish(
                    topic: message.topic, payload: message.payload, qos: message.qos, retain: message.retain,
                    packetIdentifier: identifier, properties: message.properties))
        }
        if message.qos > .atMostOnce { return try await request(on: id, make).first ?? .success }
        guard connections.local(id) != nil else { throw Self.ended }
        let now = NIODeadline.now()
        broker.receive(make(nil), from: id, at: now)
        drain(at: now)
        return .success
    }

    private static var ended: ServerError { ServerError(.refused, "the local client's connection has ended") }

    // MARK: To the client

    /// - Parameter batch: what must be on disk before.
    func deliver(_ packet: Packet, to connection: LocalConnection, after batch: Int) {
        guard connection.held.isEmpty, batch <= committed else {
            connection.held.append((max(batch, connection.held.last?.batch ?? 0), packet))
            awaited = max(awaited, batch)
            if !holdingLocal.contains(connection.id) { holdingLocal.append(connection.id) }
            return
        }
        take(packet, connection)
    }

    /// The store has come so far.
    func releaseLocal(committed batch: Int) {
        let ids = holdingLocal
        holdingLocal.removeAll()
        for id in ids {
            guard let connection = connections.local(id) else { continue }
            while let first = connection.held.first, first.batch <= batch {
                connection.held.removeFirst()
                take(first.packet, connection)
            }
            if !connection.held.isEmpty { holdingLocal.append(id) }
        }
        drain(at: .now())
    }

    private func take(_ packet: Packet, _ connection: LocalConnection) {
        switch packet {
        case .connack(let connack):
            connection.connecting?.resume(returning: connack)
            connection.connecting = nil
        case .publish(let publish): take(publish, connection)
        case .puback(let answer), .pubcomp(let answer):
            resume(answer.packetIdentifier, [answer.reasonCode], connection)
        case .pubrec(let answer):
            if answer.reasonCode.isError {
                resume(answer.packetIdentifier, [answer.reasonCode], connection)
            } else {
                let release = Acknowledgement(packetIdentifier: answer.packetIdentifier)
                broker.receive(.pubrel(release), from: connection.id, at: .now())
            }
        case .pubrel(let release):
            let completion = Acknowledgement(packetIdentifier: release.packetIdentifier)
            broker.receive(.pubcomp(completion), from: connection.id, at: .now())
        case .suback(let answer): resume(answer.packetIdentifier, answer.reasonCodes, connection)
        case .unsuback(let answer): resume(answer.packetIdentifier, answer.reasonCodes, connection)
        case .connect, .subscribe, .unsubscribe, .pingreq, .pingresp, .disconnect, .auth: break
        }
    }

    private func take(_ publish: Publish, _ connection: LocalConnection) {
        if let reader = connection.reader {
            connection.reader = nil
            reader.resume(returning: publish)
        } else {
            connection.inbox.append(publish)
            connection.inboxBytes += publish.payload.readableBytes + 64
        }
        if connection.inboxBytes > LocalConnection.inboxLimit {
            connection.isDrained = false
        } else if !connection.isDirty {
            connection.isDirty = true
            dirty.append(connection.id)
        }
    }

    private func resume(_ identifier: PacketIdentifier, _ codes: [ReasonCode], _ connection: LocalConnection) {
        connection.requests.removeValue(forKey: identifier)?.resume(returning: codes)
        connection.queue.popFirst()?.resume()
    }

    // MARK: The reader

    /// Lets publishers wait for readers that must get everything.
    func watchReaders() {
        let level = exactingReaders.reduce(0) { max($0, broker.fillLevel(of: $1)) }
        guard isReaderBehind ? level < 0.25 : level >= 0.5 else { return }
        isReaderBehind.toggle()
        pauseAll(.reader, isReaderBehind)
    }

    func nextMessage(on id: ConnectionID) async -> Publish? {
        guard let connection = connections.local(id) else { return nil }
        if let publish = popInbox(of: connection) {
            return publish
        }
        guard connection.reader == nil else { return nil }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled { return continuation.resume(returning: nil) }
                // The way here may lead off the event loop: what has come meanwhile goes before what is still to come.
                if let publish = popInbox(of: connection) { return continuation.resume(returning: publish) }
                if connection.isEnded { return continuation.resume(returning: nil) }
                connection.reader = continuation
            }
        } onCancel: {
            onEventLoop { server in
                guard let connection = server.connections.local(id) else { return }
                connection.reader?.resume(returning: nil)
                connection.reader = nil
            }
        }
    }

    private func popInbox(of connection: LocalConnection) -> Publish? {
        guard let publish = connection.inbox.popFirst() else { return nil }
        connection.inboxBytes -= publish.payload.readableBytes + 64
        if !connection.isDrained, connection.inboxBytes < LocalConnection.inboxLimit / 2 {
            connection.isDrained = true
            broker.flushed(connection.id, at: .now())
            drain(at: .now())
        }
        return publish
    }

    /// The broker has let go of it. What its reader has not taken goes with it.
    func end(_ connection: LocalConnection) {
        guard !connection.isEnded else { return }
        connection.isEnded = true
        if localClients[connection.clientIdentifier] == connection.id {
            localClients[connection.clientIdentifier] = nil
        }
        connection.connecting?.resume(returning: nil)
        connection.connecting = nil
        for request in connection.requests.values { request.resume(returning: nil) }
        connection.requests = [:]
        for waiter in connection.queue { waiter.resume() }
        connection.queue = []
        connection.reader?.resume(returning: nil)
        connection.reader = nil
        connections.remove(connection.id)
        exactingReaders.removeAll { $0 == connection.id }
        if connections.count == 0 { resumeEmptyWaiter() }
    }
}
