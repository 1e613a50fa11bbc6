internal import Logging
internal import MQTTWire
internal import NIOCore
internal import Units

// From the first attempt to the last goodbye.
extension MQTTClient {
    /// Connects, and connects again whenever the connection ends, until the task is cancelled or ``disconnect(within:keepingWill:)`` is
    /// called. To be called once.
    ///
    /// A server that answers with a refusal (a wrong password) is asked again too, at the slowest pace: passwords get
    /// mended, and nobody should have to climb to a board. ``ClientConfiguration/stopsWhenRefused`` ends it instead.
    public func run() async {
        precondition(link.id == 0 || stopping, "MQTTClient.run() is to be called once")
        var generator = SystemRandomNumberGenerator()
        await rememberSession()
        while !stopping, !Task.isCancelled, let endpoint = selection.current {
            switch await connectionOfOurs(to: endpoint, version: versions.version(for: endpoint)) {
            case .failed(.stopped): continue
            case .failed(let failure):
                if versions.failed(failure, at: endpoint) {
                    logger.info(
                        "asking in another version of MQTT",
                        metadata: [
                            "broker": "\(endpoint)", "version": "\(versions.version(for: endpoint))",
                            "reason": "\(failure)",
                        ])
                    continue
                }
                let next = selection.next(
                    after: .notConnected, failure.decision, redirect: redirect(from: endpoint, failure.reasonCode),
                    using: &generator)
                let isLast = next.isHopeless && configuration.stopsWhenRefused
                report(failure, of: endpoint, isLast ? nil : next.delay)
                if isLast { stopping = true } else { await pause(next.delay) }
            case .ended(.returning, _):
                versions.connected(to: endpoint)
                selection.goBack()
                logger.info(
                    "leaving for the preferred broker",
                    metadata: ["broker": "\(endpoint)", "preferred": "\(selection.current ?? endpoint)"])
                let ending = stopping || Task.isCancelled
                eventContinuation.yield(.disconnected(.returning, retryIn: ending ? nil : .zero))
            case .ended(let reason, let uptime):
                versions.connected(to: endpoint)
                var ending = stopping || Task.isCancelled
                let next = selection.next(
                    after: .ended(after: uptime), reason.decision,
                    redirect: redirect(from: endpoint, reason.reasonCode), using: &generator)
                if next.isHopeless, configuration.stopsWhenRefused {
                    ending = true
                    stopping = true
                }
                report(reason, of: endpoint, ending ? nil : next.delay)
                if !ending { await pause(next.delay) }
            case .stranger, .cleared: continue
            }
        }
        // A message that was acknowledged must not wait in the store for the next process, which would repeat it.
        await tellingStore?.value
        _ = await tellStoreEverything()
        // Nothing of ours may come back to an event loop that its owner shuts down when this returns.
        await fetching?.value
        await beginning?.value
        await noting?.value
        finish()
    }

    /// Where the store says that a session is, there the client begins, in the session's version.
    private func rememberSession() async {
        guard store.outlivesProcess, let stored = (try? await store.session()) ?? nil else { return }
        sessionName = stored.name
        session.restore(stored)
        // Its window, and what was acknowledged and not forgotten yet.
        doubtful = configuration.maximumInFlight + 512
        var known: [Endpoint: ProtocolVersion] = [:]
        for endpoint in selection.endpoints.reversed() {
            for version in [ProtocolVersion.v5, .v3_1_1] where self.name(of: endpoint, version) == stored.name {
                known[endpoint] = version
                selection.begin(at: endpoint)
            }
        }
        versions = VersionChoice(fixed: configuration.fixedVersion, known: known)
    }

    /// One attempt. Under 3.1.1 it may take more than one connection: a session that the server holds and that is not ours
    /// is deleted first, which only a clean one can do, and that one ends with its connection.
    private func connectionOfOurs(to endpoint: Endpoint, version: ProtocolVersion) async -> Link.End {
        for _ in 1...3 {
            let end = await connection(to: endpoint, version: version)
            guard case .stranger = end else { return end }
            logger.info("the broker holds an earlier session: it is deleted", metadata: ["broker": "\(endpoint)"])
            let cleared = await connection(to: endpoint, version: version, purpose: .clearing)
            guard case .cleared = cleared else { return cleared }
        }
        return .failed(stopping || Task.isCancelled ? .stopped : .sessionNotDeleted)
    }

    /// Where the server sends us, if it does, and if we go.
    private func redirect(from endpoint: Endpoint, _ code: ReasonCode?) -> EndpointSelection.Redirect? {
        guard code == .useAnotherServer || code == .serverMoved else { return nil }
        let text = link.serverReference ?? ""
        let others = ServerReference(text, from: endpoint).endpoints
        guard configuration.followsRedirects, !others.isEmpty else {
            logger.warning(
                configuration.followsRedirects
                    ? "the broker wants us elsewhere, and names nobody" : "the broker wants us elsewhere: not followed",
                metadata: ["broker": "\(endpoint)", "reference": "\(text)"])
            return nil
        }
        logger.notice(
            code == .serverMoved ? "the broker has moved" : "the broker sends us to another one",
            metadata: ["broker": "\(endpoint)", "to": "\(others.map(\.description).joined(separator: " "))"])
        return EndpointSelection.Redirect(endpoints: others, isPermanent: code == .serverMoved)
    }

    private func report(_ failure: ConnectFailure, of endpoint: Endpoint, _ delay: Duration?) {
        let (count, isNews) = failures.count("\(failure)", at: endpoint)
        logger.log(
            level: delay == nil ? .error : isNews ? .warning : .debug,
            failure.decision == .giveUp ? "not connected, which waiting alone will not mend" : "not connected",
            metadata: ["broker": "\(endpoint)", "reason": "\(failure)"]
                .merging(count > 3 ? ["times": "\(count)"] : [:]) { $1 }
                .merging(Self.retry(delay)) { $1 })
        eventContinuation.yield(.connectFailed(endpoint, failure, retryIn: delay))
    }

    private func report(_ reason: DisconnectReason, of endpoint: Endpoint, _ delay: Duration?) {
        let isWanted = delay == nil && reason == .requested || reason == .left
        logger.log(
            level: isWanted ? .info : .warning, "disconnected",
            metadata: ["broker": "\(endpoint)", "reason": "\(reason)"].merging(Self.retry(delay)) { $1 })
        if closedOverQoS2 == 4 {
            logger.warning(
                "the broker closes the connection whenever it is sent a message of QoS 2, which it may not have",
                metadata: [
                    "broker": "\(endpoint)",
                    "mend": "let messages have QoS 1 (in a configuration: maximum_qos = 1 under [broker])",
                ])
        } else if reason.reasonCode == .sessionTakenOver || reason == .closed && selection.backoff.failures == 4 {
            logger.warning(
                reason == .closed
                    ? "connections are accepted and soon closed: does another client use the same identifier?"
                    : "another client uses the same identifier: give each its own",
                metadata: ["client": "\(assignedIdentifier ?? configuration.clientIdentifier)"])
        }
        eventContinuation.yield(.disconnected(reason, retryIn: delay))
    }

    private static func retry(_ delay: Duration?) -> Logger.Metadata {
        delay.map { ["retry-in": "\(Duration.milliseconds($0.milliseconds).compact)"] } ?? [:]
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
        if link.phase == .closing { return schedule(in: deadline, on: id) { $0.endAfterGoodbye(id) } }
        // A goodbye may follow CONNECT at once (5.0 §3.1.4): the server may have let us in already, with our will.
        if link.phase == .awaitingConnAck, !keepingWill {
            send(.disconnect(Disconnect()))
            flush()
        }
        guard link.isUp, let channel = link.channel else { return end(id, .stopped) }
        if keepingWill, link.version == .v3_1_1 { return end(id, .requested) }
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

    /// Says goodbye to the server, which then forgets the will, and connects anew: to the next endpoint, if there are
    /// several. Without a connection nothing happens.
    ///
    /// - Parameter keepingWill: as in ``disconnect(within:keepingWill:)``.
    public func leave(keepingWill: Bool = false) {
        guard link.isUp else { return }
        let uptime = link.upSince.duration(to: .now)
        if keepingWill, link.version != .v5 { return end(link.id, .left) }
        leave(
            .ended(.left, after: uptime),
            Disconnect(reasonCode: keepingWill ? .disconnectWithWill : .normalDisconnection))
    }

    func finish() {
        stopping = true
        for token in Array(waiters.keys) { resume(token, throwing: ClientError.stopped) }
        for waiter in requestWaiters.values { waiter.resume(with: .failure(ClientError.stopped)) }
        requestWaiters.removeAll()
        eventContinuation.finish()
        handOverArrived()
        inbox.finish()
    }

    func pause(_ delay: Duration) async {
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

    func endPause() {
        pauseTimer?.cancel()
        pauseTimer = nil
        pauseWaiter?.resume()
        pauseWaiter = nil
    }
}
