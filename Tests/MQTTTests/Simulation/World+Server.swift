import MQTT
import MQTTWire

// The model server: the receiving and the sending side of QoS 1 and 2 (5.0 §4.3).
extension World {
    mutating func serverReads(_ argument: Int) throws(Failure) {
        for _ in 0...argument >> 1 & 1 {
            let index =
                argument & 1 == 0
                ? wires.firstIndex { !$0.toServer.isEmpty } : wires.lastIndex { !$0.toServer.isEmpty }
            guard let index else { return }
            let frame = wires[index].toServer.removeFirst()
            let server = wires[index].server
            note("server\(servers.count > 1 ? " \(server)" : "") reads \(frame)")
            let isLast = index == wires.count - 1 && client.phase != .idle
            if case .connect(let clean) = frame {
                if !isLast { coverage.reached(.staleConnect) }
                takeOver(server, index, clean, argument)
            } else {
                if !isLast { coverage.reached(.lateRead) }
                try serverHandles(frame, server, argument)
            }
        }
    }

    private mutating func takeOver(_ server: Int, _ index: Int, _ clean: Bool, _ argument: Int) {
        for other in wires.indices where other != index && wires[other].server == server {
            guard !wires[other].toServer.isEmpty || servers[server].wire == wires[other].id else { continue }
            // A connection that was not accepted yet is another one, and will be.
            if wires[other].toServer.first?.isConnect == true { continue }
            if !wires[other].toServer.isEmpty { coverage.reached(.takeover) }
            wires[other].toServer.removeAll()
            wires[other].isCut = true
        }
        servers[server].wire = wires[index].id
        servers[server].answers.removeAll()
        if argument >> 4 == 15 {
            servers[server].wire = 0
            serverSends(.refused, server, to: index)
            wires[index].isCut = true
            return
        }
        if servers[server].state.isTransient { dropSession(server) }
        let present = !clean && servers[server].state.session != 0
        if !present {
            if servers[server].state.session != 0 { coverage.reached(.cleanStartOverSession) }
            dropSession(server)
            sessionCount += 1
            servers[server].state.session = sessionCount
            servers[server].state.isTransient = clean && setup.version == .v3_1_1
        }
        let receiveMaximum = max(1, setup.receiveMaximum - argument >> 4 & 1)
        serverSends(
            .connack(present: present, session: servers[server].state.session, receiveMaximum: receiveMaximum), server)
        for message in servers[server].state.own {
            coverage.reached(.ownRepeated)
            serverSends(
                message.isReleased
                    ? .pubrel(message.identifier)
                    : .publish(
                        message.identifier, number: message.number, exactlyOnce: message.exactlyOnce, duplicate: true),
                server)
        }
    }

    private mutating func serverHandles(_ frame: Frame, _ server: Int, _ argument: Int) throws(Failure) {
        switch frame {
        case .subscribe: servers[server].state.isSubscribed = true
        case .publish(let identifier, let number, let exactlyOnce, _):
            let isHeld = servers[server].state.held.contains { $0.identifier == identifier }
            if setup.version == .v5, argument >= 0xF4, !isHeld {
                coverage.reached(.refusedPublish)
                entries[number].wasRefused = true
                return serverSends(
                    exactlyOnce ? .pubrec(identifier, isRefused: true) : .puback(identifier, isRefused: true), server)
            }
            guard exactlyOnce else {
                try arrive(number, server)
                return serverSends(.puback(identifier, isRefused: false), server)
            }
            if isHeld {
                coverage.reached(.swallowedDuplicate)
            } else {
                servers[server].state.held.append(ServerState.Held(identifier: identifier, number: number))
                if !setup.deliversAtRelease { try arrive(number, server) }
            }
            serverSends(.pubrec(identifier, isRefused: false), server)
        case .pubrel(let identifier):
            let index = servers[server].state.held.firstIndex { $0.identifier == identifier }
            if let index {
                let number = servers[server].state.held.remove(at: index).number
                if setup.deliversAtRelease { try arrive(number, server) }
            }
            serverSends(.pubcomp(identifier, isKnown: index != nil), server)
        case .puback(let identifier, _): try acknowledged(identifier, server, exactlyOnce: false)
        case .pubrec(let identifier, _):
            guard let index = servers[server].state.own.firstIndex(where: { $0.identifier == identifier }) else {
                return serverSends(.pubrel(identifier), server)
            }
            try checkProcessed(servers[server].state.own[index].number)
            servers[server].state.own[index].isReleased = true
            serverSends(.pubrel(identifier), server)
        case .pubcomp(let identifier, _): try acknowledged(identifier, server, exactlyOnce: true)
        case .connect, .connack, .refused: break
        }
    }

    private mutating func acknowledged(
        _ identifier: PacketIdentifier, _ server: Int, exactlyOnce: Bool
    ) throws(Failure) {
        guard
            let index = servers[server].state.own.firstIndex(where: {
                $0.identifier == identifier && $0.exactlyOnce == exactlyOnce
            })
        else { return }
        try checkProcessed(servers[server].state.own.remove(at: index).number)
    }

    private mutating func arrive(_ number: Int, _ server: Int) throws(Failure) {
        let session = servers[server].state.session
        arrivalCount += 1
        note("#\(number) arrives")
        if servers[server].state.arrivals.contains(where: { $0.number == number }) {
            coverage.reached(entries[number].exactlyOnce ? .duplicateQoS2 : .duplicateQoS1)
            if entries[number].exactlyOnce,
                servers[server].state.arrivals.contains(where: { $0.number == number && $0.session == session })
            {
                throw Failure(rule: .duplicate, detail: "#\(number)")
            }
        }
        servers[server].state.arrivals.append(
            ServerState.Arrival(number: number, session: session, order: arrivalCount))
    }

    /// On the connection that the server takes for the client's, when everything is persisted.
    private mutating func serverSends(_ frame: Frame, _ server: Int, to index: Int? = nil) {
        if setup.persistsLate, index == nil { return servers[server].answers.append(frame) }
        let wire = servers[server].wire
        guard let index = index ?? wires.firstIndex(where: { $0.id == wire }), !wires[index].isCut else { return }
        wires[index].toClient.append(frame)
    }

    mutating func serverAnswers(_ server: Int) {
        guard setup.persistsLate else { return }
        servers[server].persisted = servers[server].state
        guard !servers[server].answers.isEmpty else { return }
        note("server persists and answers")
        let wire = servers[server].wire
        if let index = wires.firstIndex(where: { $0.id == wire }), !wires[index].isCut {
            wires[index].toClient.append(contentsOf: servers[server].answers)
        }
        servers[server].answers.removeAll()
    }

    mutating func serverPublishes(_ argument: Int) {
        let server = argument & 1 % servers.count
        guard servers[server].state.session != 0, servers[server].state.isSubscribed, own.count < Self.maximumOwn,
            servers[server].state.own.count < (setup.version == .v5 ? setup.ownReceiveMaximum : 3)
        else { return }
        let exactlyOnce = argument >> 2 & 3 != 3
        // The lowest that is free, so that identifiers are soon used anew.
        var identifier = PacketIdentifier.first
        while servers[server].state.own.contains(where: { $0.identifier == identifier }) {
            identifier = identifier.next
        }
        let number = own.count
        coverage.reached(.own)
        note("server publishes incoming #\(number), QoS \(exactlyOnce ? 2 : 1), id \(identifier)")
        own.append(OwnMessage(exactlyOnce: exactlyOnce, session: servers[server].state.session))
        servers[server].state.own.append(
            ServerState.Own(number: number, identifier: identifier, exactlyOnce: exactlyOnce))
        serverSends(.publish(identifier, number: number, exactlyOnce: exactlyOnce, duplicate: false), server)
    }

    private mutating func dropSession(_ server: Int) {
        if setup.deliversAtRelease {
            for held in servers[server].state.held { entries[held.number].isOrphaned = true }
        }
        servers[server].state.session = 0
        servers[server].state.isTransient = false
        servers[server].state.isSubscribed = false
        servers[server].state.held.removeAll()
        servers[server].state.own.removeAll()
    }

    mutating func sessionExpires(_ argument: Int) {
        let server = argument & 1 % servers.count
        let wire = servers[server].wire
        guard servers[server].state.session != 0, wires.first(where: { $0.id == wire })?.isCut ?? true else { return }
        coverage.reached(.expired)
        note("the session expires")
        dropSession(server)
        servers[server].wire = 0
        servers[server].persisted = servers[server].state
        servers[server].answers.removeAll()
        for index in wires.indices where wires[index].id == wire { wires[index].toServer.removeAll() }
    }

    mutating func serverCrashes(_ argument: Int) {
        let server = argument & 1 % servers.count
        note("server dies\(argument >> 6 & 3 == 3 ? " and forgets" : "")")
        let state = servers[server].state
        let wire = servers[server].wire
        if wires.contains(where: { $0.id == wire && !$0.isCut }) { coverage.reached(.serverCrashConnected) }
        if !state.held.isEmpty { coverage.reached(.serverCrashHolding) }
        if !servers[server].answers.isEmpty { coverage.reached(.serverCrashUnpersisted) }
        if state.own.contains(where: { !$0.isReleased }) { coverage.reached(.serverCrashOwnPublished) }
        if state.own.contains(where: { $0.isReleased }) { coverage.reached(.serverCrashOwnReleased) }
        for index in wires.indices where wires[index].server == server {
            wires[index].isCut = true
            wires[index].toServer.removeAll()
            if argument >> 2 & 1 == 0 { wires[index].toClient.removeAll() }
        }
        if setup.persistsLate { servers[server].state = servers[server].persisted }
        servers[server].wire = 0
        servers[server].answers.removeAll()
        if argument >> 6 & 3 == 3, servers[server].state.session != 0 {
            coverage.reached(.serverCrashForgets)
            dropSession(server)
            servers[server].persisted = servers[server].state
        }
    }
}
