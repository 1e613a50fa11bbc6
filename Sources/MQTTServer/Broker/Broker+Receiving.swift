internal import MQTTWire
internal import NIOCore

extension Broker {
    /// A packet came from a client that has been let in; CONNECT and AUTH are the driver's.
    mutating func receive(_ packet: Packet, from id: ConnectionID, at now: NIODeadline) {
        guard connection(id) != nil else { return }
        connections[id.slot]?.lastHeard = now
        statistics.packetsReceived += 1
        switch packet {
        case .publish(let publish): received(publish, from: id, at: now)
        case .puback(let acknowledgement): acknowledged(acknowledgement, from: id, at: now)
        case .pubrec(let acknowledgement): recorded(acknowledgement, from: id, at: now)
        case .pubrel(let acknowledgement): released(acknowledgement, from: id, at: now)
        case .pubcomp(let acknowledgement): completed(acknowledgement, from: id, at: now)
        case .subscribe(let subscribe): self.subscribe(subscribe, from: id, at: now)
        case .unsubscribe(let unsubscribe): self.unsubscribe(unsubscribe, from: id, at: now)
        case .pingreq: send(.pingresp, on: id)
        case .disconnect(let disconnect): self.disconnected(disconnect, from: id, at: now)
        case .connect: refuse(.protocolError, "a second CONNECT (MQTT-3.1.0-2)", on: id, at: now)
        case .connack, .suback, .unsuback, .pingresp:
            refuse(.protocolError, "\(packet.type) is a server's to send", on: id, at: now)
        case .auth: refuse(.protocolError, "AUTH without an authentication method", on: id, at: now)
        }
    }

    /// A large packet makes progress, which counts as a sign of life.
    mutating func heard(from id: ConnectionID, at now: NIODeadline) {
        guard connection(id) != nil else { return }
        connections[id.slot]?.lastHeard = now
    }

    // MARK: PUBLISH

    private mutating func received(_ publish: Publish, from id: ConnectionID, at now: NIODeadline) {
        guard let connection = connection(id) else { return }
        statistics.messagesReceived += 1
        statistics.payloadBytesReceived += publish.payload.readableBytes
        guard let topic = resolveTopic(of: publish, connection, at: now) else { return }
        if publish.qos > connection.client.maximumQoS {
            return refuse(.qosNotSupported, "QoS \(publish.qos.rawValue) is not offered", on: id, at: now)
        }
        if publish.retain, !limits.isRetainAvailable {
            return refuse(.retainNotSupported, "retained messages are not offered", on: id, at: now)
        }
        if connection.version == .v5, publish.properties.all.contains(where: \.isSubscriptionIdentifier) {
            return refuse(.protocolError, "a subscription identifier from a client (MQTT-3.3.4-6)", on: id, at: now)
        }
        if publish.qos > .atMostOnce, connection.version == .v5, connection.unreleased >= limits.receiveMaximum {
            return refuse(.receiveMaximumExceeded, "more than \(limits.receiveMaximum) under way", on: id, at: now)
        }
        // The second time a QoS 2 message comes, it only is answered ([MQTT-4.3.3-10]).
        if publish.qos == .exactlyOnce, let identifier = publish.packetIdentifier,
            sessions[connection.session].received.contains(identifier)
        {
            let isStored = sessions[connection.session].isStored
            return send(.pubrec(Acknowledgement(packetIdentifier: identifier)), on: id, durably: isStored)
        }

        var message = ServerMessage(
            topic: topic, payload: publish.payload, qos: publish.qos, retain: publish.retain,
            properties: publish.properties)
        if !message.properties.isEmpty { message.properties.topicAlias = nil }
        // An error ends the exchange of a QoS 2 message, which may come again then: it must not have gone anywhere.
        let mustRetain = publish.qos == .exactlyOnce && connection.version == .v5
        let outcome = accept(&message, from: connection, mustRetain: mustRetain, at: now)
        answer(publish, outcome, connection)
    }

    /// Of all connections together.
    private static let maximumAliasBytes = 32 << 20

    /// Puts the topic back in the place of an alias (5.0 §3.3.2.3.4).
    private mutating func resolveTopic(
        of publish: Publish, _ connection: BrokerConnection, at now: NIODeadline
    ) -> TopicName? {
        guard connection.version == .v5, let alias = publish.properties.topicAlias else { return publish.topic }
        guard alias > 0, alias <= connection.client.topicAliasMaximum else {
            let offered = connection.client.topicAliasMaximum
            refuse(.topicAliasInvalid, "topic alias \(alias); \(offered) are offered", on: connection.id, at: now)
            return nil
        }
        if let topic = publish.topic {
            let growth = topic.string.utf8.count - (connection.aliases[alias]?.string.utf8.count ?? 0)
            guard growth <= 0 || aliasBytes + growth <= Self.maximumAliasBytes else {
                refuse(.quotaExceeded, "too many long topics have aliases", on: connection.id, at: now)
                return nil
            }
            aliasBytes += growth
            connections[connection.id.slot]?.aliases[alias] = topic
            return topic
        }
        if let topic = connection.aliases[alias] { return topic }
        refuse(.protocolError, "topic alias \(alias) was not given a topic", on: connection.id, at: now)
        return nil
    }

    private mutating func accept(
        _ message: inout ServerMessage, from connection: BrokerConnection, mustRetain: Bool, at now: NIODeadline
    ) -> ReasonCode {
        let information = connection.information
        if message.topic.belongsToServer || connection.client.policy?.mayPublish(to: message.topic) == false {
            return .notAuthorized
        }
        if message.retain, !message.payload.isEmpty, message.topic.string.topicLevelCount > limits.topicLevels {
            return .topicNameInvalid
        }
        switch intercept(&message, information) {
        case .accept: break
        case .refuse(let code): return code.asRefusal(in: .puback)
        case .swallow: return .success
        }
        tell(.messageReceived(message, client: information.identifier))
        let (code, receivers) = distribute(
            message, from: connection.session, publisher: information.identifier, mustRetain: mustRetain, at: now)
        return code == .success && receivers == 0 ? .noMatchingSubscribers : code
    }

    private func intercept(_ message: inout ServerMessage, _ client: ClientInformation?) -> ServerHooks.Verdict {
        guard let intercept = configuration.hooks.interceptPublish else { return .accept }
        let verdict = intercept(&message, client)
        // What has no form as a packet would stay in its receivers' queues.
        return verdict == .accept && !message.canBeSent ? .refuse(.implementationSpecificError) : verdict
    }

    /// Retains a message, if that is wanted, and gives it to all who have subscribed.
    ///
    /// - Parameter mustRetain: it goes nowhere if it cannot be retained.
    /// - Returns: an error when it could not be retained, and how many sessions it is for.
    private mutating func distribute(
        _ message: ServerMessage, from session: Int?, publisher: String?, mustRetain: Bool = false, at now: NIODeadline
    ) -> (code: ReasonCode, receivers: Int) {
        let routed = RoutedMessage(message, publisher: publisher, at: now)
        var code = ReasonCode.success
        var stored: Int64 = 0
        if message.retain { code = retain(routed, &stored, at: now) }
        if code.isError, mustRetain { return (code, 0) }
        let count = route(routed, from: session, &stored, at: now)
        if stored > 0 { journal.release(stored) }
        if count == 0 {
            statistics.messagesNotConsumed += 1
            tell(.messageNotConsumed(message, client: publisher))
        }
        return (code, count)
    }

    private mutating func answer(_ publish: Publish, _ outcome: ReasonCode, _ connection: BrokerConnection) {
        guard let identifier = publish.packetIdentifier else { return }
        // Under 3.1.1 there is no way to refuse a message but to close; it is taken and goes nowhere ([MQTT-3.3.5-2]).
        let code = connection.version == .v5 ? outcome : .success
        let acknowledgement = Acknowledgement(packetIdentifier: identifier, reasonCode: code)
        let isStored = sessions[connection.session].isStored
        let isChanged = !journal.isEmpty
        guard publish.qos == .exactlyOnce else {
            return send(.puback(acknowledgement), on: connection.id, durably: isStored || isChanged)
        }
        if !code.isError {
            sessions[connection.session].received.insert(identifier)
            connections[connection.id.slot]?.unreleased += 1
            if isStored { note(.received(sessions[connection.session].id, identifier)) }
        }
        send(.pubrec(acknowledgement), on: connection.id, durably: isStored || isChanged)
    }

    private mutating func released(_ release: Acknowledgement, from id: ConnectionID, at now: NIODeadline) {
        guard let connection = connection(id) else { return }
        let identifier = release.packetIdentifier
        var complete = Acknowledgement(packetIdentifier: identifier)
        let isStored = sessions[connection.session].isStored
        if sessions[connection.session].received.remove(identifier) != nil {
            connections[id.slot]?.unreleased = max(0, connection.unreleased - 1)
            if isStored { note(.receivedReleased(sessions[connection.session].id, identifier)) }
        } else if connection.version == .v5 {
            complete.reasonCode = .packetIdentifierNotFound
        }
        send(.pubcomp(complete), on: id, durably: isStored)
    }

    // MARK: From the server itself

    /// Publishes in the server's own name, to any topic.
    ///
    /// - Returns: how many sessions it is for; nil when the interceptor withheld it.
    @discardableResult
    mutating func publish(_ message: ServerMessage, at now: NIODeadline) -> Int? {
        var message = message
        if !message.properties.isEmpty {
            // Those of a message that was received elsewhere and is passed on.
            message.properties.topicAlias = nil
            message.properties.subscriptionIdentifiers = []
        }
        if intercept(&message, nil) != .accept { return nil }
        tell(.messageReceived(message, client: nil))
        return distribute(message, from: nil, publisher: nil, at: now).receivers
    }

    /// Brings a value of `$SYS` up to date. That happens all the time: no hook is asked, and no event tells of it.
    mutating func publishStatus(_ message: ServerMessage, at now: NIODeadline) {
        let wantedEvents = wantsEvents
        wantsEvents = false
        defer { wantsEvents = wantedEvents }
        let routed = RoutedMessage(message, publisher: nil, at: now)
        var stored: Int64 = 0
        _ = retain(routed, &stored, isStatus: true, at: now)
        _ = route(routed, from: nil, &stored, at: now)
        if stored > 0 { journal.release(stored) }
    }

    /// A will is published as its client would have done ([MQTT-3.1.2-8]).
    mutating func publishWill(
        _ will: Will, of client: ClientInformation, policy: (any ClientPolicy)?, at now: NIODeadline
    ) {
        guard mayPublish(will, policy) else { return }
        var message = ServerMessage(
            topic: will.topic, payload: will.payload, qos: min(will.qos, limits.maximumQoS),
            retain: will.retain && limits.isRetainAvailable, properties: will.properties)
        message.properties.willDelayInterval = nil
        if intercept(&message, client) != .accept { return }
        tell(.messageReceived(message, client: client.identifier))
        _ = distribute(
            message, from: sessionByClient[client.identifier], publisher: client.identifier, at: now)
    }

    func mayPublish(_ will: Will, _ policy: (any ClientPolicy)?) -> Bool {
        if will.retain, will.topic.string.topicLevelCount > limits.topicLevels { return false }
        return !will.topic.belongsToServer && policy?.mayPublish(to: will.topic) != false
    }
}

extension TopicName {
    /// `$SYS`, which nobody else may write, but for what bridges say of themselves there.
    var belongsToServer: Bool {
        guard string.utf8.starts(with: "$SYS/".utf8) || string.utf8.elementsEqual("$SYS".utf8) else { return false }
        return !isBridgeState
    }

    /// `$SYS/broker/connection/{name}/state`: Mosquitto's bridges say there whether they are connected.
    var isBridgeState: Bool { Self.bridgeState?.matches(self) == true }

    private static let bridgeState = try? TopicFilter("$SYS/broker/connection/+/state")
}

extension Property {
    fileprivate var isSubscriptionIdentifier: Bool {
        if case .subscriptionIdentifier = self { true } else { false }
    }
}

extension ByteBuffer {
    var isEmpty: Bool { readableBytes == 0 }
}
