internal import DequeModule
internal import MQTTWire
internal import NIOCore
internal import OpenSSLTransport
internal import WebSocketTransport

// Looking after a connection, and its end.
extension MQTTClient {
    func failed(_ error: any Error, on id: Int) {
        guard link.id == id else { return }
        switch error {
        case let error as DecodingError where link.phase == .awaitingConnAck && error.isConnAckOfOlderVersion:
            end(id, .refused(.unsupportedProtocolVersion, explanation: "it answers as MQTT 3.1.1 does"))
        case let error as TLSError where link.phase != .up:
            if link.phase == .closing { endAfterGoodbye(id) } else { end(id, .failed(.tls(error))) }
        case let error as TLSError where error.code == .truncated: end(id, DisconnectReason.closed)
        case let error as WebSocketError where link.phase == .opening || link.phase == .awaitingConnAck:
            end(id, .webSocket(error))
        case let error as WebSocketError where error.code == .truncated && link.phase == .up:
            end(id, DisconnectReason.closed)
        case let error as DecodingError:
            breakOff(ProtocolViolation("\(error)", reasonCode: error.reasonCode))
        default:
            switch link.phase {
            case .up: end(id, .network(NetworkFailure.text(error)))
            case .closing: endAfterGoodbye(id)
            // How a server closes that has not read what we sent.
            case .awaitingConnAck where NetworkFailure.isReset(error): end(id, ConnectFailure.closed)
            case .opening, .awaitingConnAck, .ended: end(id, .unreachable(NetworkFailure.text(error)))
            }
        }
    }

    func closed(connection id: Int) {
        guard link.id == id else { return }
        switch link.phase {
        case .up: end(id, DisconnectReason.closed)
        case .closing: endAfterGoodbye(id)
        case .opening, .awaitingConnAck, .ended: end(id, ConnectFailure.closed)
        }
    }

    /// The server broke the protocol: tell it, if the version can, and close (5.0 §4.13).
    func breakOff(_ violation: ProtocolViolation) {
        let id = link.id
        if link.phase == .closing { return endAfterGoodbye(id) }
        guard link.isUp else { return end(id, ConnectFailure.protocolError(violation.description)) }
        if link.version == .v5 {
            send(.disconnect(Disconnect(reasonCode: violation.reasonCode)))
            flush()
        }
        end(id, DisconnectReason.protocolError(violation.description))
    }

    // MARK: Watching

    /// Looks after keep-alive and acknowledgements, and sets the alarm for the next look.
    func watch() {
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
            link.isPinging = true
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

    func schedule(in delay: Duration, on id: Int, _ body: @escaping @Sendable (isolated MQTTClient) -> Void) {
        link.timers.append(after(delay) { if $0.link.id == id { body($0) } })
    }

    func end(_ id: Int, _ failure: ConnectFailure) { end(id, .failed(failure)) }

    func end(_ id: Int, _ reason: DisconnectReason) {
        end(id, .ended(reason, after: link.upSince.duration(to: .now)))
    }

    /// Says goodbye, and waits a moment for the server to close.
    func leave(_ farewell: Link.End, _ goodbye: Disconnect = Disconnect()) {
        let id = link.id
        send(.disconnect(goodbye))
        link.phase = .closing
        link.farewell = farewell
        link.cancelTimers()
        link.cancelReturn()
        flush()
        schedule(in: min(configuration.responseTimeout, .seconds(1)), on: id) { $0.endAfterGoodbye(id) }
    }

    func endAfterGoodbye(_ id: Int) {
        end(id, link.farewell ?? .ended(.requested, after: link.upSince.duration(to: .now)))
    }

    /// The first reason counts; what comes after it is only its consequence.
    func end(_ id: Int, _ end: Link.End) {
        guard link.id == id, link.phase != .ended else { return }
        let wasUp = link.isUp || link.phase == .closing
        link.phase = .ended
        link.mayPublish = false
        link.cancelTimers()
        link.cancelReturn()
        link.paceTimer?.cancel()
        prepared(id, .failure(ConnectFailure.stopped))
        link.channel?.close(promise: nil)
        link.channel = nil
        if wasUp {
            // It may have come together with the end.
            handOverArrived()
            // What the socket has not taken goes first on the next connection.
            if store.isBoundToConnection { ready.removeAll() } else { ready.prepend(contentsOf: link.unwritten) }
            link.unwritten.removeAll()
            store.connectionEnded()
            if case .ended(.closed, _) = end, session.awaitsPubRec { closedOverQoS2 += 1 }
            steps.seen += session.connectionLost()
            tellStore()
            connectionLost()
        }
        link.waiter?.resume(returning: end)
        link.waiter = nil
    }

    func connectionLost() {
        // What was seen stays seen; the other steps are taken again on the next connection.
        steps = ExchangeSteps(seen: steps.seen)
        // Whoever wanted "now" is told that now has passed; what was sent may still be acknowledged later.
        direct.removeAll()
        // Who waits for what is stored waits for the next connection.
        let patient = deliveryWaiters.union(storedWaiters.values)
        for token in Array(waiters.keys) where !patient.contains(token) {
            resume(token, throwing: ClientError.connectionLost)
        }
        sentRequests.removeAll()
        link.reauthentication?.resume(with: .failure(ClientError.connectionLost))
        link.reauthentication = nil
        // Whether a request was carried out is not known: its caller has to decide.
        for key in answers.keys { answers.removeValue(forKey: key)?.resume(with: .failure(ClientError.connectionLost)) }
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
