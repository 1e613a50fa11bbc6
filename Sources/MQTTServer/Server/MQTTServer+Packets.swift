internal import Logging
internal import MQTTWire
internal import NIOCore

// What comes in, and what goes out.
extension MQTTServer {
    /// Bytes of an unfinished packet that count as a sign of life.
    private static let leastProgress = 1_024

    // MARK: In

    func received(_ bytes: ByteBuffer, on id: ConnectionID) {
        defer { receiveBuffers.giveBack(bytes) }
        guard let connection = connections.remote(id), connection.phase != .closing else { return }
        broker.statistics.bytesReceived += bytes.readableBytes
        let now = NIODeadline.now()
        let packets = broker.statistics.packetsReceived
        var bytes = bytes
        let count = bytes.readableBytes
        if connection.input.readableBytes == 0 {
            decode(&bytes, on: connection, at: now)
            // A copy, so that the beginning of a packet does not keep the whole buffer.
            if bytes.readableBytes > 0 { keep(ByteBuffer(bytes: bytes.readableBytesView), of: connection, at: now) }
        } else {
            inputBytes += bytes.readableBytes
            connection.input.writeBuffer(&bytes)
            decodeInput(of: connection, at: now)
        }
        if broker.statistics.packetsReceived == packets {
            // A large packet on a slow line makes progress; who dribbles bytes does not.
            connection.progress += count
            if connection.phase == .up, connection.progress >= Self.leastProgress {
                connection.progress = 0
                broker.heard(from: id, at: now)
            }
        } else {
            connection.progress = 0
        }
        drain(at: now)
    }

    /// Goes on with what was kept.
    func decodeInput(of connection: ClientConnection, at now: NIODeadline) {
        var input = ByteBuffer()
        swap(&input, &connection.input)
        let count = input.readableBytes
        inputBytes -= count
        decode(&input, on: connection, at: now)
        guard input.readableBytes > 0 else { return }
        // What is added to is nobody else's, so that a large packet is not copied again with each read.
        keep(input.readableBytes == count ? input : ByteBuffer(bytes: input.readableBytesView), of: connection, at: now)
    }

    private func keep(_ input: ByteBuffer, of connection: ClientConnection, at now: NIODeadline) {
        connection.input = input
        inputBytes += input.readableBytes
        if connection.phase == .admitting, input.readableBytes > limits.maximumConnectSize {
            hangUp(connection, "too much sent before the answer to CONNECT")
        } else if inputBytes > (connection.phase == .up ? maximumInput : maximumInput / 4) {
            // Whoever sends most of it is as good as anybody; strangers only do not take the room of those who are in.
            guard connection.phase == .up else { return hangUp(connection, "too much is on its way to this server") }
            broker.refuse(.quotaExceeded, "too much is on its way to this server", on: connection.id, at: now)
        }
    }

    private func decode(_ bytes: inout ByteBuffer, on connection: ClientConnection, at now: NIODeadline) {
        while bytes.readableBytes > 0 {
            switch connection.phase {
            case .admitting: return
            case .closing: return bytes.moveReaderIndex(to: bytes.writerIndex)
            case .greeting, .authenticating, .up: break
            }
            do throws(DecodingError) {
                guard let packet = try connection.decoder.decode(from: &bytes) else { return }
                handle(packet, on: connection, at: now)
            } catch {
                refuse(error, in: bytes, on: connection, at: now)
                return bytes.moveReaderIndex(to: bytes.writerIndex)
            }
        }
    }

    private func handle(_ packet: Packet, on connection: ClientConnection, at now: NIODeadline) {
        switch connection.phase {
        case .up: break
        case .greeting:
            if case .connect(let connect) = packet { greet(connect, on: connection, at: now) }
            return
        case .authenticating: return authenticate(packet, on: connection, at: now)
        case .admitting, .closing: return
        }
        switch packet {
        case .publish(var publish):
            publish.payload = publish.payload.compact
            broker.receive(.publish(publish), from: connection.id, at: now)
        case .auth(let auth): reauthenticate(auth, on: connection, at: now)
        default:
            if case .disconnect = packet { connection.hasSaidGoodbye = true }
            broker.receive(packet, from: connection.id, at: now)
        }
    }

    // MARK: What the broker wants

    /// Carries out what the broker wants done. To be called whenever it was told something.
    func drain(at now: NIODeadline) {
        // Closing a channel may come back here; who began goes on to the end.
        guard !isDraining else { return }
        isDraining = true
        while !broker.effects.isEmpty {
            swap(&effects, &broker.effects)
            for effect in effects {
                switch effect {
                case .send(let id, let packet, let batch): send(packet, on: id, after: batch, at: now)
                case .deliver(let id, let delivery, let batch): deliver(delivery, on: id, after: batch)
                case .close(let id, let cause): brokerClosed(id, cause, at: now)
                case .event(let event): tell(event)
                }
            }
            effects.removeAll(keepingCapacity: effects.count < 4_096)
        }
        isDraining = false
        if !exactingReaders.isEmpty || isReaderBehind { watchReaders() }
        if !isStoreBehind, broker.journal.bytes > Self.maximumUncommitted { setStoreBehind(true) }
        if !dirty.isEmpty || isCommitWanted { scheduleTick() }
        scheduleAdvance()
    }

    private func send(_ packet: Packet, on id: ConnectionID, after batch: Int, at now: NIODeadline) {
        switch connections[id] {
        case .remote(let connection): send(packet, on: connection, after: batch, at: now)
        case .local(let connection): deliver(packet, to: connection, after: batch)
        case nil: break
        }
    }

    func send(_ packet: Packet, on connection: ClientConnection, after batch: Int = 0, at now: NIODeadline) {
        var packet = packet
        if !connection.wantsProblemInformation { packet.removeProblemInformation() }
        if case .connack(let connack) = packet, connack.reasonCode == .success { logConnected(connection, connack) }
        let (isMessage, version) = (packet.type == .publish, connection.version)
        append(to: connection, isMessage: isMessage, after: batch) { bytes throws(EncodingError) in
            try packet.encode(into: &bytes, version: version)
        }
    }

    private func deliver(_ delivery: Delivery, on id: ConnectionID, after batch: Int) {
        switch connections[id] {
        case .remote(let connection):
            let version = connection.version
            guard let shortening = connection.shortening else {
                append(to: connection, isMessage: true, after: batch) { bytes throws(EncodingError) in
                    try delivery.encode(into: &bytes, version: version)
                }
                return
            }
            let packet = shortening.packet(delivery, version: version)
            append(to: connection, isMessage: true, after: batch) { bytes throws(EncodingError) in
                try packet.encode(into: &bytes, version: version)
            }
        case .local(let connection): deliver(.publish(delivery.publish), to: connection, after: batch)
        case nil: break
        }
    }

    private func append(
        to connection: ClientConnection, isMessage: Bool, after batch: Int,
        _ encode: (inout ByteBuffer) throws(EncodingError) -> Void
    ) {
        do throws(EncodingError) {
            try connection.output.append(isMessage: isMessage, after: batch, committed: committed, encode)
        } catch {
            logger.error(
                "a packet cannot be sent", metadata: ["client": "\(connection.clientIdentifier)", "error": "\(error)"])
            return
        }
        if connection.output.answers > maximumAnswers { connection.setPause(.answers, true) }
        if connection.output.isHolding, !connection.isHolding {
            connection.isHolding = true
            holding.append(connection.id)
        }
        awaited = max(awaited, batch)
        if connection.output.isReady { markDirty(connection) }
    }

    /// Nothing is read from anybody, or is read again.
    func pauseAll(_ pause: ClientConnection.Pauses, _ on: Bool) {
        for case .remote(let connection) in connections.all where connection.phase == .up {
            connection.setPause(pause, on)
        }
    }

    private func logConnected(_ connection: ClientConnection, _ connack: ConnAck) {
        var metadata: Logger.Metadata = [
            "client": "\(connection.clientIdentifier)", "address": "\(address(of: connection.channel))",
            "listener": "\(connection.door.name)", "session": "\(connack.sessionPresent)",
            "version": "\(connection.version)",
        ]
        if let user = broker.connection(connection.id)?.information.username { metadata["user"] = "\(user)" }
        logger.info("connected", metadata: metadata)
    }

    func markDirty(_ connection: ClientConnection) {
        guard !connection.isDirty else { return }
        connection.isDirty = true
        dirty.append(connection.id)
        scheduleTick()
    }

    private func brokerClosed(_ id: ConnectionID, _ cause: DisconnectCause?, at now: NIODeadline) {
        switch connections[id] {
        case .remote(let connection):
            switch cause {
            case .byServer(let reason, let text)?: connection.ending = "by the server: \(text ?? "\(reason)")"
            case .byClient(let reason)?: connection.ending = "by the client: \(reason)"
            case .connectionLost?, nil: break
            }
            leave(connection, at: now)
        case .local(let connection): end(connection)
        case nil: break
        }
    }

    // MARK: Once a tick

    func scheduleTick() {
        guard !isTickScheduled else { return }
        isTickScheduled = true
        eventLoop.execute { self.assumeIsolated { $0.tick() } }
    }

    /// Behind all sockets that had something: one write for each connection, and one batch for the store.
    private func tick() {
        isTickScheduled = false
        let now = NIODeadline.now()
        let ids = dirty
        dirty.removeAll(keepingCapacity: ids.count < 4_096)
        for id in ids {
            switch connections[id] {
            case .remote(let connection):
                connection.isDirty = false
                flush(connection, at: now)
            case .local(let connection):
                connection.isDirty = false
                broker.flushed(id, at: now)
            case nil: break
            }
        }
        commitIfWanted()
        drain(at: now)
    }

    private func flush(_ connection: ClientConnection, at now: NIODeadline) {
        if connection.output.isReady {
            // Beyond the channel's water mark it waits here, where the broker's budget counts it.
            guard connection.channel.isWritable || connection.phase == .closing else {
                return watchStall(connection, at: now)
            }
            if connection.output.hasMessages { connection.owesMessages = true }
            let bytes = connection.output.take()
            broker.statistics.bytesSent += bytes.readableBytes
            connection.write(bytes)
            if connection.pauses.contains(.answers), connection.output.answers == 0, connection.channel.isWritable {
                connection.setPause(.answers, false)
            }
            if connection.phase == .up {
                if !connection.channel.isWritable {
                    watchStall(connection, at: now)
                } else if connection.owesMessages, connection.output.isEmpty {
                    connection.owesMessages = false
                    broker.flushed(connection.id, at: now)
                }
            }
        }
        if connection.phase == .closing, connection.output.isEmpty { sayGoodbye(connection) }
    }

    func writabilityChanged(to isWritable: Bool, on id: ConnectionID) {
        guard let connection = connections.remote(id), connection.phase == .up else { return }
        let now = NIODeadline.now()
        guard isWritable else { return watchStall(connection, at: now) }
        stalled[id] = nil
        if connection.output.isReady {
            markDirty(connection)
        } else {
            if connection.output.answers == 0 { connection.setPause(.answers, false) }
            connection.owesMessages = false
            broker.flushed(id, at: now)
            drain(at: now)
        }
    }

    // MARK: Time

    private func scheduleAdvance() {
        guard let next = broker.nextDeadline, advanceTimer.map({ next < $0.deadline }) ?? true else { return }
        advanceTimer?.task.cancel()
        advanceTimer = (
            next,
            at(next) { $0.advance() }
        )
    }

    private func advance() {
        advanceTimer = nil
        let now = NIODeadline.now()
        // Who is not read from is not silent.
        for case .remote(let connection) in connections.all where !connection.pauses.isEmpty {
            broker.heard(from: connection.id, at: now)
        }
        broker.advance(to: now)
        drain(at: now)
    }

    // MARK: The end

    /// Nothing is read any more; what there is goes out, and then the connection is closed.
    func leave(_ connection: ClientConnection, at now: NIODeadline) {
        guard connection.phase != .closing else { return }
        connection.phase = .closing
        inputBytes -= connection.input.readableBytes
        connection.input = ByteBuffer()
        connection.candidate = nil
        connection.authentication = nil
        connection.deadline = farewells.begin(connection.id, at: now)
        schedulePatience()
        markDirty(connection)
    }

    /// At once, without a word.
    func hangUp(_ connection: ClientConnection, _ reason: String) {
        connection.ending = reason
        connection.channel.close(promise: nil)
    }

    /// All is handed to the channel. Its other direction stays open for a moment: closing a socket that holds unread
    /// bytes would be a reset, and could take our last word away from the client.
    private func sayGoodbye(_ connection: ClientConnection) {
        guard !connection.isLeaving else { return }
        connection.isLeaving = true
        // Nothing was said, and the client has nothing more to say: it is gone, or as good as.
        if connection.hasSaidGoodbye, !connection.isWebSocket { return connection.channel.close(promise: nil) }
        connection.pauses = []
        let (channel, id, isWebSocket) = (connection.channel, connection.id, connection.isWebSocket)
        let written = eventLoop.makePromise(of: Void.self)
        written.futureResult.whenComplete { _ in
            // A WebSocket has a goodbye of its own.
            channel.close(mode: isWebSocket ? .all : .output, promise: nil)
            try? channel.syncOptions?.setOption(.autoRead, value: true)
            self.assumeIsolated { $0.linger(id) }
        }
        channel.writeAndFlush(ByteBuffer(), promise: written)
    }

    private func linger(_ id: ConnectionID) {
        guard let connection = connections.remote(id) else { return }
        connection.deadline = lingerings.begin(id, at: .now())
        schedulePatience()
    }
}

extension Packet {
    /// A client without Request Problem Information gets reason strings and user properties only where they are content
    /// or explain an end ([MQTT-3.1.2-29]).
    fileprivate mutating func removeProblemInformation() {
        switch self {
        case .puback(var packet):
            packet.properties.removeProblemInformation()
            self = .puback(packet)
        case .pubrec(var packet):
            packet.properties.removeProblemInformation()
            self = .pubrec(packet)
        case .pubrel(var packet):
            packet.properties.removeProblemInformation()
            self = .pubrel(packet)
        case .pubcomp(var packet):
            packet.properties.removeProblemInformation()
            self = .pubcomp(packet)
        case .suback(var packet):
            packet.properties.removeProblemInformation()
            self = .suback(packet)
        case .unsuback(var packet):
            packet.properties.removeProblemInformation()
            self = .unsuback(packet)
        case .auth(var packet):
            packet.properties.removeProblemInformation()
            self = .auth(packet)
        case .connect, .connack, .publish, .subscribe, .unsubscribe, .pingreq, .pingresp, .disconnect: break
        }
    }
}

extension Properties {
    fileprivate mutating func removeProblemInformation() {
        guard !isEmpty else { return }
        all.removeAll {
            switch $0 {
            case .reasonString, .userProperty: true
            default: false
            }
        }
    }
}

extension ByteBuffer {
    /// The same bytes; a small part of a large buffer gets one of its own, so that it does not keep all of it. (Without
    /// `bytes:` it would be another view of the same memory.)
    var compact: ByteBuffer {
        if readableBytes == 0 { return ByteBuffer() }
        return readableBytes < storageCapacity / 4 ? ByteBuffer(bytes: readableBytesView) : self
    }
}
