internal import Logging
internal import MQTTWire
internal import NIOCore
internal import Units

// From the first attempt to the last goodbye.
extension MQTTClient {
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
            switch await connection(to: endpoint, version: configuration.version ?? .v5) {
            case .failed(.stopped): continue
            case .failed(let failure):
                delay = backoff.delay(after: failure.isRefusal ? .refused : .notConnected, using: &generator)
                logger.warning(
                    "not connected",
                    metadata: [
                        "broker": "\(endpoint)", "reason": "\(failure)",
                        "retry-in": "\(Duration.milliseconds(delay.milliseconds).compact)",
                    ])
                eventContinuation.yield(.connectFailed(endpoint, failure, retryIn: delay))
            case .ended(let reason, let uptime):
                let ending = stopping || Task.isCancelled
                delay = backoff.delay(after: .ended(after: uptime), using: &generator)
                logger.log(
                    level: ending ? .info : .warning, "disconnected",
                    metadata: ["broker": "\(endpoint)", "reason": "\(reason)"].merging(
                        ending ? [:] : ["retry-in": "\(Duration.milliseconds(delay.milliseconds).compact)"],
                        uniquingKeysWith: { $1 }))
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
        await beginning?.value
        await noting?.value
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

    func finish() {
        stopping = true
        for token in Array(waiters.keys) { resume(token, throwing: ClientError.stopped) }
        for waiter in requestWaiters.values { waiter.resume(with: .failure(ClientError.stopped)) }
        requestWaiters.removeAll()
        eventContinuation.finish()
        messageSource.finish()
        readerBell.client = nil
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
