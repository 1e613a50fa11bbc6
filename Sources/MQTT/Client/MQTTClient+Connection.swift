internal import DequeModule
internal import Logging
internal import MQTTWire
internal import NIOCore
internal import NIOPosix
internal import Units

// The life of connections.
extension MQTTClient: ConnectionOwner {
    /// Connects, and connects again whenever the connection ends, until the task is cancelled or ``disconnect()`` is
    /// called. To be called once.
    ///
    /// A server that answers with a refusal (a wrong password) is asked again too, at the slowest pace: passwords get
    /// mended, and nobody should have to climb to a board.
    public func run() async {
        precondition(link.id == 0 || stopping, "MQTTClient.run() is to be called once")
        var backoff = configuration.backoff
        var generator = SystemRandomNumberGenerator()
        var attempt = 0
        while !stopping, !Task.isCancelled, !configuration.endpoints.isEmpty {
            let endpoint = configuration.endpoints[attempt % configuration.endpoints.count]
            attempt += 1
            let delay: Duration
            switch await connection(to: endpoint) {
            case .failed(.stopped): continue
            case .failed(let failure):
                delay = backoff.delay(after: failure.isRefusal ? .refused : .notConnected, using: &generator)
                logger.warning(
                    "not connected",
                    metadata: ["broker": "\(endpoint)", "reason": "\(failure)", "retry-in": "\(delay.compact)"])
                eventContinuation.yield(.connectFailed(endpoint, failure, retryIn: delay))
            case .ended(let reason, let uptime):
                let ending = stopping || Task.isCancelled
                delay = backoff.delay(after: .ended(after: uptime), using: &generator)
                logger.log(
                    level: ending ? .info : .warning, "disconnected",
                    metadata: ["broker": "\(endpoint)", "reason": "\(reason)"].merging(
                        ending ? [:] : ["retry-in": "\(delay.compact)"], uniquingKeysWith: { $1 }))
                if reason == .closed, backoff.failures == 4 {
                    logger.warning(
                        "connections are accepted and soon closed: does another client use the same identifier?",
                        metadata: ["client": "\(assignedIdentifier ?? configuration.clientIdentifier)"])
                }
                eventContinuation.yield(.disconnected(reason, retryIn: ending ? nil : delay))
                if ending { continue }
                // The endpoint was good for a while: it is the first to be asked again.
                if uptime >= backoff.stableAfter { attempt -= 1 }
            }
            await pause(delay)
        }
        // A message that was acknowledged must not wait in the store for the next process, which would repeat it.
        await tellingStore?.value
        // Nothing of ours may come back to an event loop that its owner shuts down when this returns.
        await fetching?.value
        finish()
    }

    /// Says goodbye to the server, which then forgets the will, and ends ``run()``.
    ///
    /// - Parameters:
    ///   - deadline: after it the connection is closed even when the goodbye could not be written.
    ///   - keepingWill: the server is to publish the will all the same (5.0 §3.14.2.1, reason 0x04). Under 3.1.1,
    ///     which cannot say so, the connection is closed without a goodbye.
    public func disconnect(within deadline: Duration = .seconds(2), keepingWill: Bool = false) {
        stopping = true
        endPause()
        let id = link.id
        // Said goodbye already: only the deadline may come earlier.
        if link.phase == .closing { return schedule(in: deadline, on: id) { $0.end(id, .requested) } }
        guard link.isUp, let channel = link.channel else { return end(id, .stopped) }
        if keepingWill, configuration.version == .v3_1_1 { return end(id, .requested) }
        send(.disconnect(Disconnect(reasonCode: keepingWill ? .disconnectWithWill : .normalDisconnection)))
        link.phase = .closing
        link.cancelTimers()
        schedule(in: deadline, on: id) { $0.end(id, .requested) }
        let bytes = link.outbound
        link.outbound = ByteBuffer()
        channel.writeAndFlush(bytes).whenComplete { [weak self] _ in
            self?.assumeIsolated { $0.end(id, .requested) }
        }
    }

    private func finish() {
        stopping = true
        for token in Array(waiters.keys) { resume(token, throwing: ClientError.stopped) }
        for waiter in requestWaiters.values { waiter.resume(with: .failure(ClientError.stopped)) }
        requestWaiters.removeAll()
        eventContinuation.finish()
        messageSource.finish()
        readerBell.client = nil
    }

    private func pause(_ delay: Duration) async {
        guard !stopping else { return }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                pauseWaiter = continuation
                pauseTimer = after(delay) { $0.endPause() }
            }
        } onCancel: {
            onEventLoop { $0.endPause() }
        }
    }

    private func endPause() {
        pauseTimer?.cancel()
        pauseTimer = nil
        pauseWaiter?.resume()
        pauseWaiter = nil
    }

    // MARK: One connection

    /// One attempt, from TCP to the end of the connection that came of it.
    private func connection(to endpoint: Endpoint) async -> Link.End {
        link = Link(id: link.id + 1)
        let id = link.id
        link.endpoint = endpoint
        do {
            link.parameters = try await configuration.parameters(statistics.connections + 1)
        } catch {
            return .failed(.invalid("\(error)"))
        }
        guard !stopping, !Task.isCancelled else { return .failed(.stopped) }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                link.waiter = continuation
                open(endpoint, id)
            }
        } onCancel: {
            onEventLoop { $0.cancelled(id) }
        }
    }

    /// Cancelled rather than stopped: there is no time for more than a goodbye.
    private func cancelled(_ id: Int) {
        guard link.id == id else { return }
        disconnect(within: .milliseconds(500))
    }

    private func open(_ endpoint: Endpoint, _ id: Int) {
        let maximumPacketSize = configuration.maximumPacketSize
        let version = configuration.version
        schedule(in: configuration.connectTimeout, on: id) { client in
            let stage: ConnectFailure.Stage = client.link.phase == .opening ? .tcp : .connack
            client.end(id, .timedOut(after: client.configuration.connectTimeout, stage: stage))
        }
        ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        ByteToMessageHandler(
                            PacketDecoder(version: version, maximumPacketSize: maximumPacketSize)),
                        ConnectionHandler(owner: self, connection: id),
                    ])
                }
            }
            .connect(host: endpoint.host, port: endpoint.port)
            .whenComplete { result in
                self.assumeIsolated { $0.opened(result, on: id) }
            }
    }

    private func opened(_ result: Result<any Channel, any Error>, on id: Int) {
        switch result {
        case .failure(let error): end(id, .unreachable(NetworkFailure.text(error)))
        case .success(let channel):
            guard link.id == id, link.phase == .opening else { return channel.close(promise: nil) }
            link.channel = channel
            link.phase = .awaitingConnAck
            do {
                try connect().encode(into: &link.outbound, version: configuration.version)
                flush()
            } catch {
                end(id, .invalid("\(error)"))
            }
        }
    }

    private func connect() -> Packet {
        // The session of an earlier process is not ours to resume: its packet identifiers are unknown here. Under
        // 3.1.1 this means that the server keeps a session from the second connection on only.
        // Nor is one that was left behind at another endpoint: it may hold identifiers that were used anew meanwhile,
        // and a new message would be taken for a repetition. Without an identifier there is nothing to resume.
        let identifier = assignedIdentifier ?? configuration.clientIdentifier
        link.cleanStart =
            link.endpoint != sessionEndpoint || configuration.sessionExpiry == .zero || identifier.isEmpty
        var connect = Connect(
            version: configuration.version,
            clientIdentifier: identifier,
            cleanStart: link.cleanStart,
            keepAlive: configuration.keepAliveSeconds,
            username: link.parameters.username, password: link.parameters.password, will: link.parameters.will)
        if configuration.version == .v5 {
            if configuration.sessionExpiry > .zero {
                connect.properties.sessionExpiryInterval = UInt32(
                    clamping: configuration.sessionExpiry.components.seconds)
            }
            connect.properties.receiveMaximum = UInt16(clamping: session.receiveMaximum)
            connect.properties.maximumPacketSize = UInt32(clamping: configuration.maximumPacketSize)
        }
        return .connect(connect)
    }

    // MARK: What the channel says

    func received(_ packet: Packet, on id: Int) {
        guard link.id == id else { return }
        switch link.phase {
        case .awaitingConnAck:
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

    private func accepted(_ connack: ConnAck) {
        let id = link.id
        guard let endpoint = link.endpoint else { return }
        if connack.reasonCode.isError {
            return end(id, .refused(connack.reasonCode, explanation: connack.properties.reasonString))
        }
        if connack.sessionPresent, link.cleanStart {
            return end(id, ConnectFailure.protocolError("session present after a clean start (MQTT-3.2.2-2)"))
        }
        link.cancelTimers()
        statistics.connections += 1
        sessionEndpoint = endpoint
        if let assigned = connack.properties.assignedClientIdentifier { assignedIdentifier = assigned }
        let resumption = session.connected(
            sessionPresent: connack.sessionPresent, limits: ServerLimits(connack.properties))
        statistics.repeated += resumption.repeated
        statistics.possibleDuplicates += resumption.possibleDuplicates
        let keepAlive = connack.properties.serverKeepAlive ?? configuration.keepAliveSeconds
        link.phase = .up
        link.upSince = .now
        link.lastProgress = .now
        link.isWritable = link.channel?.isWritable ?? false
        link.keepAlive = KeepAlive(
            interval: .seconds(Int(keepAlive)), responseTimeout: configuration.responseTimeout, now: .now)
        if readingPaused { setReading(false) }
        watch()
        let result = ConnectResult(
            endpoint: endpoint, number: statistics.connections, sessionPresent: connack.sessionPresent,
            resumption: resumption, properties: connack.properties)
        logger.info(
            "connected",
            metadata: [
                "broker": "\(endpoint)", "connection": "\(result.number)", "session": "\(result.sessionPresent)",
            ])
        eventContinuation.yield(.connected(result))
        if let birth = link.parameters.birth {
            lastToken += 1
            direct.prepend((lastToken, birth))
        }
        subscribeAgain(sessionPresent: connack.sessionPresent)
        storeDidChange()
        flush()
    }

    private func handle(_ packet: Packet) throws(ProtocolViolation) {
        switch packet {
        case .publish(let publish): deliver(try session.received(publish: publish))
        case .puback(let puback):
            if let completion = try session.received(puback: puback) { complete(completion) }
        case .pubrec(let pubrec):
            switch try session.received(pubrec: pubrec) {
            case .send(let pubrel): send(.pubrel(pubrel))
            case .completed(let completion): complete(completion)
            }
        case .pubcomp(let pubcomp):
            if let completion = try session.received(pubcomp: pubcomp) { complete(completion) }
        case .pubrel(let pubrel): send(.pubcomp(session.received(pubrel: pubrel)))
        case .suback(let suback):
            try session.received(suback: suback)
            answered(suback.packetIdentifier, suback.reasonCodes)
        case .unsuback(let unsuback):
            try session.received(unsuback: unsuback)
            answered(unsuback.packetIdentifier, unsuback.reasonCodes)
        case .pingresp:
            link.keepAlive?.pingResponseReceived()
            // The alarm was set for the end of our patience; the next ping may be due before.
            watch()
        case .disconnect(let disconnect):
            end(
                link.id,
                .byServer(disconnect.reasonCode, explanation: disconnect.properties.reasonString))
        case .connack, .connect, .subscribe, .unsubscribe, .pingreq, .auth:
            throw ProtocolViolation("a packet that a server may not send now: \(packet.type)")
        }
    }

    private func deliver(_ incoming: Session.Incoming) {
        switch incoming {
        case .repeated(let answer): send(answer)
        case .deliver(let publish, let answer):
            guard let topic = publish.topic else { return }
            statistics.received += 1
            if hasReader {
                let message = ReceivedMessage(
                    topic: topic, payload: publish.payload, qos: publish.qos, retain: publish.retain,
                    duplicate: publish.duplicate, properties: publish.properties)
                switch messageSource.yield(message) {
                case .produceMore: break
                case .stopProducing where readingPaused: break
                case .stopProducing:
                    readingPaused = true
                    setReading(false)
                    watch()
                case .dropped: statistics.receivedUnread += 1
                }
            } else {
                statistics.receivedUnread += 1
            }
            if let answer { send(answer) }
        }
    }

    func resumeReading() {
        guard readingPaused else { return }
        readingPaused = false
        pardonSilence(at: .now)
        setReading(true)
    }

    private func setReading(_ on: Bool) {
        link.channel?.setOption(.autoRead, value: on).whenFailure { _ in }
    }

    /// While nothing is read, neither the answer to a ping nor an acknowledgement can have come.
    private func pardonSilence(at now: ContinuousClock.Instant) {
        link.keepAlive?.bytesReceived(at: now)
        link.keepAlive?.pingResponseReceived()
        link.lastProgress = now
    }

    func readCompleted(on id: Int) {
        guard link.id == id, link.isUp else { return }
        link.keepAlive?.bytesReceived(at: .now)
        tellStore()
        pump()
        flush()
    }

    func writabilityChanged(to isWritable: Bool, on id: Int) {
        guard link.id == id else { return }
        link.isWritable = isWritable
        if isWritable { pump() }
    }

    func failed(_ error: any Error, on id: Int) {
        guard link.id == id else { return }
        switch error {
        case let error as DecodingError where link.phase == .awaitingConnAck && error.isConnAckOfOlderVersion:
            end(id, .refused(.unsupportedProtocolVersion, explanation: "it answers as MQTT 3.1.1 does"))
        case let error as DecodingError:
            breakOff(ProtocolViolation("\(error)", reasonCode: error.reasonCode))
        default:
            switch link.phase {
            case .up: end(id, .network(NetworkFailure.text(error)))
            case .closing: end(id, .requested)
            case .opening, .awaitingConnAck, .ended: end(id, .unreachable(NetworkFailure.text(error)))
            }
        }
    }

    func closed(connection id: Int) {
        guard link.id == id else { return }
        switch link.phase {
        case .up: end(id, DisconnectReason.closed)
        case .closing: end(id, .requested)
        case .opening, .awaitingConnAck, .ended: end(id, ConnectFailure.closed)
        }
    }

    /// The server broke the protocol: tell it, if the version can, and close (5.0 §4.13).
    private func breakOff(_ violation: ProtocolViolation) {
        let id = link.id
        if link.phase == .closing { return end(id, .requested) }
        guard link.isUp else { return end(id, ConnectFailure.protocolError(violation.description)) }
        if configuration.version == .v5 {
            send(.disconnect(Disconnect(reasonCode: violation.reasonCode)))
            flush()
        }
        end(id, DisconnectReason.protocolError(violation.description))
    }

    // MARK: Watching

    /// Looks after keep-alive and acknowledgements, and sets the alarm for the next look.
    private func watch() {
        guard link.isUp else { return }
        let id = link.id
        let now = ContinuousClock.now
        // While the reader holds us up, the silence is ours.
        if readingPaused { pardonSilence(at: now) }
        var next = now + .seconds(3600)
        if session.inFlight > 0 {
            let deadline = link.lastProgress + configuration.acknowledgementTimeout
            if now >= deadline { return end(id, .acknowledgementTimeout) }
            next = min(next, deadline)
        } else {
            next = min(next, now + configuration.acknowledgementTimeout)
        }
        switch link.keepAlive?.check(at: now) {
        case .ping:
            send(.pingreq)
            flush()
            if readingPaused { pardonSilence(at: now) }
            if case .wait(let until) = link.keepAlive?.check(at: now) { next = min(next, until) }
        case .expired: return end(id, .keepAliveTimeout)
        case .wait(let until): next = min(next, until)
        case .off, nil: break
        }
        link.cancelTimers()
        schedule(in: max(next - now, .milliseconds(1)), on: id) { $0.watch() }
    }

    private func schedule(in delay: Duration, on id: Int, _ body: @escaping @Sendable (isolated MQTTClient) -> Void) {
        link.timers.append(after(delay) { if $0.link.id == id { body($0) } })
    }

    // MARK: The end

    private func end(_ id: Int, _ failure: ConnectFailure) { end(id, .failed(failure)) }

    func end(_ id: Int, _ reason: DisconnectReason) {
        end(id, .ended(reason, after: link.upSince.duration(to: .now)))
    }

    /// The first reason counts; what comes after it is only its consequence.
    private func end(_ id: Int, _ end: Link.End) {
        guard link.id == id, link.phase != .ended else { return }
        let wasUp = link.isUp || link.phase == .closing
        link.phase = .ended
        link.cancelTimers()
        link.channel?.close(promise: nil)
        link.channel = nil
        if wasUp {
            // What the socket has not taken goes first on the next connection.
            ready.prepend(contentsOf: link.unwritten)
            link.unwritten.removeAll()
            session.connectionLost()
            tellStore()
            connectionLost()
        }
        link.waiter?.resume(returning: end)
        link.waiter = nil
    }

    private func connectionLost() {
        // Whoever wanted "now" is told that now has passed; what was sent may still be acknowledged later.
        direct.removeAll()
        let stored = Set(storedWaiters.values)
        for token in Array(waiters.keys) where !stored.contains(token) {
            resume(token, throwing: ClientError.connectionLost)
        }
        sentRequests.removeAll()
        renewals.removeAll()
    }
}

extension DecodingError {
    /// A server that does not know 5.0 answers in the form of 3.1.1, without properties (5.0 §3.1.2.2).
    fileprivate var isConnAckOfOlderVersion: Bool {
        guard version == .v5, packet == .connack else { return false }
        return rule == .truncated || rule == .reasonCodeNotAllowed && (1...5).contains(found ?? 0)
    }
}
