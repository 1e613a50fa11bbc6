internal import MQTTWire
internal import NIOCore

extension Broker {
    /// How long clients of an earlier process have to come back before their wills are published.
    private static let grace = TimeAmount.seconds(10)

    /// Goes on where another process stopped.
    mutating func restore(_ state: StoredState, at now: NIODeadline) {
        nextSessionID = state.nextSessionID
        var messages: [Int64: RoutedMessage] = [:]
        for stored in state.messages {
            messages[stored.id] = RoutedMessage(
                stored.message, publisher: stored.publisher.isEmpty ? nil : stored.publisher, deadline: stored.deadline)
        }
        var references: [Int64: Int] = [:]
        for contents in state.sessions {
            var session = ServerSession(
                id: contents.session.id, clientIdentifier: contents.session.clientIdentifier,
                version: contents.session.version, username: contents.session.username,
                expiryInterval: contents.session.expiryInterval)
            session.received = Set(contents.received)
            let entries = contents.queue.compactMap { stored -> ServerSession.Entry? in
                guard let message = messages[stored.message] else { return nil }
                references[stored.message, default: 0] += 1
                count(message, 1)
                return ServerSession.Entry(
                    message: message, sequence: stored.sequence, qos: stored.qos, retain: stored.retain,
                    identifiers: stored.subscriptionIdentifiers, stored: stored.message,
                    stage: stored.isReleased ? .released : .fresh, isUnsent: stored.isUnsent)
            }
            session.restore(entries, nextSequence: contents.nextSequence, window: max(limits.maximumInFlight, 1))
            // Who was connected has lost its connection with the process.
            let interval = contents.session.expiryInterval
            session.deadline =
                contents.session.deadline ?? (interval < .max ? now + .seconds(Int64(interval)) : nil)
            wake(at: session.deadline)
            // So that a machine that is switched off every night does not keep it for ever.
            if contents.session.deadline == nil, session.deadline != nil { note(.session(session.record)) }
            let place = insert(session)
            for subscription in contents.subscriptions {
                sessions[place].subscriptions[subscription.subscription.filter] = subscription
                subscriptions.insert(subscription, session: place, isNew: true)
            }
        }
        for (topic, id) in state.retained {
            guard let message = messages[id] else { continue }
            references[id, default: 0] += 1
            retained.set(RetainedMessages.Entry(message: message, stored: id), for: topic)
        }
        for contents in state.sessions {
            guard let place = sessionByClient[contents.session.clientIdentifier] else { continue }
            for offer in contents.offers { resume(offer, to: place, at: now) }
        }
        for (client, will) in state.wills { restore(will, of: client, at: now) }
        journal.restore(nextMessage: state.nextMessageID, references: references)
        statistics.sessions = sessionByClient.count
        subscriptionsChanged()
        countRetained()
    }

    private mutating func restore(_ stored: StoredWill, of client: String, at now: NIODeadline) {
        let place = sessionByClient[client]
        let session = place.flatMap { sessions[$0] }
        let information = ClientInformation(
            identifier: client, username: stored.username, version: session?.version ?? .v5, listener: "", address: "")
        var deadline = now + Self.grace
        if place != nil {
            deadline = max(deadline, now + .seconds(Int64(stored.delay)))
            // At the latest with its session.
            deadline = min(deadline, session?.deadline ?? deadline)
        }
        let will = WaitingWill(message: stored.will, client: information, deadline: deadline)
        if let place {
            sessions[place].will = will
        } else {
            orphanedWills[client] = will
        }
        wake(at: will.deadline)
    }

    /// All that a later process needs, for a store that has lost track of it. What is noted already is in it.
    ///
    /// - Returns: with the number of the batch that it stands for.
    mutating func everything() -> (batch: Int, state: StoredState) {
        let batch = journal.takeBatch().number
        var state = StoredState()
        var known: Set<Int64> = []
        func remember(_ message: RoutedMessage, _ id: Int64) {
            guard known.insert(id).inserted else { return }
            state.messages.append(
                StoredMessage(
                    id: id, message: message.message, publisher: message.publisher ?? "", deadline: message.deadline))
        }
        for session in sessions.all where session.isStored {
            var contents = StoredState.SessionContents(session: session.record)
            contents.subscriptions = Array(session.subscriptions.values)
            contents.received = Array(session.received)
            contents.nextSequence = session.nextSequence
            for entry in session.entries where entry.stored > 0 {
                remember(entry.message, entry.stored)
                contents.queue.append(
                    StoredEntry(
                        sequence: entry.sequence, message: entry.stored, qos: entry.qos, retain: entry.retain,
                        subscriptionIdentifiers: entry.identifiers, isReleased: entry.stage == .released,
                        isUnsent: entry.isUnsent))
            }
            contents.offers = session.offers.values.map(\.record)
            state.sessions.append(contents)
            if let will = session.will, mayPublish(will.message, session.policy) {
                state.wills.append((session.clientIdentifier, will.record))
            }
        }
        for case let connection? in connections.all {
            guard let will = connection.will, mayPublish(will, connection.client.policy) else { continue }
            let stored = StoredWill(
                will: will, username: connection.information.username, delay: will.properties.willDelayInterval ?? 0)
            state.wills.append((connection.information.identifier, stored))
        }
        for (client, orphan) in orphanedWills.all { state.wills.append((client, orphan.record)) }
        for entry in retained.all where entry.stored > 0 {
            remember(entry.message, entry.stored)
            state.retained.append((entry.message.message.topic, entry.stored))
        }
        state.nextSessionID = nextSessionID
        state.nextMessageID = journal.nextMessageID
        return (batch, state)
    }
}
