internal import MQTTWire
internal import NIOCore
internal import Units

extension Broker {
    /// A client that has been let in begins (5.0 §3.1, §3.2). CONNACK goes out, and what its session has waiting.
    mutating func connect(_ connect: Connect, _ client: AcceptedClient, on id: ConnectionID, at now: NIODeadline) {
        var client = client
        let identifier = client.information.identifier
        let expiry = sessionExpiry(of: connect)
        statistics.packetsReceived += 1
        let keepAlive = agreedKeepAlive(connect)
        client.information.keepAlive = keepAlive
        let properties = answer(to: connect, client, expiry: expiry, keepAlive: keepAlive)
        if let code = refusal(of: connect, client, properties) { return refuse(id, connect, client, code) }

        var place = sessionByClient[identifier]
        let hadSession = place != nil
        var hadWill = false
        if let old = place {
            hadWill = sessions[old].will != nil
            takeOver(old, by: connect, at: now)
        }
        // A session that was to end with its connection has gone with it.
        place = sessionByClient[identifier]
        if let old = place, connect.cleanStart {
            deleteSession(old, .cleanStart, at: now)
            place = nil
        }
        guard place != nil || sessionByClient.count < limits.maximumSessions else {
            return refuse(id, connect, client, .quotaExceeded)
        }
        // What an earlier process knew of the client is over: it is back.
        if orphanedWills[identifier] != nil {
            orphanedWills[identifier] = nil
            hadWill = true
        }

        let isPresent = place != nil
        let session = place ?? addSession(for: client.information, version: connect.version, expiry: expiry)
        sessions[session].connection = id.slot
        sessions[session].version = connect.version
        sessions[session].username = client.information.username
        sessions[session].policy = client.policy
        sessions[session].deadline = nil
        sessions[session].expiryInterval = expiry
        if expiry > 0 {
            note(.session(sessions[session].record))
        } else if isPresent {
            // It was to be kept, and is not any more.
            forgetStored(session)
        }
        // Rights may have changed.
        if isPresent { forgetRoutes() }

        put(
            BrokerConnection(
                id: id, peer: BrokerConnection.Peer(client, will: connect.will, isBridge: connect.isBridge),
                session: session,
                version: connect.version,
                patience: keepAlive > 0 ? .milliseconds(Int64(keepAlive) * 1_500) : nil, lastHeard: now,
                window: window(of: connect, client),
                maximumPacketSize: maximumPacketSize(of: connect)))
        if let connection = connection(id), let patience = connection.patience { wake(at: now + patience) }
        if let will = connect.will, mayPublish(will, client.policy) {
            note(
                .will(
                    client: identifier,
                    StoredWill(
                        will: will, username: client.information.username, delay: will.properties.willDelayInterval ?? 0
                    )))
        } else if hadWill {
            note(.will(client: identifier, nil))
        }
        statistics.connectedClients += 1
        statistics.maximumConnectedClients = max(statistics.maximumConnectedClients, statistics.connectedClients)
        statistics.sessions = sessionByClient.count

        send(
            .connack(
                ConnAck(
                    sessionPresent: isPresent, reasonCode: .success,
                    properties: properties)),
            on: id, durably: expiry > 0 || hadSession || connect.will != nil)
        tell(.clientConnected(client.information, sessionPresent: isPresent))
        if isPresent { resume(session, at: now) }
    }

    /// Seconds (5.0 §3.1.2.11.2); 3.1.1 knows only sessions that end with the connection and sessions without end.
    private func sessionExpiry(of connect: Connect) -> UInt32 {
        let wanted: UInt32 =
            switch connect.version {
            case .v5: connect.properties.sessionExpiryInterval ?? 0
            case .v3_1, .v3_1_1: connect.cleanStart ? 0 : .max
            }
        return min(wanted, limits.maximumSessionExpiry ?? .max)
    }

    private func agreedKeepAlive(_ connect: Connect) -> UInt16 {
        guard connect.version == .v5, let most = limits.maximumKeepAlive else { return connect.keepAlive }
        return connect.keepAlive == 0 ? most : min(connect.keepAlive, most)
    }

    private func maximumPacketSize(of connect: Connect) -> Int {
        connect.properties.maximumPacketSize.map { Int(clamping: $0) } ?? .max
    }

    private func window(of connect: Connect, _ client: AcceptedClient) -> Int {
        let most = client.maximumInFlight ?? limits.maximumInFlight
        return min(max(most, 1), Int(connect.properties.receiveMaximum ?? .max))
    }

    /// The same client is here already, or has a session ([MQTT-3.1.4-3]).
    private mutating func takeOver(_ session: Int, by connect: Connect, at now: NIODeadline) {
        if let slot = sessions[session].connection, let old = connections[slot] {
            end(old.id, .byServer(.sessionTakenOver), at: now, isTakenOver: !connect.cleanStart)
        } else if let will = sessions[session].will,
            !connect.cleanStart || (will.message.properties.willDelayInterval ?? 0) == 0
        {
            // It is back in time ([MQTT-3.1.3-9]). A will without a delay waits only because the client lost its
            // connection by our own restart.
            sessions[session].will = nil
        }
    }

    private mutating func addSession(
        for information: ClientInformation, version: ProtocolVersion, expiry: UInt32
    ) -> Int {
        let session = ServerSession(
            id: nextSessionID, clientIdentifier: information.identifier, version: version,
            username: information.username, expiryInterval: expiry)
        nextSessionID += 1
        return insert(session)
    }

    mutating func insert(_ session: ServerSession) -> Int {
        let place = sessions.insert(session)
        sessionByClient[session.clientIdentifier] = place
        return place
    }

    private mutating func put(_ connection: BrokerConnection) {
        connections.reach(connection.id.slot)
        connections[connection.id.slot] = connection
    }

    /// A will that could not be published as it was given ([MQTT-3.2.2-12], [MQTT-3.2.2-13]); under 3.1.1 it is lowered.
    /// And a client that could not even be answered ([MQTT-3.1.2-24]).
    private func refusal(of connect: Connect, _ client: AcceptedClient, _ answer: Properties) -> ReasonCode? {
        guard connect.version == .v5 else { return nil }
        let accepted = Packet.connack(ConnAck(sessionPresent: false, reasonCode: .success, properties: answer))
        if let size = try? accepted.encodedSize(version: .v5), size > maximumPacketSize(of: connect) {
            return .packetTooLarge
        }
        guard let will = connect.will else { return nil }
        if will.qos > client.maximumQoS { return .qosNotSupported }
        return will.retain && !limits.isRetainAvailable ? .retainNotSupported : nil
    }

    private mutating func refuse(_ id: ConnectionID, _ connect: Connect, _ client: AcceptedClient, _ code: ReasonCode) {
        statistics.connectionsRefused += 1
        // 3.1.1 has no word for a quota.
        let code = connect.version == .v5 ? code : .serverUnavailable
        send(.connack(ConnAck(sessionPresent: false, reasonCode: code)), on: id)
        effects.append(.close(id, nil))
        tell(
            .connectionRefused(
                identifier: client.information.identifier, username: client.information.username,
                address: client.information.address, code))
    }

    /// CONNACK's properties: what differs from what the client would take for granted (5.0 §3.2.2.3).
    private func answer(
        to connect: Connect, _ client: AcceptedClient, expiry: UInt32, keepAlive: UInt16
    ) -> Properties {
        guard connect.version == .v5 else { return [] }
        var properties: Properties = []
        if expiry != connect.properties.sessionExpiryInterval ?? 0 { properties.sessionExpiryInterval = expiry }
        if limits.receiveMaximum < .max { properties.receiveMaximum = max(limits.receiveMaximum, 1) }
        if client.maximumQoS < .exactlyOnce { properties.maximumQoS = client.maximumQoS }
        if !limits.isRetainAvailable { properties.retainAvailable = false }
        properties.maximumPacketSize = UInt32(clamping: client.maximumPacketSize)
        if client.isIdentifierAssigned { properties.assignedClientIdentifier = client.information.identifier }
        if client.topicAliasMaximum > 0 { properties.topicAliasMaximum = client.topicAliasMaximum }
        if !limits.areWildcardsAvailable { properties.wildcardSubscriptionAvailable = false }
        if !limits.areSharedSubscriptionsAvailable { properties.sharedSubscriptionAvailable = false }
        if keepAlive != connect.keepAlive { properties.serverKeepAlive = keepAlive }
        if connect.properties.requestResponseInformation == true, let information = configuration.responseInformation {
            properties.responseInformation = information.replacing(each: "%c", with: client.information.identifier)
        }
        properties.all += client.properties.all
        return properties
    }

    /// A session that was stored is one in memory now.
    private mutating func forgetStored(_ place: Int) {
        guard sessions[place].isStored else { return }
        note(.sessionDeleted(sessions[place].id))
        if storesChanges { journal.forget(sessions[place].id, sessions[place].entries) }
        sessions[place].forgetStored()
    }

    /// Brings a session that has its connection back up to what its client may see now, and sends what waits.
    private mutating func resume(_ place: Int, at now: NIODeadline) {
        if let policy = sessions[place].policy {
            for entry in sessions[place].evict(forbidden: { !policy.mayReceive($0) }) {
                letGo(entry, of: place, .refused)
            }
        }
        pump(place, at: now)
    }
}
