internal import MQTTWire
internal import NIOCore

extension Broker {
    /// What waits for a connection's client, on its way or not, as a part of what its queue may hold.
    func fillLevel(of id: ConnectionID) -> Double {
        guard let connection = connections[id.slot], connection.id == id else { return 0 }
        let place = connection.session
        let count = Double(sessions[place].waiting) / Double(max(1, limits.queuedMessages))
        let bytes = Double(sessions[place].bytes) / Double(max(1, limits.queuedBytes))
        return max(count, bytes)
    }

    /// In the order of their client identifiers.
    var clientStates: [ClientStatus] {
        connections.all.compactMap { connection -> ClientStatus? in
            guard let connection else { return nil }
            let session = sessions[connection.session]
            return ClientStatus(
                client: connection.information, isCleanStart: session.expiryInterval == 0,
                subscriptions: session.subscriptions.count, pendingMessages: session.pending,
                pendingBytes: session.bytes, hasWill: connection.will != nil)
        }.sorted { $0.client.identifier < $1.client.identifier }
    }

    func sessionStates(at now: NIODeadline) -> [SessionStatus] {
        sessions.all.map { session in
            SessionStatus(
                clientIdentifier: session.clientIdentifier, username: session.username,
                isConnected: session.connection != nil, isPersistent: session.isStored,
                remaining: session.deadline.map { .nanoseconds(max(0, ($0 - now).nanoseconds)) },
                subscriptions: session.subscriptions.count, pendingMessages: session.pending,
                pendingBytes: session.bytes)
        }.sorted { $0.clientIdentifier < $1.clientIdentifier }
    }

    func retainedMessages(matching filter: TopicFilter?, at now: NIODeadline) -> [ServerMessage] {
        (filter.map { retained.matching($0) } ?? retained.all)
            .filter { !$0.message.isExpired(at: now) }.map(\.message.message)
            .sorted { $0.topic.string < $1.topic.string }
    }

    /// - Parameter client: nil: of all.
    func subscriptionStates(of client: String?) -> [SubscriptionStatus] {
        sessions.all.flatMap { session -> [SubscriptionStatus] in
            guard client?.hasBytes(of: session.clientIdentifier) ?? true else { return [] }
            return session.subscriptions.values.map {
                SubscriptionStatus(
                    clientIdentifier: session.clientIdentifier, subscription: $0.subscription, identifier: $0.identifier
                )
            }
        }.sorted {
            ($0.clientIdentifier, $0.subscription.filter.string) < ($1.clientIdentifier, $1.subscription.filter.string)
        }
    }
}
