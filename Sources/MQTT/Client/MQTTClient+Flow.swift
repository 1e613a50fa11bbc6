internal import DequeModule
internal import Logging
internal import MQTTWire
internal import NIOCore

// The way of messages between the store and the connection.
extension MQTTClient {
    /// Sends what may be sent: repetitions, what callers want sent now, what the store gave out; and asks the store for more.
    func pump() {
        guard link.isUp, link.mayPublish else { return }
        let now = ContinuousClock.now
        while link.isWritable, let next = session.nextResend(at: now) {
            switch next {
            case .release(let pubrel): send(.pubrel(pubrel))
            case .publish(let message, let origin, let decision): _ = carryOut(decision, message, from: origin)
            }
        }
        while link.isWritable, let next = direct.first {
            let message = StoredMessage(id: MessageID(rawValue: 0), message: next.message)
            guard offer(message, from: .direct(next.token), at: now) else { break }
            direct.removeFirst()
        }
        repeat {
            while link.isWritable, !link.isReturning, direct.isEmpty, let next = ready.first {
                guard offer(next, from: .stored(next.id), at: now) else { break }
                ready.removeFirst()
            }
            // What was gathered for one write is enough when more is there than a socket takes.
            if link.outbound.readableBytes >= 64 * 1024 { flush() }
        } while link.isWritable && !link.isReturning && direct.isEmpty && ready.isEmpty && session.room > 0
            && fetch(at: now)
        flush()
    }

    /// - Returns: false when the window is full.
    private func offer(
        _ given: StoredMessage, from origin: Session.Origin, at now: ContinuousClock.Instant
    ) -> Bool {
        var offered = given
        if let deadline = offered.deadline { offered.message.expiry = max(now.duration(to: deadline), .zero) }
        let decision = session.publish(
            offered.message, from: origin, mayHaveBeenSent: offered.mayHaveBeenSent && resumesEarlierProcess,
            isReleased: offered.isReleased, at: now)
        switch decision {
        case .send, .release:
            if session.inFlight == 1 { link.lastProgress = .now }
            statistics.published += 1
            if offered.mayHaveBeenSent, !resumesEarlierProcess, doubtful > 0 {
                doubtful -= 1
                statistics.possibleDuplicates += 1
            }
        case .sendAndForget: statistics.published += 1
        case .tooLarge, .unencodable, .full: break
        }
        return carryOut(decision, offered.message, from: origin)
    }

    /// - Returns: false when the window is full.
    private func carryOut(_ decision: Session.Decision, _ message: Message, from origin: Session.Origin) -> Bool {
        switch decision {
        case .send(let publish): send(.publish(publish))
        case .release(let pubrel): send(.pubrel(pubrel))
        case .sendAndForget(let publish):
            send(.publish(publish))
            switch origin {
            case .direct(let token):
                statistics.completed += 1
                resume(token, returning: .success)
            case .stored(let id):
                link.unwritten.append(StoredMessage(id: id, message: message).counting(from: .now))
                link.unflushed += 1
            }
        case .tooLarge(let bytes, let limit):
            discard(origin, because: .tooLarge, error: .tooLarge(bytes: bytes, limit: limit))
        case .unencodable(let error):
            discard(origin, because: .unencodable, error: .unencodable("\(error)"))
        case .full:
            return false
        }
        return true
    }

    private func discard(_ origin: Session.Origin, because reason: DiscardReason, error: ClientError) {
        statistics.discarded += 1
        logger.warning("a message is given up", metadata: ["reason": "\(error)"])
        switch origin {
        case .direct(let token): resume(token, throwing: error)
        case .stored(let id):
            discarded[reason, default: []].append(id)
            if let token = storedWaiters.removeValue(forKey: id) {
                resume(token, throwing: error)
            } else {
                early.completed(id, .failure(error))
            }
        }
        tellStore()
    }

    /// - Returns: whether there is something to send at once.
    private func fetch(at now: ContinuousClock.Instant) -> Bool {
        guard storeMayHaveMore, fetching == nil, !stopping else { return false }
        storeMayHaveMore = false
        let count = min(session.room, 256)
        let backlog = pace?.available(at: now) ?? .max
        if let immediate {
            take(immediate.next(maximumCount: count, maximumBytes: 64 * 1024, maximumBacklog: backlog), backlog)
            return !ready.isEmpty
        }
        let id = link.id
        fetching = Task {
            do {
                let batch = try await store.next(
                    maximumCount: count, maximumBytes: 256 * 1024, maximumBacklog: backlog)
                fetching = nil
                if store.isBoundToConnection, link.id != id || !link.isUp {
                    storeMayHaveMore = true
                } else {
                    take(batch, backlog)
                }
                pump()
            } catch {
                logger.error("the store gives nothing out", metadata: ["error": "\(error)"])
                // Not at once: a failing disk is not mended by asking it in a loop.
                _ = after(.seconds(1)) {
                    $0.fetching = nil
                    $0.storeDidChange()
                }
            }
        }
        return false
    }

    /// - Parameter allowed: as many of the backlog as the pace had allowed.
    private func take(_ batch: [StoredMessage], _ allowed: Int) {
        if !batch.isEmpty { storeMayHaveMore = true }
        let now = ContinuousClock.now
        guard configuration.markBacklog != nil || pace != nil else {
            return ready.append(contentsOf: batch.lazy.map { $0.counting(from: now) })
        }
        var count = 0
        for stored in batch {
            var stored = stored.counting(from: now)
            if stored.isBacklog {
                if stored.message.priority.isPaced { count += 1 }
                configuration.markBacklog?(&stored.message)
            }
            ready.append(stored)
        }
        guard pace != nil else { return }
        pace?.take(count)
        // Held back, perhaps: asked again as soon as one more may go.
        if count >= allowed, let wait = pace?.wait {
            // Not among the link's timers, which are set anew whenever the connection is looked after.
            link.paceTimer?.cancel()
            link.paceTimer = after(max(wait, .milliseconds(1))) { $0.storeDidChange() }
        }
    }

    func complete(_ completion: Session.Completion) {
        statistics.completed += 1
        link.lastProgress = .now
        switch completion.origin {
        case .direct(let token): resume(token, returning: completion.reasonCode)
        case .stored(let id):
            if completion.reasonCode.isError {
                statistics.discarded += 1
                logger.warning("the broker refused a message", metadata: ["reason": "\(completion.reasonCode)"])
                discarded[.refused, default: []].append(id)
            } else {
                acknowledged.append(id)
            }
            if let token = storedWaiters.removeValue(forKey: id) {
                resume(token, returning: completion.reasonCode)
            } else {
                early.completed(id, .success(completion.reasonCode))
            }
        }
    }

    /// D3: what the store has to know goes there first, or a crash between the two would make the other side believe what
    /// we have forgotten.
    func noteSteps() {
        guard noting == nil, !steps.isEmpty, link.mayPublish else { return }
        noting = Task {
            while !steps.isEmpty, link.mayPublish {
                let (taken, id) = (steps, link.id)
                steps = ExchangeSteps()
                do {
                    try await store.note(taken)
                } catch {
                    logger.error("the store notes no exchange", metadata: ["error": "\(error)"])
                    takeBack(taken, from: id)
                    // Not at once: a failing disk is not mended by asking it in a loop.
                    _ = after(.seconds(1)) {
                        $0.noting = nil
                        $0.noteSteps()
                    }
                    return
                }
                let packets = session.noted(taken, isCurrent: link.id == id && link.isUp)
                guard link.isUp else { continue }
                for packet in packets { send(packet) }
                flush()
            }
            noting = nil
        }
    }

    /// The store could not note these steps: they are still to be taken, unless they ended with their connection.
    private func takeBack(_ taken: ExchangeSteps, from id: Int) {
        steps.seen = taken.seen.filter(session.incoming.isToBeNoted) + steps.seen
        guard link.id == id, link.isUp else { return }
        steps.released = taken.released + steps.released
        steps.finished = taken.finished + steps.finished
    }

    /// Passes acknowledgements on, one batch at a time; what comes meanwhile goes with the next.
    func tellStore() {
        guard tellingStore == nil, !acknowledged.isEmpty || !discarded.isEmpty else { return }
        if let immediate {
            immediate.acknowledge(acknowledged)
            for (reason, ids) in discarded { immediate.discard(ids, because: reason) }
            acknowledged.removeAll(keepingCapacity: true)
            discarded.removeAll()
            return wasTold()
        }
        tellingStore = Task {
            guard await tellStoreEverything() else {
                _ = after(.seconds(1)) {
                    $0.tellingStore = nil
                    if !$0.stopping { $0.tellStore() }
                }
                return
            }
            tellingStore = nil
            wasTold()
            // It may have held something back until the last of these was done with.
            guard ready.isEmpty, !storeMayHaveMore else { return }
            storeMayHaveMore = true
            pump()
        }
    }

    private static let maximumUntold = 65_536

    /// - Returns: false when the store failed: what it was not told is kept.
    func tellStoreEverything() async -> Bool {
        while !acknowledged.isEmpty || !discarded.isEmpty {
            let (ids, given) = (acknowledged, discarded)
            acknowledged.removeAll(keepingCapacity: true)
            discarded.removeAll()
            do {
                if !ids.isEmpty { try await store.acknowledge(ids) }
                for (reason, ids) in given { try await store.discard(ids, because: reason) }
            } catch {
                logger.error("the store does not forget", metadata: ["error": "\(error)"])
                // What it did forget of these it ignores the next time. One that never does must not fill the memory.
                acknowledged = (ids + acknowledged).suffix(Self.maximumUntold)
                discarded.merge(given) { ($1 + $0).suffix(Self.maximumUntold) }
                return false
            }
        }
        return true
    }

    // MARK: Bytes

    func send(_ packet: Packet) {
        do {
            try packet.encode(into: &link.outbound, version: link.version)
        } catch {
            // Only our own mistake can lead here: what callers give is checked before.
            logger.error("a packet cannot be encoded", metadata: ["error": "\(error)"])
        }
    }

    /// Hands the packets gathered by ``send(_:)`` to the socket in one write, if it takes any.
    func flush() {
        guard let channel = link.channel, link.outbound.readableBytes > 0 else { return }
        guard link.isWritable else { return boundUnreadAnswers() }
        let bytes = link.outbound
        let count = link.unflushed
        link.outbound = ByteBuffer()
        link.unflushed = 0
        link.keepAlive?.packetSent(at: .now)
        // Whether a small write has left is of interest only while somebody waits for it.
        guard count > 0 || link.isPinging || bytes.readableBytes > Self.slice || link.bytesUnwritten > 0 else {
            return channel.writeAndFlush(bytes, promise: nil)
        }
        write(bytes, to: channel, completing: count)
    }

    /// In slices, so that a large message shows that the line takes it.
    private func write(_ bytes: ByteBuffer, to channel: any Channel, completing count: Int) {
        var bytes = bytes
        let id = link.id
        link.bytesUnwritten += bytes.readableBytes
        while let slice = bytes.readSlice(length: min(Self.slice, bytes.readableBytes)), slice.readableBytes > 0 {
            let completed = bytes.readableBytes == 0 ? count : 0
            channel.write(slice).whenComplete { [weak self] result in
                self?.assumeIsolated { $0.written(slice.readableBytes, completing: completed, result, on: id) }
            }
        }
        channel.flush()
    }

    /// Bytes whose way out is followed together.
    private static let slice = 32 * 1024

    /// While the socket takes nothing, only answers to what the server sends gather. One that leaves more of them
    /// unread than it may have messages under way has broken every receive maximum.
    private func boundUnreadAnswers() {
        guard link.isUp, link.outbound.readableBytes > 4 * 65_535 else { return }
        end(link.id, DisconnectReason.protocolError("it sends messages and does not read their acknowledgements"))
    }

    /// QoS 0 messages are complete once written; what was not written waits for the next connection.
    private func written(_ bytes: Int, completing count: Int, _ result: Result<Void, any Error>, on id: Int) {
        guard link.id == id, link.phase != .ended, case .success = result else { return }
        let now = ContinuousClock.now
        link.bytesUnwritten -= bytes
        let isAll = link.bytesUnwritten == 0 && link.outbound.readableBytes == 0
        link.keepAlive?.bytesWritten(at: now, isAll: isAll)
        if isAll { link.isPinging = false }
        // What is still on its way out cannot have been acknowledged.
        if link.bytesUnwritten > 0 { link.lastProgress = now }
        for _ in 0..<count {
            guard let message = link.unwritten.popFirst() else { break }
            complete(Session.Completion(origin: .stored(message.id), reasonCode: .success))
        }
        tellStore()
    }
}

extension StoredMessage {
    /// From now on its expiry goes by: a connection may be long in coming.
    fileprivate func counting(from now: ContinuousClock.Instant) -> StoredMessage {
        guard let expiry = message.expiry else { return self }
        var counting = self
        counting.deadline = now + expiry
        return counting
    }
}
