internal import MQTTWire
internal import NIOCore

/// Who gets what is published under a topic; kept until a subscription or a right changes.
struct Route: Sendable {
    /// How one session gets it: its subscriptions that match, made one ([MQTT-3.3.4-3], [MQTT-3.3.4-4]).
    struct Terms: Sendable {
        var qos: QoS
        var retainAsPublished: Bool
        var identifiers: [UInt32]

        fileprivate mutating func add(_ subscriber: SubscriptionTrie.Subscriber) {
            qos = max(qos, subscriber.qos)
            retainAsPublished = retainAsPublished || subscriber.retainAsPublished
            if let identifier = subscriber.identifier { identifiers.append(identifier) }
        }

        fileprivate init(_ subscriber: SubscriptionTrie.Subscriber) {
            qos = subscriber.qos
            retainAsPublished = subscriber.retainAsPublished
            identifiers = subscriber.identifier.map { [$0] } ?? []
        }
    }

    struct Recipient: Sendable {
        var session: Int
        var terms: Terms
        /// For what the session's own client publishes: without the subscriptions that have No Local.
        var ownTerms: Terms?
    }

    var recipients: [Recipient] = []
    var groups: [SubscriptionTrie.GroupPlace] = []

    fileprivate static let kept = 4_096
    /// Bytes of a topic; what is longer is rare, unless somebody means to fill our memory.
    fileprivate static let longestTopic = 1_024
    fileprivate static let keptRecipients = 65_536
}

extension Broker {
    /// Gives a message to everybody who has subscribed to it.
    ///
    /// - Parameter stored: the message's number in the store, given when it first is stored; 0: it is not.
    /// - Returns: how many sessions it is for.
    mutating func route(
        _ message: RoutedMessage, from publisher: Int?, _ stored: inout Int64, at now: NIODeadline
    ) -> Int {
        let topic = message.message.topic
        let route = routes[topic] ?? makeRoute(to: topic)
        var count = 0
        for recipient in route.recipients {
            guard let terms = recipient.session == publisher ? recipient.ownTerms : recipient.terms else { continue }
            count += 1
            deliver(
                message, to: recipient.session, qos: min(message.message.qos, terms.qos),
                retain: message.message.retain && terms.retainAsPublished, identifiers: terms.identifiers, &stored,
                at: now)
        }
        for group in route.groups {
            guard let member = chooseMember(of: group, for: message.message) else { continue }
            count += 1
            deliver(
                message, to: member.session, qos: min(message.message.qos, member.qos),
                retain: message.message.retain && member.retainAsPublished,
                identifiers: member.identifier.map { [$0] } ?? [], &stored, at: now)
        }
        return count
    }

    private mutating func makeRoute(to topic: TopicName) -> Route {
        let match = subscriptions.match(topic)
        var route = Route(groups: match.groups)
        var places: [Int: Int] = [:]
        for subscriber in match.subscribers {
            if let policy = sessions[subscriber.session].policy, !policy.mayReceive(topic) { continue }
            if let place = places[subscriber.session] {
                route.recipients[place].terms.add(subscriber)
                if !subscriber.noLocal {
                    if route.recipients[place].ownTerms == nil {
                        route.recipients[place].ownTerms = Route.Terms(subscriber)
                    } else {
                        route.recipients[place].ownTerms?.add(subscriber)
                    }
                }
            } else {
                places[subscriber.session] = route.recipients.endIndex
                let terms = Route.Terms(subscriber)
                route.recipients.append(
                    Route.Recipient(
                        session: subscriber.session, terms: terms, ownTerms: subscriber.noLocal ? nil : terms))
            }
        }
        guard topic.string.utf8.count <= Route.longestTopic else { return route }
        if routes.count >= Route.kept || routedRecipients >= Route.keptRecipients { forgetRoutes() }
        routes[topic] = route
        routedRecipients += route.recipients.count
        return route
    }

    mutating func forgetRoutes() {
        routes.removeAll(keepingCapacity: true)
        routedRecipients = 0
    }

    /// Members take turns; one that is connected and keeps up goes before one that is not (5.0 §4.8.2).
    private mutating func chooseMember(
        of place: SubscriptionTrie.GroupPlace, for message: ServerMessage
    ) -> SubscriptionTrie.Subscriber? {
        let members = subscriptions.members(of: place)
        guard !members.isEmpty else { return nil }
        let turn = turns[place, default: 0]
        var best: (index: Int, readiness: Readiness)?
        for offset in members.indices {
            let index = (turn + offset) % members.count
            let session = members[index].session
            guard sessions[session].policy?.mayReceive(message.topic) != false else { continue }
            let readiness = readiness(of: session, for: min(message.qos, members[index].qos))
            if best.map({ readiness > $0.readiness }) ?? true { best = (index, readiness) }
            if readiness == .keepsUp { break }
        }
        guard let best else { return nil }
        turns[place] = (best.index + 1) % members.count
        return members[best.index]
    }

    /// How well a member of a group can take a message.
    private enum Readiness: Int, Comparable {
        case away, full, keeps, lagsBehind, keepsUp

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    private func readiness(of session: Int, for qos: QoS) -> Readiness {
        let hasRoom = sessions[session].queued < limits.queuedMessages
        guard sessions[session].connection != nil else {
            return hasRoom && (qos > .atMostOnce || limits.queuesQoS0) ? .keeps : .away
        }
        return sessions[session].queued == 0 ? .keepsUp : hasRoom ? .lagsBehind : .full
    }

    // MARK: Retained messages

    private func isWithinRetainedLimits(_ message: RoutedMessage, replacing old: RetainedMessages.Entry?) -> Bool {
        let limited = retained.limited
        let count = limited.count + (old == nil ? 1 : 0)
        let bytes = limited.bytes + message.size - (old?.message.size ?? 0)
        return count <= limits.retainedMessages && bytes <= limits.retainedBytes
    }

    /// Sets or removes a topic's retained message (5.0 §3.3.1.3).
    ///
    /// - Parameter isStatus: it is a value of `$SYS` that the server keeps up to date: no limit concerns it.
    /// - Returns: an error when a limit forbids it; the message itself is delivered all the same.
    mutating func retain(
        _ message: RoutedMessage, _ stored: inout Int64, isStatus: Bool = false, at now: NIODeadline
    ) -> ReasonCode {
        let topic = message.message.topic
        if message.message.payload.isEmpty {
            removeRetained(topic)
            return .success
        }
        if !isStatus, !isWithinRetainedLimits(message, replacing: retained[topic]) { removeExpiredRetained(at: now) }
        guard isStatus || isWithinRetainedLimits(message, replacing: retained[topic]) else {
            statistics.retainedRefused += 1
            return .quotaExceeded
        }
        // The server's own state is made anew by each process.
        let isStored = storesChanges && !topic.belongsToServer
        if isStored { store(message, &stored) }
        let old = retained.set(
            RetainedMessages.Entry(message: message, stored: isStored ? stored : 0, isStatus: isStatus), for: topic)
        if isStored { note(.retained(topic, message: stored)) }
        if let old, old.stored > 0 { journal.release(old.stored) }
        countRetained()
        tell(.retainedChanged(topic, message.message))
        return .success
    }

    mutating func countRetained() { (statistics.retainedMessages, statistics.retainedBytes) = retained.limited }

    private mutating func removeRetained(_ topic: TopicName) {
        guard let old = retained.remove(topic) else { return }
        if old.stored > 0 {
            note(.retainedRemoved(topic))
            journal.release(old.stored)
        }
        countRetained()
        tell(.retainedChanged(topic, nil))
    }

    private mutating func removeExpiredRetained(at now: NIODeadline) {
        guard let first = retained.nextExpiry, first <= now else { return }
        for entry in retained.all where entry.message.isExpired(at: now) {
            removeRetained(entry.message.message.topic)
        }
        retained.mindExpiry()
    }

    /// Whoever calls it releases the message when it knows no more takers.
    mutating func store(_ message: RoutedMessage, _ stored: inout Int64) {
        guard stored == 0 else { return }
        stored = journal.nextMessage()
        // Held until it has been given to everybody: the first may be done with it at once.
        journal.hold(stored)
        note(
            .message(
                StoredMessage(
                    id: stored, message: message.message, publisher: message.publisher ?? "",
                    deadline: message.deadline)))
    }
}
