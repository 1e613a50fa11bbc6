internal import DequeModule
internal import MQTTWire
internal import NIOCore

// Retained messages on their way to who has subscribed to them.
extension Broker {
    /// Begins to give out the retained messages that a new subscription asks for.
    mutating func offerRetained(
        _ subscription: Subscription, identifier: UInt32?, to place: Int, at now: NIODeadline
    ) {
        // An earlier answer to the same filter may not be at its end; this one has all of it again.
        let earlier = sessions[place].offers.removeValue(forKey: subscription.filter)
        if retained.count > 0 {
            let record = StoredOffer(filter: subscription.filter, below: journal.nextMessageID)
            offer(record, subscription, identifier, to: place, at: now)
            pump(place, at: now)
        }
        // Often there is nothing left to be noted.
        if let offer = sessions[place].offers[subscription.filter] {
            sessions[place].offers[subscription.filter]?.isNoted = true
            note(.offered(sessions[place].id, offer.record))
        } else if earlier != nil, sessions[place].isStored {
            note(.offerEnded(sessions[place].id, subscription.filter))
        }
    }

    /// Goes on with what an earlier process had begun.
    mutating func resume(_ record: StoredOffer, to place: Int, at now: NIODeadline) {
        guard let stored = sessions[place].subscriptions[record.filter] else { return }
        offer(record, stored.subscription, stored.identifier, to: place, at: now)
        sessions[place].offers[record.filter]?.isNoted = true
        if sessions[place].offers[record.filter] == nil { note(.offerEnded(sessions[place].id, record.filter)) }
    }

    /// Puts what there is into the backlog.
    private mutating func offer(
        _ offer: StoredOffer, _ subscription: Subscription, _ identifier: UInt32?, to place: Int, at now: NIODeadline
    ) {
        let policy = sessions[place].policy
        let isResumed = sessions[place].connection == nil
        var room = max(0, 4 * limits.retainedMessages + retained.statusCount - sessions[place].retainedBacklog.count)
        let id = storesChanges && sessions[place].isStored ? ServerSession.OfferID(offer.filter) : nil
        var entries = retained.matching(offer.filter)
        if isResumed { entries.removeAll { !offer.takesIn($0) } }
        // So that a later process knows from one topic what was given out.
        if id != nil { entries.sort { $0.message.message.topic.precedes($1.message.message.topic.string) } }
        var last: Int?
        for entry in entries {
            let message = entry.message
            let qos = min(message.message.qos, subscription.qos)
            if message.isExpired(at: now) || policy?.mayReceive(message.message.topic) == false { continue }
            if isResumed, qos == .atMostOnce { continue }
            guard room > 0 else {
                dropped(message, for: sessions[place].clientIdentifier, .queueFull)
                continue
            }
            room -= 1
            let isKept = qos > .atMostOnce && entry.stored > 0
            if isKept { last = sessions[place].retainedBacklog.endIndex }
            sessions[place].retainedBacklog.append(
                ServerSession.Offered(entry: entry, qos: qos, identifier: identifier, offer: isKept ? id : nil))
        }
        guard let id, let last else { return }
        sessions[place].retainedBacklog[last].isLast = true
        sessions[place].offers[offer.filter] = ServerSession.Offer(id: id, record: offer)
    }

    /// One of them is given out, or is not to be any more.
    private mutating func noteProgress(of offered: ServerSession.Offered, of place: Int) {
        guard let id = offered.offer, var offer = sessions[place].offers[id.filter], offer.id === id else { return }
        offer.record.last = offered.entry.message.message.topic.string
        sessions[place].offers[id.filter] = offered.isLast ? nil : offer
        guard offer.isNoted else { return }
        note(
            offered.isLast
                ? .offerEnded(sessions[place].id, id.filter) : .offered(sessions[place].id, offer.record))
    }

    /// Takes one retained message up, when nothing else waits. It goes straight on its way: the queue's limits do not
    /// concern what is in memory anyway.
    ///
    /// - Returns: false when there is none, or no place for it.
    mutating func deliverRetained(to place: Int, on connection: BrokerConnection, at now: NIODeadline) -> Bool {
        guard sessions[place].queue.isEmpty, let next = sessions[place].retainedBacklog.first,
            next.qos == .atMostOnce || sessions[place].inFlight.count < connection.window,
            let first = sessions[place].retainedBacklog.popFirst()
        else { return false }
        let message = first.entry.message
        let topic = message.message.topic
        noteProgress(of: first, of: place)
        // Another one may have taken its place meanwhile, which was delivered as what was published.
        guard retained[topic]?.message === message, !message.isExpired(at: now),
            connection.client.policy?.mayReceive(topic) != false,
            configuration.hooks.interceptEnqueue?(message.message, connection.information.identifier) != false
        else { return true }
        let identifiers = first.identifier.map { [$0] } ?? []
        if first.qos == .atMostOnce {
            pass(message, to: place, on: connection.id.slot, retain: true, identifiers: identifiers, at: now)
            return true
        }
        var stored = first.entry.stored
        enqueue(message, in: place, qos: first.qos, retain: true, identifiers: identifiers, &stored)
        if first.entry.stored == 0, stored > 0 { journal.release(stored) }
        return true
    }
}

extension StoredOffer {
    fileprivate func takesIn(_ entry: RetainedMessages.Entry) -> Bool {
        entry.stored > 0 && entry.stored < below
            && last.utf8.lexicographicallyPrecedes(entry.message.message.topic.string.utf8)
    }
}

extension TopicName {
    fileprivate func precedes(_ other: String) -> Bool { string.utf8.lexicographicallyPrecedes(other.utf8) }
}
