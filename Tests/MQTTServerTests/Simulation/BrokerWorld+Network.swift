import MQTTWire
import NIOCore

import struct MQTT.ProtocolViolation

@testable import MQTTServer

// Connections, and how they and the processes at their ends die.
extension BrokerWorld {
    /// The connection that a client takes for its own.
    func current(_ client: Int) -> Int? {
        guard clients[client].phase != .idle else { return nil }
        return links.lastIndex { $0.client == client }
    }

    mutating func connect(_ client: Int, _ argument: Int) throws(BrokerFailure) {
        guard clients[client].phase == .idle else { return }
        var will: Will?
        if setup.clients[client].hasWill, wills < 27 {
            let number = Self.firstWill + wills
            wills += 1
            willLinks[number] = links.count
            will = Will(
                topic: Self.topics[1], payload: ByteBuffer(bytes: [UInt8(number)]), qos: .atLeastOnce,
                properties: setup.clients[client].version == .v5 && argument >> 4 & 1 == 1
                    ? [.willDelayInterval(5)] : [])
        }
        let id = ConnectionID(slot: links.count, generation: 1)
        links.append(SimulatedLink(client: client, id: id, process: process))
        note("c\(client) connects")
        try act(client) { $0.connect(cleanly: argument & 15 == 15, will: will) }
    }

    mutating func disconnect(_ client: Int) throws(BrokerFailure) {
        guard clients[client].phase == .up, let link = current(client) else { return }
        note("c\(client) says goodbye")
        try act(client) { $0.disconnect() }
        links[link].isCut = true
        coverage.reached(.goodbye)
    }

    /// How much of what is under way still arrives: nothing, one packet, two, or all.
    private func kept(_ choice: Int, of count: Int) -> Int { choice & 3 == 3 ? count : min(count, choice & 3) }

    mutating func cut(_ client: Int, _ argument: Int) {
        guard let link = current(client), !links[link].isCut else { return }
        note("c\(client)'s connection is cut")
        coverage.reached(.cut)
        let toServer = kept(argument, of: links[link].toServer.count)
        let toClient = kept(argument >> 2, of: links[link].toClient.count)
        links[link].toServer.removeLast(links[link].toServer.count - toServer)
        links[link].toClient.removeLast(links[link].toClient.count - toClient)
        links[link].isCut = true
    }

    mutating func serverNotices(_ argument: Int) throws(BrokerFailure) {
        let candidates = links.indices.filter { links[$0].isCut && !links[$0].isClosed }
        guard !candidates.isEmpty else { return }
        try serverNotices(onLink: candidates[argument % candidates.count])
    }

    mutating func serverNotices(onLink link: Int) throws(BrokerFailure) {
        guard links[link].isCut, !links[link].isClosed, links[link].toServer.isEmpty else { return }
        note("the server notices that c\(links[link].client) is gone")
        links[link].isClosed = true
        links[link].held = []
        if links[link].isGreeted { broker.closed(links[link].id, at: now) }
        try drain()
    }

    mutating func clientNotices(_ client: Int) throws(BrokerFailure) {
        guard let link = current(client), links[link].isCut || links[link].isClosed, links[link].toClient.isEmpty else {
            return
        }
        note("c\(client) notices that the server is gone")
        links[link].isCut = true
        try act(client) { $0.connectionLost() }
    }

    mutating func clientDies(_ client: Int) {
        note("c\(client)'s process dies")
        coverage.reached(clients[client].inbox.isEmpty ? .clientDies : .clientDiesProcessing)
        if let link = current(client) {
            links[link].isCut = true
            links[link].toClient = []
        }
        for (_, publish) in clients[client].inbox {
            if publish.qos == .exactlyOnce, let id = publish.packetIdentifier { views[client].holds[id] = nil }
        }
        clients[client].die()
    }

    mutating func brokerDies(_ argument: Int) throws(BrokerFailure) {
        coverage.reached(.brokerDies)
        if !broker.journal.isEmpty { coverage.reached(.brokerDiesWithChanges) }
        if let batch = writing {
            coverage.reached(.brokerDiesWriting)
            if argument >> 2 & 1 == 1 { store.apply(batch.changes) }
        }
        if links.contains(where: { !$0.held.isEmpty }) { coverage.reached(.brokerDiesHolding) }
        note("the broker dies, and begins with \(store.messages.count) messages")
        writing = nil
        committed = 0
        process += 1
        for link in links.indices {
            links[link].isClosed = true
            links[link].isCut = true
            links[link].held = []
            links[link].toServer = []
            if argument >> 3 & 1 == 1 { links[link].toClient = [] }
        }
        // What was sent and is not on disk never was, for the broker.
        let known = Set(
            store.sessions.values.flatMap { session in
                session.queue.values.map { entry in
                    SentKey(
                        session: session.record.id, identifier: Self.identifier(of: entry.sequence),
                        number: Self.number(of: store.messages[entry.message]?.message.payload ?? ByteBuffer()))
                }
            })
        sent.formIntersection(known)
        for client in clients.indices { connectionEnded(client) }
        broker = Self.newBroker(setup, store.state, at: now)
        try drain()
    }

    static func identifier(of sequence: Int64) -> PacketIdentifier {
        PacketIdentifier(rawValue: UInt16(1 + sequence % 65_535)) ?? .first
    }

    // MARK: Reading

    mutating func serverReads(_ argument: Int) throws(BrokerFailure) {
        let candidates = links.indices.filter { !links[$0].isClosed && !links[$0].toServer.isEmpty }
        guard !candidates.isEmpty else { return }
        for _ in 0...argument >> 5 & 1 { try serverReads(from: candidates[argument % candidates.count]) }
    }

    mutating func serverReads(from link: Int) throws(BrokerFailure) {
        guard !links[link].isClosed, !links[link].toServer.isEmpty else { return }
        let packet = links[link].toServer.removeFirst()
        note("server reads from c\(links[link].client): \(Self.words(packet))")
        if links[link].isLetGo { return }
        switch packet {
        case .connect(let connect):
            links[link].isGreeted = true
            let client = AcceptedClient(
                information: ClientInformation(
                    identifier: connect.clientIdentifier, version: connect.version, listener: "l", address: "a"),
                maximumPacketSize: broker.limits.maximumPacketSize,
                topicAliasMaximum: broker.limits.topicAliasMaximum)
            broker.connect(connect, client, on: links[link].id, at: now)
        default:
            switch packet {
            case .puback(let answer), .pubcomp(let answer): links[link].outstanding[answer.packetIdentifier] = nil
            case .disconnect: links[link].saidGoodbye = true
            default: break
            }
            broker.receive(packet, from: links[link].id, at: now)
        }
        try drain()
    }

    mutating func clientReads(_ client: Int) throws(BrokerFailure) {
        guard let link = current(client), !links[link].toClient.isEmpty else { return }
        let packet = links[link].toClient.removeFirst()
        note("c\(client) reads \(Self.words(packet))")
        try checkIdentifier(packet, of: client)
        try act(client) { (client: inout SimulatedClient) throws(ProtocolViolation) in try client.read(packet) }
    }
}
