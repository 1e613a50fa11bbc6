internal import DequeModule
internal import Logging
internal import MQTTWire
internal import NIOCore

// The way of messages between the store and the connection.
extension MQTTClient {
    /// Sends what may be sent: repetitions, what callers want sent now, what the store gave out; and asks the store for more.
    func pump() {
        guard link.isUp, link.mayPublish else { return }
        while link.isWritable, let next = session.nextResend() {
            switch next {
            case .release(let pubrel): send(.pubrel(pubrel))
            case .publish(let message, let origin, let decision): _ = carryOut(decision, message, from: origin)
            }
        }
        while link.isWritable, let next = direct.first {
            guard offer(StoredMessage(id: MessageID(rawValue: 0), message: next.message), from: .direct(next.token))
            else { break }
            direct.removeFirst()
        }
        while link.isWritable, !link.isReturning, direct.isEmpty, let next = ready.first {
            guard offer(next, from: .stored(next.id)) else { break }
            ready.removeFirst()
        }
        flush()
        if link.isWritable, !link.isReturning, direct.isEmpty, ready.isEmpty, session.room > 0 { fetch() }
    }

    /// - Returns: false when the window is full.
    private func offer(_ offered: StoredMessage, from origin: Session.Origin) -> Bool {
        let decision = session.publish(
            offered.message, from: origin, mayHaveBeenSent: offered.mayHaveBeenSent && resumesEarlierProcess,
            isReleased: offered.isReleased)
        switch decision {
        case .send, .release:
            if session.inFlight == 1 { link.lastProgress = .now }
            statistics.published += 1
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
            case .direct(let token): resume(token, returning: .success)
            case .stored(let id):
                link.unwritten.append(StoredMessage(id: id, message: message))
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
            if let token = storedWaiters.removeValue(forKey: id) { resume(token, throwing: error) }
        }
        tellStore()
    }

    private func fetch() {
        guard storeMayHaveMore, fetching == nil, !stopping else { return }
        storeMayHaveMore = false
        let count = min(session.room, 256)
        fetching = Task {
            do {
                let batch = try await store.next(maximumCount: count, maximumBytes: 256 * 1024)
                if !batch.isEmpty { storeMayHaveMore = true }
                ready.append(contentsOf: batch)
                fetching = nil
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
                early.completed(id, completion.reasonCode)
            }
        }
    }

    /// D3: PUBREL goes out when the store has noted that the server has the message, or a crash between the two would
    /// have it sent a second time.
    func noteReleases() {
        guard releasing == nil, !toRelease.isEmpty else { return }
        releasing = Task {
            while !toRelease.isEmpty {
                let (ids, id) = (toRelease, link.id)
                toRelease.removeAll()
                do {
                    try await store.release(ids)
                    guard link.id == id, link.isUp else { continue }
                    for id in ids { if let pubrel = session.released(id) { send(.pubrel(pubrel)) } }
                    flush()
                } catch {
                    logger.error("the store notes no release", metadata: ["error": "\(error)"])
                }
            }
            releasing = nil
        }
    }

    /// Passes acknowledgements on, one batch at a time; what comes meanwhile goes with the next.
    func tellStore() {
        guard tellingStore == nil, !acknowledged.isEmpty || !discarded.isEmpty else { return }
        tellingStore = Task {
            await tellStoreEverything()
            tellingStore = nil
        }
    }

    private func tellStoreEverything() async {
        while !acknowledged.isEmpty || !discarded.isEmpty {
            let (ids, given) = (acknowledged, discarded)
            acknowledged.removeAll(keepingCapacity: true)
            discarded.removeAll()
            do {
                if !ids.isEmpty { try await store.acknowledge(ids) }
                for (reason, ids) in given { try await store.discard(ids, because: reason) }
            } catch {
                logger.error("the store does not forget", metadata: ["error": "\(error)"])
            }
        }
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
        guard count > 0 else { return channel.writeAndFlush(bytes, promise: nil) }
        let id = link.id
        channel.writeAndFlush(bytes).whenComplete { [weak self] result in
            self?.assumeIsolated { $0.written(count, result, on: id) }
        }
    }

    /// While the socket takes nothing, only answers to what the server sends gather. One that leaves more of them
    /// unread than it may have messages under way has broken every receive maximum.
    private func boundUnreadAnswers() {
        guard link.isUp, link.outbound.readableBytes > 4 * 65_535 else { return }
        end(link.id, DisconnectReason.protocolError("it sends messages and does not read their acknowledgements"))
    }

    /// QoS 0 messages are complete once written; what was not written waits for the next connection.
    private func written(_ count: Int, _ result: Result<Void, any Error>, on id: Int) {
        guard link.id == id, link.phase != .ended, case .success = result else { return }
        for _ in 0..<count {
            guard let message = link.unwritten.popFirst() else { break }
            complete(Session.Completion(origin: .stored(message.id), reasonCode: .success))
        }
        tellStore()
    }
}
