internal import MQTTWire
internal import NIOCore

extension Broker {
    /// The network connection is gone.
    mutating func closed(_ id: ConnectionID, at now: NIODeadline) {
        guard connection(id) != nil else { return }
        leave(id, .connectionLost, publishesWill: true, at: now)
    }

    /// DISCONNECT came (5.0 §3.14).
    mutating func disconnected(_ disconnect: Disconnect, from id: ConnectionID, at now: NIODeadline) {
        guard let connection = connection(id) else { return }
        if connection.version == .v5, let wanted = disconnect.properties.sessionExpiryInterval {
            if wanted > 0, sessions[connection.session].expiryInterval == 0 {
                return refuse(
                    .protocolError, "a session that was to end cannot be kept after all (MQTT-3.14.2.2.2)", on: id,
                    at: now)
            }
            setExpiry(min(wanted, limits.maximumSessionExpiry ?? .max), of: connection.session)
        }
        let cause = DisconnectCause.byClient(disconnect.reasonCode)
        leave(id, cause, publishesWill: disconnect.reasonCode != .normalDisconnection, at: now)
        effects.append(.close(id, cause))
    }

    private mutating func setExpiry(_ interval: UInt32, of place: Int) {
        guard sessions[place].expiryInterval != interval else { return }
        sessions[place].expiryInterval = interval
        // A session that is to end now is deleted with its connection; until then it stays stored.
        if interval > 0 { note(.session(sessions[place].record)) }
    }

    /// The peer broke a rule, or something else forbids going on (5.0 §4.13).
    mutating func refuse(_ reason: ReasonCode, _ text: String?, on id: ConnectionID, at now: NIODeadline) {
        end(id, .byServer(reason, text), at: now)
    }

    /// We end a connection: DISCONNECT under 5.0, and close.
    mutating func end(
        _ id: ConnectionID, _ cause: DisconnectCause, at now: NIODeadline, isTakenOver: Bool = false
    ) {
        guard let connection = connection(id) else { return }
        if connection.version == .v5, case .byServer(let reason, let text) = cause {
            var properties: Properties = []
            if let text, connection.maximumPacketSize > text.utf8.count + 16 { properties.reasonString = text }
            send(.disconnect(Disconnect(reasonCode: reason, properties: properties)), on: id)
        }
        leave(id, cause, publishesWill: true, isTakenOver: isTakenOver, at: now)
        effects.append(.close(id, cause))
    }

    /// The broker lets go of a connection; its session goes on, or ends.
    private mutating func leave(
        _ id: ConnectionID, _ cause: DisconnectCause, publishesWill: Bool, isTakenOver: Bool = false,
        at now: NIODeadline
    ) {
        guard let connection = connection(id) else { return }
        let place = connection.session
        connections[id.slot] = nil
        aliasBytes -= connection.aliasBytes
        statistics.connectedClients -= 1
        let client = connection.information.identifier
        for entry in sessions[place].connectionLost() {
            count(entry.message, -1)
            dropped(entry.message, for: client, .notReading)
        }
        tell(.clientDisconnected(connection.information, cause))

        let expiry = sessions[place].expiryInterval
        var will = connection.will
        if will != nil { note(.will(client: client, nil)) }
        if !publishesWill { will = nil }
        if let waiting = will, expiry > 0, let delay = waiting.properties.willDelayInterval, delay > 0 {
            // It is not published if the client comes back in time ([MQTT-3.1.3-9]).
            if !isTakenOver {
                let deadline = now + .seconds(Int64(min(delay, expiry)))
                let will = WaitingWill(message: waiting, client: connection.information, deadline: deadline)
                sessions[place].will = will
                if mayPublish(waiting, connection.client.policy) { note(.will(client: client, will.record)) }
                wake(at: deadline)
            }
            will = nil
        }
        if expiry == 0 {
            deleteSession(place, .disconnected, at: now)
        } else if expiry < .max {
            let deadline = now + .seconds(Int64(expiry))
            sessions[place].deadline = deadline
            note(.session(sessions[place].record))
            wake(at: deadline)
        }
        if let will { publishWill(will, of: connection.information, policy: connection.client.policy, at: now) }
    }

    // MARK: Sessions

    mutating func deleteSession(_ place: Int, _ cause: SessionEnd, at now: NIODeadline) {
        if let slot = sessions[place].connection, let connection = connections[slot] {
            end(connection.id, .byServer(.administrativeAction), at: now)
        }
        // It may have ended with its connection.
        let session = sessions[place]
        guard session.isInUse else { return }
        removeSubscriptions(of: place)
        let entries = session.entries
        for entry in entries {
            count(entry.message, -1)
            dropped(entry.message, for: session.clientIdentifier, .sessionEnded)
        }
        if storesChanges, session.isStored {
            note(.sessionDeleted(session.id))
            journal.forget(session.id, entries)
        }
        sessions.remove(place)
        sessionByClient[session.clientIdentifier] = nil
        statistics.sessions = sessionByClient.count
        tell(.sessionDeleted(client: session.clientIdentifier, cause))
        // A will that waits goes out at the latest now (5.0 §3.1.3.2.2).
        if let will = session.will {
            note(.will(client: session.clientIdentifier, nil))
            publishWill(will.message, of: will.client, policy: session.policy, at: now)
        }
    }

    /// - Returns: whether there was such a client.
    mutating func disconnect(_ identifier: String, _ reason: ReasonCode, at now: NIODeadline) -> Bool {
        guard let place = sessionByClient[identifier], let slot = sessions[place].connection,
            let connection = connections[slot]
        else { return false }
        end(connection.id, .byServer(reason), at: now)
        return true
    }

    /// - Returns: whether there was such a session.
    mutating func deleteSession(of identifier: String, at now: NIODeadline) -> Bool {
        guard let place = sessionByClient[identifier] else { return false }
        deleteSession(place, .deleted, at: now)
        return true
    }

    /// Says goodbye to all. Wills are not published: clients are told, and those of a stored broker come up again with it.
    mutating func shutDown(at now: NIODeadline) {
        for case let connection? in connections.all {
            if connection.version == .v5 {
                send(.disconnect(Disconnect(reasonCode: .serverShuttingDown)), on: connection.id)
            }
            leaveForShutdown(connection, at: now)
            effects.append(.close(connection.id, .byServer(.serverShuttingDown)))
        }
    }

    private mutating func leaveForShutdown(_ connection: BrokerConnection, at now: NIODeadline) {
        let place = connection.session
        connections[connection.id.slot] = nil
        aliasBytes -= connection.aliasBytes
        statistics.connectedClients -= 1
        for entry in sessions[place].connectionLost() { count(entry.message, -1) }
        tell(.clientDisconnected(connection.information, .byServer(.serverShuttingDown)))
        let expiry = sessions[place].expiryInterval
        if expiry == 0 {
            deleteSession(place, .disconnected, at: now)
        } else if expiry < .max {
            sessions[place].deadline = now + .seconds(Int64(expiry))
            note(.session(sessions[place].record))
        }
    }
}
