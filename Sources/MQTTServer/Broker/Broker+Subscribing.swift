internal import MQTTWire
internal import NIOCore

extension Broker {
    mutating func subscribe(_ subscribe: Subscribe, from id: ConnectionID, at now: NIODeadline) {
        guard let connection = connection(id),
            canTakeCodes(subscribe.subscriptions.count, "SUBACK", connection, at: now)
        else { return }
        let identifier = subscribe.properties.subscriptionIdentifiers.first
        var codes: [ReasonCode] = []
        var offers: [Subscription] = []
        for wanted in subscribe.subscriptions {
            var subscription = wanted
            if connection.peer.isBridge, !wanted.filter.isShared {
                // What keeps a bridge from being a loop, and retained messages retained; a bridge of 5.0 asks for it.
                (subscription.noLocal, subscription.retainAsPublished) = (true, true)
            }
            let verdict = judge(&subscription, connection)
            guard verdict == .accept else {
                if case .refuse(let code) = verdict {
                    codes.append(code.asRefusal(in: .suback))
                } else {
                    codes.append(ReasonCode(rawValue: subscription.qos.rawValue))
                }
                continue
            }
            let isNew = add(
                StoredSubscription(subscription: subscription, identifier: identifier), to: connection.session)
            codes.append(ReasonCode(rawValue: subscription.qos.rawValue))
            tell(.subscribed(client: connection.information.identifier, subscription))
            let handling = subscription.retainHandling
            if !subscription.filter.isShared, handling == .onSubscribe || handling == .onNewSubscribe && isNew {
                offers.append(subscription)
            }
        }
        let isStored = sessions[connection.session].isStored
        send(
            .suback(SubAck(packetIdentifier: subscribe.packetIdentifier, reasonCodes: codes)), on: id,
            durably: isStored)
        for subscription in offers {
            offerRetained(subscription, identifier: identifier, to: connection.session, at: now)
        }
    }

    private func judge(
        _ subscription: inout Subscription, _ connection: BrokerConnection
    ) -> ServerHooks.Verdict {
        let filter = subscription.filter
        if filter.isShared, !limits.areSharedSubscriptionsAvailable { return .refuse(.sharedSubscriptionsNotSupported) }
        if filter.hasWildcards, !limits.areWildcardsAvailable { return .refuse(.wildcardSubscriptionsNotSupported) }
        if filter.string.topicLevelCount > limits.topicLevels { return .refuse(.topicFilterInvalid) }
        if connection.client.policy?.mayEverReceive(filter) == false { return .refuse(.notAuthorized) }
        if sessions[connection.session].subscriptions[filter] == nil,
            sessions[connection.session].subscriptions.count >= limits.subscriptions
                || subscriptions.count >= limits.totalSubscriptions
                || subscriptions.bytes >= limits.totalSubscriptionBytes
        {
            return .refuse(.quotaExceeded)
        }
        subscription.qos = min(subscription.qos, connection.client.maximumQoS)
        let verdict = configuration.hooks.interceptSubscription?(&subscription, connection.information) ?? .accept
        subscription.filter = filter
        return verdict
    }

    /// - Returns: whether the session had no subscription with this filter.
    @discardableResult
    mutating func add(_ stored: StoredSubscription, to place: Int) -> Bool {
        let filter = stored.subscription.filter
        let isNew = sessions[place].subscriptions.updateValue(stored, forKey: filter) == nil
        subscriptions.insert(stored, session: place, isNew: isNew)
        subscriptionsChanged()
        if sessions[place].isStored { note(.subscribed(sessions[place].id, stored)) }
        return isNew
    }

    mutating func subscriptionsChanged() {
        statistics.subscriptions = subscriptions.count
        statistics.sharedSubscriptions = subscriptions.sharedCount
        forgetRoutes()
    }

    /// An answer with so many codes may be more than the client takes ([MQTT-3.1.2-24]).
    private mutating func canTakeCodes(
        _ count: Int, _ answer: String, _ connection: BrokerConnection, at now: NIODeadline
    ) -> Bool {
        if count <= connection.maximumPacketSize - 8 { return true }
        refuse(.packetTooLarge, "\(answer) would be larger than the client takes", on: connection.id, at: now)
        return false
    }

    mutating func unsubscribe(_ unsubscribe: Unsubscribe, from id: ConnectionID, at now: NIODeadline) {
        guard let connection = connection(id), canTakeCodes(unsubscribe.filters.count, "UNSUBACK", connection, at: now)
        else { return }
        var codes: [ReasonCode] = []
        for filter in unsubscribe.filters {
            switch configuration.hooks.interceptUnsubscription?(filter, connection.information) ?? .accept {
            case .accept:
                codes.append(remove(filter, from: connection.session) ? .success : .noSubscriptionExisted)
            case .refuse(let code): codes.append(code.asRefusal(in: .unsuback))
            case .swallow: codes.append(.success)
            }
        }
        if connection.version != .v5 { codes = [] }
        let isStored = sessions[connection.session].isStored
        send(
            .unsuback(UnsubAck(packetIdentifier: unsubscribe.packetIdentifier, reasonCodes: codes)), on: id,
            durably: isStored)
    }

    private mutating func remove(_ filter: TopicFilter, from place: Int) -> Bool {
        guard sessions[place].subscriptions.removeValue(forKey: filter) != nil else { return false }
        subscriptions.remove(filter, session: place)
        sessions[place].offers[filter] = nil
        if filter.isShared { turns.removeAll() }
        subscriptionsChanged()
        if sessions[place].isStored { note(.unsubscribed(sessions[place].id, filter)) }
        tell(.unsubscribed(client: sessions[place].clientIdentifier, filter))
        return true
    }

    /// All of a session's, when it ends.
    mutating func removeSubscriptions(of place: Int) {
        guard !sessions[place].subscriptions.isEmpty else { return }
        for filter in Array(sessions[place].subscriptions.keys) {
            subscriptions.remove(filter, session: place)
            if filter.isShared { turns.removeAll() }
        }
        sessions[place].subscriptions = [:]
        subscriptionsChanged()
    }
}

extension ReasonCode {
    /// What a hook answered, where the packet has a place for it.
    func asRefusal(in packet: PacketType) -> ReasonCode { isError && isAllowed(in: packet) ? self : .unspecifiedError }
}
