internal import Database
public import MQTTWire
internal import NIOCore

// What a program asks, and does, while the server runs.
extension MQTTServer {
    /// Publishes in the server's own name, to any topic, and comes back when the message is as durable as its receivers'
    /// sessions.
    ///
    /// - Returns: how many sessions it is for.
    /// - Throws: ``ServerError/Code/notRunning``; ``ServerError/Code/refused`` for properties that PUBLISH cannot carry.
    @discardableResult
    public func publish(_ message: ServerMessage) async throws -> Int {
        try checkRunning()
        try message.checkProperties()
        let now = NIODeadline.now()
        let count = broker.publish(message, at: now)
        drain(at: now)
        await untilDurable()
        return count ?? 0
    }

    func checkRunning() throws(ServerError) {
        guard phase == .running else { throw ServerError(.notRunning, "the server is not running") }
    }

    /// Clients that are connected, in the order of their identifiers.
    public func clients() -> [ClientStatus] { broker.clientStates }

    /// With and without a connection, in the order of their client identifiers.
    public func sessions() -> [SessionStatus] { broker.sessionStates(at: .now()) }

    /// In the order of their topics.
    ///
    /// - Parameter filter: nil: all.
    public func retainedMessages(matching filter: TopicFilter? = nil) -> [ServerMessage] {
        broker.retainedMessages(matching: filter, at: .now())
    }

    /// - Parameter client: nil: of all.
    public func subscriptions(of client: String? = nil) -> [SubscriptionStatus] {
        broker.subscriptionStates(of: client)
    }

    public var statistics: ServerStatistics { broker.statistics }

    /// Why nothing is durable at present, in words; nil: all is well, or there is no store.
    public var storeFailure: String? { storeStatus.failure }

    /// Has the event loop, and the store's thread if there is one, call back when they are done with their present work:
    /// never, if they are stuck there. To be taken when the server has started.
    package var vitalParts: [(name: String, ask: @Sendable (_ answer: @escaping @Sendable () -> Void) -> Void)] {
        let eventLoop = eventLoop
        var parts: [(name: String, ask: @Sendable (@escaping @Sendable () -> Void) -> Void)] = [
            ("broker's event loop", { eventLoop.execute($0) })
        ]
        if let thread = (store as? SQLiteStore)?.thread { parts.append(("broker's store", { thread.perform($0) })) }
        return parts
    }

    /// Ends a client's connection; its will is published, and its session stays.
    ///
    /// - Parameter reason: what DISCONNECT says (5.0).
    /// - Returns: whether it was connected.
    @discardableResult
    public func disconnect(_ client: String, reason: ReasonCode = .administrativeAction) -> Bool {
        let now = NIODeadline.now()
        let reason = reason.isError && reason.isAllowed(in: .disconnect) ? reason : .administrativeAction
        defer { drain(at: now) }
        return broker.disconnect(client, reason, at: now)
    }

    /// Deletes a session with all that waits for its client, whose connection is ended if it has one.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    public func deleteSession(_ client: String) async -> Bool {
        let now = NIODeadline.now()
        let isDeleted = broker.deleteSession(of: client, at: now)
        drain(at: now)
        await untilDurable()
        return isDeleted
    }
}
