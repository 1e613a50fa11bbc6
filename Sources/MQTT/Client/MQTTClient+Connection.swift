internal import DequeModule
internal import Logging
internal import MQTTWire
internal import NIOCore
internal import NIOPosix
internal import OpenSSLTransport
internal import WebSocketTransport

// The life of one connection.
extension MQTTClient: ConnectionOwner {
    /// One attempt, from TCP to the end of the connection that came of it.
    func connection(
        to endpoint: Endpoint, version: ProtocolVersion, purpose: Link.Purpose = .using
    ) async -> Link.End {
        link = Link(id: link.id + 1, version: version, purpose: purpose)
        let id = link.id
        link.endpoint = endpoint
        do {
            try await prepare(id)
        } catch {
            if stopping || Task.isCancelled { return .failed(.stopped) }
            return .failed(error as? ConnectFailure ?? .invalid("\(error)"))
        }
        // It may have given something up that makes the session unfit to be resumed.
        if store.outlivesProcess, (try? await store.session()) ?? nil == nil {
            sessionName = nil
        }
        var secure: TLSClientContext?
        if endpoint.transport.isSecure {
            do {
                secure = try await Self.context(configuration.tls)
            } catch let error as TLSError {
                return .failed(.tls(error))
            } catch {
                return .failed(.invalid("\(error)"))
            }
        }
        guard !stopping, !Task.isCancelled else { return .failed(.stopped) }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                link.waiter = continuation
                open(endpoint, secure, id)
            }
        } onCancel: {
            onEventLoop { $0.cancelled(id) }
        }
    }

    /// What the program has to say for CONNECT, if it does in time.
    private func prepare(_ id: Int) async throws {
        guard !stopping else { throw ConnectFailure.stopped }
        let (ask, number, timeout) = (
            configuration.parameters, statistics.connections + 1, configuration.connectTimeout
        )
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let timer = after(timeout) {
                    $0.prepared(id, .failure(ConnectFailure.timedOut(after: timeout, stage: .parameters)))
                }
                link.preparationWaiter = Waiter(continuation: continuation, timer: timer)
                link.preparation = Task {
                    do {
                        let parameters = try await ask(number)
                        guard link.id == id else { return }
                        link.parameters = parameters
                        try await beginAuthentication()
                        prepared(id, .success(()))
                    } catch {
                        prepared(id, .failure(error))
                    }
                }
            }
        } onCancel: {
            onEventLoop { $0.prepared(id, .failure(CancellationError())) }
        }
    }

    func prepared(_ id: Int, _ result: Result<Void, any Error>) {
        guard link.id == id, let waiter = link.preparationWaiter else { return }
        link.preparationWaiter = nil
        link.preparation?.cancel()
        waiter.resume(with: result)
    }

    /// Cancelled rather than stopped: there is no time for more than a goodbye.
    func cancelled(_ id: Int) {
        guard link.id == id else { return }
        disconnect(within: .milliseconds(500))
    }

    private func bootstrap() -> ClientBootstrap {
        let bootstrap = ClientBootstrap(group: eventLoop)
        #if os(Linux)
        // The socket takes no more when so many bytes have not been sent yet (TCP_NOTSENT_LOWAT, tcp(7)): what it takes
        // has then nearly left, even on a slow line, and an alarm waits behind little.
        return bootstrap.channelOption(
            ChannelOptions.Types.SocketOption(level: .tcp, name: NIOBSDSocket.Option(rawValue: 25)), value: 16 * 1024)
        #else
        return bootstrap
        #endif
    }

    /// Made anew each time, so that renewed certificates need no restart; not on the event loop, since it reads files.
    @concurrent private static func context(_ configuration: TLSClientConfiguration) async throws -> TLSClientContext {
        try TLSClientContext(configuration)
    }

    func open(_ endpoint: Endpoint, _ secure: TLSClientContext?, _ id: Int) {
        let maximumPacketSize = configuration.maximumPacketSize
        let version = link.version
        let timeout = configuration.connectTimeout
        if secure != nil { link.handshakes.append(.tls) }
        if endpoint.transport.path != nil { link.handshakes.append(.webSocket) }
        schedule(in: configuration.connectTimeout, on: id) { client in
            let stage = client.link.phase == .opening ? .tcp : client.link.handshakes.first ?? .connack
            client.end(id, .timedOut(after: client.configuration.connectTimeout, stage: stage))
        }
        bootstrap()
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let secure {
                        try channel.pipeline.syncOperations.addHandler(
                            TLSHandler(client: secure, host: endpoint.host, port: endpoint.port))
                    }
                    if let path = endpoint.transport.path {
                        var webSocket = WebSocketClientConfiguration(path: path)
                        webSocket.handshakeTimeout = timeout
                        // MQTT has its own goodbye, and whoever stops does not want to wait for another.
                        webSocket.closeTimeout = .milliseconds(500)
                        try channel.pipeline.syncOperations.addHandler(
                            WebSocketHandler(
                                client: webSocket, host: endpoint.host, port: endpoint.port, isSecure: secure != nil))
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        ConnectionHandler(
                            owner: self, connection: id,
                            decoder: PacketDecoder(version: version, maximumPacketSize: maximumPacketSize)))
                }
            }
            .connect(host: endpoint.host, port: endpoint.port)
            .whenComplete { result in
                self.assumeIsolated { $0.opened(result, on: id) }
            }
    }

    func opened(_ result: Result<any Channel, any Error>, on id: Int) {
        switch result {
        case .failure(let error): end(id, .unreachable(NetworkFailure.text(error)))
        case .success(let channel):
            guard link.id == id, link.phase == .opening else { return channel.close(promise: nil) }
            link.channel = channel
            link.phase = .awaitingConnAck
            do {
                try connect().encode(into: &link.outbound, version: link.version)
                flush()
            } catch {
                end(id, .invalid("\(error)"))
            }
        }
    }

    func handshakeCompleted(connection id: Int) {
        if link.id == id, !link.handshakes.isEmpty { link.handshakes.removeFirst() }
    }

    func connect() -> Packet {
        // A session that the store knows nothing of is not ours to resume unless we are told: its packet identifiers are
        // unknown here. Nor is one that was left behind at another endpoint: it may hold identifiers that were used
        // anew meanwhile, and a new message would be taken for a repetition. Without an identifier there is nothing to
        // resume.
        let identifier = assignedIdentifier ?? configuration.clientIdentifier
        var isOurs = configuration.resumesEarlierSession
        if let sessionName, let endpoint = link.endpoint { isOurs = sessionName == name(of: endpoint, link.version) }
        let isWanted = configuration.sessionExpiry > .zero && !identifier.isEmpty && link.purpose == .using
        // 3.1.1 has no word for "a new session that is to last": it is asked for as if there were one, and must be absent.
        link.wantsNewSession = isWanted && !isOurs && link.version == .v3_1_1
        link.cleanStart = !isWanted || !isOurs && !link.wantsNewSession
        var connect = Connect(
            version: link.version,
            clientIdentifier: identifier,
            cleanStart: link.cleanStart,
            keepAlive: configuration.keepAliveSeconds,
            username: link.parameters.username, password: link.parameters.password,
            will: link.purpose == .using ? link.parameters.will : nil)
        if link.version == .v3_1_1 {
            connect.will?.properties = []
        } else {
            connect.properties = link.parameters.properties
            if configuration.sessionExpiry > .zero {
                connect.properties.sessionExpiryInterval = UInt32(
                    clamping: configuration.sessionExpiry.components.seconds)
            }
            connect.properties.receiveMaximum = UInt16(clamping: max(configuration.receiveMaximum, 1))
            connect.properties.maximumPacketSize = UInt32(clamping: configuration.maximumPacketSize)
            if configuration.topicAliasMaximum > 0 {
                connect.properties.topicAliasMaximum = configuration.topicAliasMaximum
            }
        }
        return .connect(connect)
    }

    func accepted(_ connack: ConnAck) {
        let id = link.id
        guard let endpoint = link.endpoint else { return }
        if connack.reasonCode.isError {
            link.serverReference = connack.properties.serverReference
            return end(id, .refused(connack.reasonCode, explanation: connack.properties.reasonString))
        }
        if connack.sessionPresent, link.cleanStart {
            return end(id, ConnectFailure.protocolError("session present after a clean start (MQTT-3.2.2-2)"))
        }
        guard finishAuthentication(connack) else { return }
        if link.purpose == .clearing { return leave(.cleared) }
        if connack.sessionPresent, link.wantsNewSession { return leave(.stranger) }
        link.cancelTimers()
        statistics.connections += 1
        if let assigned = connack.properties.assignedClientIdentifier { assignedIdentifier = assigned }
        var limits = ServerLimits(connack.properties)
        limits.maximumQoS = min(limits.maximumQoS, configuration.maximumQoS)
        let resumption = session.connected(
            sessionPresent: connack.sessionPresent, limits: limits, version: link.version)
        statistics.repeated += resumption.repeated
        statistics.possibleDuplicates += resumption.possibleDuplicates
        let keepAlive = connack.properties.serverKeepAlive ?? configuration.keepAliveSeconds
        link.phase = .up
        link.upSince = .now
        link.lastProgress = .now
        link.isWritable = link.channel?.isWritable ?? false
        link.takesSubscriptionIdentifiers = connack.properties.subscriptionIdentifiersAvailable ?? true
        link.responseInformation = connack.properties.responseInformation
        link.keepAlive = KeepAlive(
            interval: .seconds(Int(keepAlive)), responseTimeout: configuration.responseTimeout, now: .now)
        if readingPaused { setReading(false) }
        watch()
        scheduleReturn()
        let result = ConnectResult(
            endpoint: endpoint, number: statistics.connections, sessionPresent: connack.sessionPresent,
            resumption: resumption, properties: connack.properties)
        logger.info(
            "connected",
            metadata: [
                "broker": "\(endpoint)", "connection": "\(result.number)", "session": "\(result.sessionPresent)",
            ])
        failures.reset()
        eventContinuation.yield(.connected(result))
        if let birth = link.parameters.birth {
            lastToken += 1
            direct.prepend((lastToken, birth))
        }
        resumesEarlierProcess = connack.sessionPresent && (resumesEarlierProcess || statistics.connections == 1)
        let name = name(of: endpoint, link.version)
        if !connack.sessionPresent { steps = ExchangeSteps() }
        if let immediate {
            immediate.connectionBegan()
            sessionName = name
            return begin(sessionPresent: connack.sessionPresent)
        }
        // The store has to know first: what it calls released, a new session has never seen.
        let isNew = store.outlivesProcess && !connack.sessionPresent
        if isNew {
            sessionName = nil
            for index in ready.indices { ready[index].isReleased = false }
        }
        announce(id, isNew ? name : nil) { client in
            // What was asked for before came with the old session's word.
            if isNew { for index in client.ready.indices { client.ready[index].isReleased = false } }
            client.sessionName = name
            client.begin(sessionPresent: connack.sessionPresent)
        }
    }

    /// Tells the store of a new connection, and of the session that begins with it, if one does.
    private func announce(
        _ id: Int, _ newSession: Int64?, then body: @escaping @Sendable (isolated MQTTClient) -> Void
    ) {
        let (previous, noting) = (beginning, noting)
        beginning = Task {
            await previous?.value
            await noting?.value
            do {
                if let newSession { try await store.beginSession(newSession) }
            } catch {
                // D3: what it believes to be released must not be taken for a message of the new session.
                logger.error("the store does not note the new session", metadata: ["error": "\(error)"])
                _ = after(.seconds(1)) {
                    if $0.link.id == id, $0.link.isUp { $0.announce(id, newSession, then: body) }
                }
                return
            }
            do {
                try await store.connectionBegan()
            } catch {
                logger.error("the store does not note the new connection", metadata: ["error": "\(error)"])
            }
            if link.id == id, link.isUp { body(self) }
        }
    }

    private func begin(sessionPresent: Bool) {
        link.mayPublish = true
        // First the birth, so that who subscribes to its own topic is told of this connection and not of the last one.
        storeMayHaveMore = true
        pump()
        subscribeAgain(sessionPresent: sessionPresent)
        noteSteps()
        flush()
    }

    /// A session's name: where it is, and whose (FNV-1a).
    func name(of endpoint: Endpoint, _ version: ProtocolVersion) -> Int64 {
        let place = configuration.endpointsShareSessions ? "cluster" : "\(endpoint)"
        let text = "\(version) \(place) \(assignedIdentifier ?? configuration.clientIdentifier)"
        let hash = text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return Int64(bitPattern: hash)
    }
}
