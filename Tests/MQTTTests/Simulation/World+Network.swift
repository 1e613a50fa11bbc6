import MQTTWire

@testable import MQTT

// Connections, and how they and the processes at their ends die.
extension World {
    mutating func connect(_ argument: Int) throws(Failure) {
        guard client.phase == .idle else { return }
        now = max(now, client.nextAttempt)
        if setup.isDurable, !client.hasAskedStore {
            client.hasAskedStore = true
            if let storedName {
                client.sessionName = storedName
                if setup.fault != .restoresNothing {
                    client.session.restore(StoredSession(name: Int64(storedName), incoming: storedIncoming))
                }
            }
        }
        client.server = client.attempt % servers.count
        client.attempt += 1
        client.link += 1
        if argument >> 4 == 15 {
            note("nobody answers")
            return end(.notConnected)
        }
        client.cleanStart = client.sessionName != client.server && setup.fault != .resumesStrangeSessions
        if let name = client.sessionName, name != client.server { coverage.reached(.otherServer) }
        client.phase = .connecting
        wireCount += 1
        wires.removeAll { $0.toServer.isEmpty && servers[$0.server].wire != $0.id }
        wires.append(Wire(id: wireCount, server: client.server))
        note("client connects\(servers.count > 1 ? " to server \(client.server)" : "")")
        client.outstanding.removeAll()
        try clientSends(.connect(clean: client.cleanStart))
    }

    /// How much of what is under way still arrives: nothing, one packet, two, or all.
    private func kept(_ choice: Int, of count: Int) -> Int { choice & 3 == 3 ? count : min(count, choice & 3) }

    mutating func cut(_ argument: Int) {
        guard client.phase != .idle, !wires[wires.count - 1].isCut else { return }
        cutLastWire(keptToServer: argument, keptToClient: argument >> 2)
        coverage.reached(.cut)
        note("cut")
    }

    private mutating func cutLastWire(keptToServer: Int, keptToClient: Int) {
        let last = wires.count - 1
        let toServer = kept(keptToServer, of: wires[last].toServer.count)
        let toClient = kept(keptToClient, of: wires[last].toClient.count)
        if toServer < wires[last].toServer.count { coverage.reached(.cutLosesToServer) }
        if toClient < wires[last].toClient.count { coverage.reached(.cutLosesToClient) }
        wires[last].toServer.removeLast(wires[last].toServer.count - toServer)
        wires[last].toClient.removeLast(wires[last].toClient.count - toClient)
        wires[last].isCut = true
    }

    mutating func notice(_ argument: Int) throws(Failure) {
        guard client.phase != .idle, wires[wires.count - 1].isCut else { return }
        if argument >> 6 & 1 == 1 {
            // Half-open until keep-alive runs out.
            coverage.reached(.halfOpen)
            now += 90_000
        }
        note("client notices")
        let uptime = Duration.milliseconds(now - client.upSince)
        end(client.phase == .up ? .ended(after: uptime) : .notConnected)
        if let broken { throw broken }
    }

    /// A connection, or an attempt, is over.
    mutating func end(_ reason: Backoff.Failure) {
        if client.phase == .up {
            client.phase = .idle
            client.mayPublish = false
            client.session.connectionLost()
            tellStore()
            if setup.fault != .keepsSteps { client.steps = ExchangeSteps(seen: client.steps.seen) }
            if setup.fault == .forgetsWhatWasReady { client.ready.removeAll() }
            client.direct.removeAll()
        }
        if client.phase == .connecting { client.phase = .idle }
        if let last = wires.indices.last {
            wires[last].isCut = true
            wires[last].toClient.removeAll()
        }
        let delay = client.backoff.delay(after: reason, using: &generator)
        if case .ended(let uptime) = reason, uptime >= client.backoff.stableAfter { client.attempt -= 1 }
        if client.backoff.ceiling == client.backoff.cap { coverage.reached(.backoffAtCap) }
        if delay > client.backoff.ceiling || delay < .zero || client.backoff.ceiling > client.backoff.cap {
            broken = Failure(rule: .backoff, detail: "\(delay)")
        }
        client.nextAttempt = now + Int(delay / .milliseconds(1))
    }

    /// What the process knew is gone; what it sent may still be read.
    mutating func clientCrashes() {
        guard setup.isDurable else { return }
        note("the client's process dies")
        noteCrash()
        if client.phase != .idle {
            wires[wires.count - 1].isCut = true
            wires[wires.count - 1].toClient.removeAll()
        }
        let (process, link) = (client.process, client.link)
        client = ModelClient(setup, process: process + 1)
        client.link = link
        storeCrashes()
    }

    private mutating func noteCrash() {
        switch client.phase {
        case .idle: coverage.reached(.crashIdle)
        case .connecting: coverage.reached(.crashConnecting)
        case .up: coverage.reached(client.mayPublish ? .crashUp : .crashBeforeBegin)
        }
        if !unsaved.isEmpty { coverage.reached(.crashAppending) }
        if client.isFetching { coverage.reached(.crashFetching) }
        if !client.ready.isEmpty { coverage.reached(.crashReady) }
        if client.mayPublish, client.session.outgoing.values.contains(where: { !$0.isOutstanding }) {
            coverage.reached(.crashResending)
        }
        if client.session.outgoing.values.contains(where: { $0.stage == .publish }) {
            coverage.reached(.crashPublished)
        }
        if client.session.outgoing.values.contains(where: { $0.stage == .release }) {
            coverage.reached(.crashReleased)
        }
        if !client.steps.isEmpty || asked.contains(where: { if case .note = $0 { true } else { false } }) {
            coverage.reached(.crashNoting)
        }
        if answered.contains(where: { if case .noted = $0 { true } else { false } }) { coverage.reached(.crashNoted) }
        if answered.contains(where: { if case .begun = $0 { true } else { false } }) {
            coverage.reached(.crashSessionNoted)
        }
        if client.isTellingStore { coverage.reached(.crashTelling) }
        if !done.isEmpty { coverage.reached(.crashUndeleted) }
        if !client.inbox.isEmpty { coverage.reached(.crashProcessing) }
        if !storedIncoming.isEmpty { coverage.reached(.crashSeen) }
    }
}
