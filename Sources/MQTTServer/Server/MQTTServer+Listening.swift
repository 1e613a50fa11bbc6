internal import Logging
internal import MQTTWire
internal import NIOCore
internal import NIOPosix
internal import OpenSSLTransport
internal import WebSocketTransport

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

// Listeners, and connections before their CONNECT.
extension MQTTServer {
    func check() throws(ServerError) {
        var names: Set<String> = []
        for listener in configuration.listeners where !names.insert(listener.name).inserted {
            throw ServerError(
                .invalidSetting, listener: listener.name, "there are two listeners of this name; give each its own")
        }
    }

    /// Connections need a file descriptor each.
    func warnOfFewFiles() {
        var limit = rlimit()
        #if canImport(Glibc)
        let result = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #else
        let result = getrlimit(RLIMIT_NOFILE, &limit)
        #endif
        guard result == 0, limit.rlim_cur < UInt(limits.maximumConnections + 64) else { return }
        logger.notice(
            "fewer files may be open than there may be connections; raise the limit (ulimit -n, LimitNOFILE= of systemd)",
            metadata: ["files": "\(limit.rlim_cur)", "connections": "\(limits.maximumConnections)"])
    }

    /// Files are read, so not on the event loop.
    @concurrent static func contexts(_ listeners: [Listener]) async throws(ServerError) -> [TLSServerContext?] {
        var contexts: [TLSServerContext?] = []
        for listener in listeners {
            do throws(TLSError) {
                contexts.append(try listener.tls.map { tls throws(TLSError) in try TLSServerContext(tls) })
            } catch {
                throw ServerError(.tls, listener: listener.name, "\(error)")
            }
        }
        return contexts
    }

    /// From here on the channels own the sockets.
    func listen(_ sockets: [[BoundSocket]]) async throws {
        var rest = sockets.enumerated().flatMap { door, sockets in sockets.map { (door, $0) } }[...]
        while let (door, socket) = rest.popFirst() {
            do {
                doors[door].channels.append(try await listen(socket, door))
            } catch {
                // SwiftNIO has closed this one.
                if let path = socket.address.pathname { unlink(path) }
                for (_, socket) in rest { socket.abandon() }
                throw ServerError(.cannotListen, listener: doors[door].name, "cannot listen: \(error)")
            }
            logger.info(
                "listening",
                metadata: [
                    "listener": "\(doors[door].name)",
                    "address": "\(socket.address.peerText ?? socket.address.pathname ?? "")",
                ])
        }
    }

    private func listen(_ socket: BoundSocket, _ door: Int) async throws -> any Channel {
        let channel = try await ServerBootstrap(group: eventLoop)
            .serverChannelOption(.maxMessagesPerRead, value: 32)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptErrorHandler(server: self, door: door))
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try self.assumeIsolated { try $0.accept(channel, at: door) }
                }
            }
            .withBoundSocket(socket.descriptor).get()
        // SwiftNIO has chosen a backlog of its own.
        socket.listen(backlog: doors[door].listener.backlog)
        return channel
    }

    func closeDoors() async {
        for index in doors.indices {
            // While it is ours: once it is closed, another process may put its own there.
            if case .unix(let path) = doors[index].listener.address, !doors[index].channels.isEmpty { unlink(path) }
            for channel in doors[index].channels { try? await channel.close().get() }
            doors[index].channels = []
        }
    }

    // MARK: Accepting

    /// - Throws: when the connection is not wanted; SwiftNIO closes it then.
    private func accept(_ channel: any Channel, at place: Int) throws {
        let door = doors[place]
        broker.statistics.socketConnections += 1
        guard phase == .running, networkConnections < limits.maximumConnections,
            door.connections < door.listener.maximumConnections ?? .max
        else {
            refused(.serverBusy, "too many connections", address: address(of: channel), listener: door.name)
            throw ChannelError.ioOnClosedChannel
        }
        var handlers: [any ChannelHandler] = []
        if let secure = door.secure { handlers.append(try TLSHandler(server: secure)) }
        if door.listener.speech == .webSocket {
            handlers.append(WebSocketHandler(server: configuration.webSocket))
        }
        let options = channel.syncOptions
        try options?.setOption(.maxMessagesPerRead, value: 1)
        try options?.setOption(.recvAllocator, value: ReceiveBuffers(receiveBuffers))
        try options?.setOption(.writeBufferWaterMark, value: .init(low: 32 << 10, high: 128 << 10))
        let connection = ClientConnection(
            server: self, id: connections.nextID, door: door, channel: channel, speech: door.listener.speech,
            decoder: PacketDecoder(maximumPacketSize: limits.maximumConnectSize))
        connections.insert(.remote(connection))
        networkConnections += 1
        door.connections += 1
        handlers.append(connection)
        try channel.pipeline.syncOperations.addHandlers(handlers)
        connection.deadline = greetings.begin(connection.id, at: .now())
        schedulePatience()
    }

    func acceptFailed(_ error: any Error, at door: Int) {
        refused(.serverBusy, "the system gives no connection: \(error)", address: "", listener: doors[door].name)
    }

    func address(of channel: any Channel) -> String {
        channel.remoteAddress?.peerText ?? channel.localAddress?.pathname ?? ""
    }

    /// The channel is gone.
    func closed(_ id: ConnectionID) {
        guard let connection = connections.remote(id) else { return }
        let now = NIODeadline.now()
        let door = connection.door
        switch connection.phase {
        case .greeting, .authenticating, .admitting:
            if let ending = connection.ending {
                if phase == .running {
                    refused(nil, ending, address: address(of: connection.channel), listener: door.name)
                }
            } else {
                // Such as a look whether somebody listens: not worth a line.
                broker.statistics.connectionsRefused += 1
                logger.debug("closed before CONNECT", metadata: ["listener": "\(door.name)"])
            }
        case .up:
            broker.closed(id, at: now)
            logEnd(of: connection)
        case .closing: logEnd(of: connection)
        }
        connection.phase = .closing
        inputBytes -= connection.input.readableBytes
        stalled[id] = nil
        connections.remove(id)
        networkConnections -= 1
        connection.door.connections -= 1
        if connections.count == 0 { resumeEmptyWaiter() }
        drain(at: now)
    }

    private func logEnd(of connection: ClientConnection) {
        guard !connection.clientIdentifier.isEmpty else { return }
        logger.info(
            "disconnected",
            metadata: [
                "client": "\(connection.clientIdentifier)", "listener": "\(connection.door.name)",
                "reason": "\(connection.ending ?? "connection lost")",
            ])
    }

    /// Somebody was not let in.
    func refused(_ code: ReasonCode?, _ reason: String, address: String, listener: String, client: String = "") {
        broker.statistics.connectionsRefused += 1
        guard let omitted = refusals.admit(at: .now()) else { return }
        var metadata: Logger.Metadata = ["address": "\(address)", "listener": "\(listener)", "reason": "\(reason)"]
        if let code, "\(code)" != reason { metadata["code"] = "\(code)" }
        if !client.isEmpty { metadata["client"] = "\(client)" }
        if omitted > 0 { metadata["omitted"] = "\(omitted)" }
        logger.notice("refused", metadata: metadata)
    }

    // MARK: Patience

    func schedulePatience() {
        let next = [greetings.next, farewells.next, lingerings.next, stalls.next].compactMap { $0 }.min()
        guard let next, patienceTimer.map({ next < $0.deadline }) ?? true else { return }
        patienceTimer?.task.cancel()
        patienceTimer = (next, at(next) { $0.loseConnections() })
    }

    /// Ends what has lasted too long.
    private func loseConnections() {
        patienceTimer = nil
        let now = NIODeadline.now()
        while let wait = greetings.popExpired(at: now) {
            guard let connection = connections.remote(wait.id), connection.deadline == wait.deadline else { continue }
            connection.ending = connection.ending ?? "no CONNECT within \(limits.connectTimeout)"
            connection.channel.close(promise: nil)
        }
        while let wait = farewells.popExpired(at: now) { loseLeaving(wait) }
        while let wait = lingerings.popExpired(at: now) { loseLeaving(wait) }
        while let wait = stalls.popExpired(at: now) {
            guard let connection = connections.remote(wait.id), let stall = stalled[wait.id],
                stall.deadline == wait.deadline
            else { continue }
            let unwritten = unwritten(connection)
            if connection.channel.isWritable || unwritten < stall.unwritten {
                stalled[wait.id] = nil
                watchStall(connection, at: now)
                continue
            }
            connection.ending = "it has not read anything for a minute"
            connection.channel.close(promise: nil)
        }
        schedulePatience()
    }

    private func loseLeaving(_ wait: (deadline: NIODeadline, id: ConnectionID)) {
        guard let connection = connections.remote(wait.id), connection.deadline == wait.deadline else { return }
        connection.channel.close(promise: nil)
    }

    /// From now on the client has to take something within a minute.
    func watchStall(_ connection: ClientConnection, at now: NIODeadline) {
        guard stalled[connection.id] == nil, !connection.channel.isWritable, connection.phase == .up else { return }
        stalled[connection.id] = (stalls.begin(connection.id, at: now), unwritten(connection))
        schedulePatience()
    }

    private func unwritten(_ connection: ClientConnection) -> Int {
        let bytes = try? connection.channel.syncOptions?.getOption(.bufferedWritableBytes)
        return bytes ?? 0
    }
}
