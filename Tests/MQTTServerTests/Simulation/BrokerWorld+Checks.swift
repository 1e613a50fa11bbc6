import MQTTWire
import NIOCore

@testable import MQTTServer

/// What is known of a client by those who watch.
struct ClientView {
    /// Where a message stands in the order of its kind.
    struct Lane: Hashable {
        var publisher: Int
        var topic: Int
        var published: QoS
        var received: QoS
    }

    /// Since when its subscriptions are confirmed, in the session that it has.
    var certainSince: Int?
    /// What has to arrive yet.
    var obligations: Set<Int> = []
    var processed: [Int: Int] = [:]
    var arrived: Set<Int> = []
    var last: [Lane: Int] = [:]
    /// The broker counted them as dropped.
    var dropped: Set<Int> = []
    /// QoS 2 messages that the client knows by their identifiers.
    var holds: [PacketIdentifier: Int] = [:]
    /// How many of its sessions have ended …
    var ended = 0
    /// … before the one that it knows.
    var endedBefore = 0
    /// It resumes a session that is not the one it knows; MQTT has no means against that.
    var isMisled = false
    var believes = false
    /// It was told that its connection is accepted.
    var isConnected = false
    /// When the last such connection ended.
    var disconnectedAt = NIODeadline.uptimeNanoseconds(0)
    var mayBeDeleted = false
    /// On this connection, by topic and QoS: when the newest retained message was retained that came as it was published.
    var newest: [[Int]: Int] = [:]
}

/// A message as the broker has sent it in a session.
struct SentKey: Hashable {
    var session: SessionID
    var identifier: PacketIdentifier
    var number: Int
}

// What must hold.
extension BrokerWorld {
    private func isShared(_ client: Int) -> Bool { setup.isShared && client < 2 }

    /// With what QoS a client gets a topic; nil: not at all.
    func wanted(_ client: Int, _ topic: Int) -> QoS? {
        setup.clients[client].subscriptions.filter { $0.filter.matches(Self.topics[topic]) }.map(\.qos).max()
    }

    // MARK: At the broker

    /// The broker wants a packet sent.
    mutating func emitted(_ packet: Packet, on link: Int) throws(BrokerFailure) {
        let client = links[link].client
        let window = min(setup.maximumInFlight, setup.clients[client].receiveMaximum.map(Int.init) ?? .max)
        switch packet {
        case .connack: links[link].sessionsEnded = views[client].ended
        case .pubrel(let pubrel) where !pubrel.reasonCode.isError:
            links[link].outstanding[pubrel.packetIdentifier] = links[link].outstanding[pubrel.packetIdentifier] ?? -1
        case .publish(let publish):
            let number = Self.number(of: publish.payload)
            guard let identifier = publish.packetIdentifier else {
                guard !publish.duplicate else { throw BrokerFailure(.duplicateFlag, "#\(number) at QoS 0 with DUP") }
                return
            }
            if let holder = links[link].outstanding.updateValue(number, forKey: identifier) {
                throw BrokerFailure(.identifier, "\(identifier): #\(holder) and #\(number)")
            }
            guard let session = session(of: link) else { return }
            let key = SentKey(session: session.id, identifier: identifier, number: number)
            let isNew = begun.insert(key).inserted
            guard !publish.duplicate || !isNew || process > 1 else {
                throw BrokerFailure(.duplicateFlag, "#\(number) has DUP the first time")
            }
            if publish.duplicate { coverage.reached(isNew ? .repeatedByLaterProcess : .repeated) }
        default: return
        }
        if links[link].outstanding.count > window {
            throw BrokerFailure(.window, "\(links[link].outstanding.count) are on their way to c\(client)")
        }
        if links[link].outstanding.count == window { coverage.reached(.windowFull) }
    }

    private func session(of link: Int) -> ServerSession? {
        guard let place = broker.sessionByClient[clients[links[link].client].name] else { return nil }
        let session = broker.sessions[place]
        return session.connection == link ? session : nil
    }

    /// A packet leaves for a client.
    mutating func left(_ packet: Packet, on link: Int) throws(BrokerFailure) {
        try checkDurable(packet, on: link)
        if packet.type == .connack, session(of: link) != nil { views[links[link].client].isConnected = true }
        guard case .publish(let publish) = packet, let identifier = publish.packetIdentifier,
            let session = session(of: link)
        else { return }
        let number = Self.number(of: publish.payload)
        let key = SentKey(session: session.id, identifier: identifier, number: number)
        guard sent.insert(key).inserted || publish.duplicate else {
            throw BrokerFailure(.duplicateFlag, "#\(number) is repeated without DUP")
        }
    }

    /// What it says must be on disk.
    private func checkDurable(_ packet: Packet, on link: Int) throws(BrokerFailure) {
        let name = clients[links[link].client].name
        guard let session = session(of: link), session.isStored else { return }
        let known = store.sessions[session.id]
        func demand(_ isDurable: Bool) throws(BrokerFailure) {
            if !isDurable { throw BrokerFailure(.tooEarly, "\(Self.words(packet)) to \(name)") }
        }
        func entry(_ identifier: PacketIdentifier) -> StoredEntry? {
            known?.queue.values.first { Self.identifier(of: $0.sequence) == identifier }
        }
        switch packet {
        case .connack: try demand(known != nil)
        case .suback(let suback):
            let granted = suback.reasonCodes.count { !$0.isError }
            try demand(known?.subscriptions.count ?? 0 >= min(granted, session.subscriptions.count))
        case .pubrec(let pubrec) where !pubrec.reasonCode.isError:
            try demand(known?.received.contains(pubrec.packetIdentifier) == true)
        case .pubcomp(let pubcomp): try demand(known?.received.contains(pubcomp.packetIdentifier) != true)
        case .pubrel(let pubrel) where !pubrel.reasonCode.isError:
            let released = entry(pubrel.packetIdentifier)
            try demand(released == nil || released?.isReleased == true)
        case .publish(let publish) where publish.qos == .exactlyOnce:
            let stored = publish.packetIdentifier.flatMap { entry($0) }.flatMap { store.messages[$0.message] }
            try demand(stored.map { Self.number(of: $0.message.payload) } == Self.number(of: publish.payload))
        default: break
        }
    }

    mutating func told(_ event: ServerEvent) throws(BrokerFailure) {
        switch event {
        case .clientDisconnected(let information, let cause):
            guard let client = index(information.identifier) else { return }
            connectionEnded(client)
            if case .byServer(let reason, let text) = cause,
                ![ReasonCode.sessionTakenOver, .administrativeAction].contains(reason)
            {
                throw BrokerFailure(.violation, "c\(client) is thrown out: \(reason), \(text ?? "")")
            }
        case .sessionDeleted(let name, let end):
            guard let client = index(name) else { return }
            note("  c\(client)'s session ends: \(end)")
            let expiry = setup.clients[client].expiry
            let isDue = !views[client].isConnected && views[client].disconnectedAt + .seconds(Int64(expiry)) <= now
            let isRight =
                switch end {
                case .expired: expiry < .max && isDue
                case .disconnected: expiry == 0
                case .cleanStart, .deleted: true
                }
            guard isRight else { throw BrokerFailure(.sessionLost, "c\(client)'s session ends: \(end)") }
            if end == .expired { coverage.reached(.expired) }
            views[client].ended += 1
            views[client].certainSince = nil
            views[client].obligations = []
            if isShared(client) { groupObligations = [] }
        case .messageDropped(let message, let name, let cause):
            guard let client = index(name) else { return }
            let number = Self.number(of: message.payload)
            note("  #\(number) is dropped for c\(client): \(cause)")
            coverage.reached(cause == .expired ? .messageExpired : .dropped)
            views[client].dropped.insert(number)
            views[client].obligations.remove(number)
            if isShared(client) { groupObligations.remove(number) }
        case .retainedChanged(_, let message?):
            clock += 1
            retainedAt[Self.number(of: message.payload)] = clock
        case .messageReceived(let message, _):
            let number = Self.number(of: message.payload)
            guard let link = willLinks[number] else { return }
            coverage.reached(.will)
            if links[link].saidGoodbye, links[link].process == process {
                throw BrokerFailure(.will, "c\(links[link].client), #\(number)")
            }
        default: break
        }
    }

    mutating func connectionEnded(_ client: Int) {
        guard views[client].isConnected else { return }
        views[client].isConnected = false
        views[client].disconnectedAt = now
    }

    private func index(_ name: String) -> Int? { clients.firstIndex { $0.name == name } }

    func checkCounters() throws(BrokerFailure) {
        let found = broker.inconsistencies
        if !found.isEmpty { throw BrokerFailure(.counters, found.joined(separator: "; ")) }
    }

    // MARK: At the clients

    /// A PUBLISH under an identifier that the client knows for another message would be swallowed.
    func checkIdentifier(_ packet: Packet, of client: Int) throws(BrokerFailure) {
        guard case .publish(let publish) = packet, publish.qos == .exactlyOnce, !views[client].isMisled,
            let identifier = publish.packetIdentifier, let holder = views[client].holds[identifier]
        else { return }
        let number = Self.number(of: publish.payload)
        guard holder == number else {
            throw BrokerFailure(.identifier, "c\(client) knows \(identifier) as #\(holder), not #\(number)")
        }
    }

    mutating func watch(_ happening: SimulatedClient.Happening, of client: Int) throws(BrokerFailure) {
        switch happening {
        case .connected(let isPresent): try connected(client, isPresent)
        case .refused(let code): throw BrokerFailure(.violation, "c\(client) is refused: \(code)")
        case .subscribed: views[client].certainSince = clock
        case .sent(let number): messages[number].firstSent = messages[number].firstSent ?? clock
        case .acknowledged(let number, let code): if !code.isError { acknowledged(number) }
        case .got(let publish): try got(publish, client)
        case .processed(let publish): try processed(publish, client)
        case .released(let identifier): views[client].holds[identifier] = nil
        case .disconnected(let code):
            guard [ReasonCode.sessionTakenOver, .administrativeAction].contains(code) else {
                throw BrokerFailure(.violation, "c\(client) is told \(code)")
            }
        }
    }

    private mutating func connected(_ client: Int, _ isPresent: Bool) throws(BrokerFailure) {
        let wasClean = clients[client].cleanStart
        let ended = current(client).map { links[$0].sessionsEnded } ?? 0
        let isAnother = ended != views[client].endedBefore
        views[client].endedBefore = ended
        if isPresent {
            guard !wasClean else { throw BrokerFailure(.sessionLost, "c\(client) has a session after a clean start") }
            coverage.reached(.resumed)
            if isAnother {
                coverage.reached(.misled)
                views[client].isMisled = true
                forgetSession(of: client)
            }
        } else {
            guard wasClean || !views[client].believes || isAnother else {
                throw BrokerFailure(.sessionLost, "c\(client) came back, and was told that its session is new")
            }
            views[client].isMisled = false
            forgetSession(of: client)
        }
        views[client].newest = [:]
        views[client].believes = setup.clients[client].isStored
    }

    /// What a client has under way is new to the session that it is in now.
    private mutating func forgetSession(of client: Int) {
        for entry in clients[client].entries where entry.isSent && !entry.isDone {
            messages[entry.number].mayDouble = true
        }
        views[client].certainSince = nil
        views[client].obligations = []
        views[client].processed = [:]
        views[client].arrived = []
        views[client].last = [:]
        views[client].holds = [:]
    }

    /// From here on the message is the broker's: whoever was known to want it when it was sent must get it.
    private mutating func acknowledged(_ number: Int) {
        let message = messages[number]
        guard let firstSent = message.firstSent, message.qos > .atMostOnce else { return }
        func isCertain(_ client: Int) -> Bool {
            guard let since = views[client].certainSince, since < firstSent, setup.clients[client].isStored,
                !views[client].isMisled, !views[client].dropped.contains(number)
            else { return false }
            return wanted(client, message.topic) ?? .atMostOnce > .atMostOnce
        }
        for client in clients.indices where !isShared(client) && isCertain(client) {
            if views[client].arrived.contains(number), views[client].processed[number] != nil { continue }
            views[client].obligations.insert(number)
        }
        if setup.isShared, isCertain(0), isCertain(1), (0..<2).allSatisfy({ views[$0].processed[number] == nil }) {
            groupObligations.insert(number)
        }
    }

    private mutating func got(_ publish: Publish, _ client: Int) throws(BrokerFailure) {
        let number = Self.number(of: publish.payload)
        if publish.qos == .exactlyOnce, let identifier = publish.packetIdentifier {
            views[client].holds[identifier] = number
        }
        guard number < messages.count else { return }
        let message = messages[number]
        let kind = [message.topic, Int(publish.qos.rawValue)]
        if publish.retain {
            coverage.reached(.retained)
            if let stamp = retainedAt[number], let newest = views[client].newest[kind], newest > stamp {
                throw BrokerFailure(.retained, "c\(client) gets #\(number)")
            }
            return
        }
        if let stamp = retainedAt[number] {
            views[client].newest[kind] = max(views[client].newest[kind] ?? 0, stamp)
        }
        let isFirst = views[client].arrived.insert(number).inserted
        guard isFirst, !setup.isShared, !views[client].isMisled, !message.mayDouble,
            !views[client].dropped.contains(number)
        else { return }
        let lane = ClientView.Lane(
            publisher: message.publisher, topic: message.topic, published: message.qos, received: publish.qos)
        guard views[client].last[lane] ?? -1 < number else {
            throw BrokerFailure(.order, "c\(client) gets #\(number) after #\(views[client].last[lane] ?? -1)")
        }
        views[client].last[lane] = number
    }

    private mutating func processed(_ publish: Publish, _ client: Int) throws(BrokerFailure) {
        let number = Self.number(of: publish.payload)
        guard number < messages.count, !publish.retain else { return }
        let message = messages[number]
        views[client].obligations.remove(number)
        if isShared(client) { groupObligations.remove(number) }
        views[client].processed[number, default: 0] += 1
        let receivers = isShared(client) ? [0, 1] : [client]
        let times = receivers.reduce(0) { $0 + (views[$1].processed[number] ?? 0) }
        let isExact =
            message.qos == .exactlyOnce && !message.mayDouble
            && (message.publisher < 0
                || setup.clients[message.publisher].isStored && !views[message.publisher].isMisled)
            && receivers.allSatisfy {
                setup.clients[$0].isStored && !views[$0].isMisled && wanted($0, message.topic) == .exactlyOnce
            }
        if isExact, times > 1 { throw BrokerFailure(.duplicate, "c\(client) gets #\(number) \(times) times") }
        if publish.qos == .atMostOnce, times > 1, !isShared(client), message.qos == .atMostOnce {
            throw BrokerFailure(.duplicate, "c\(client) gets #\(number) \(times) times, with QoS 0")
        }
    }

    // MARK: At the end

    func judge() throws(BrokerFailure) {
        for client in clients.indices where !views[client].isMisled {
            guard views[client].obligations.isEmpty else {
                throw BrokerFailure(.lost, "c\(client) never gets \(views[client].obligations.sorted())")
            }
        }
        if !groupObligations.isEmpty, !views.contains(where: \.isMisled) {
            throw BrokerFailure(.lost, "nobody in the group gets \(groupObligations.sorted())")
        }
        for client in clients.indices where !views[client].isMisled {
            let place = broker.sessionByClient[clients[client].name]
            let received = place.flatMap { broker.sessions[$0].received.count } ?? 0
            guard views[client].holds.isEmpty, received == 0 else {
                throw BrokerFailure(
                    .unfinished, "c\(client) holds \(views[client].holds), the broker \(received) messages of it")
            }
        }
        guard broker.statistics.queuedBytes == 0 else {
            throw BrokerFailure(.counters, "\(broker.statistics.queuedBytes) bytes are queued, and no messages")
        }
        var copy = broker
        let everything = ModelStore(copy.everything().state)
        guard store.essence == everything.essence else {
            throw BrokerFailure(.store, "\(store) is on disk, and \(everything) in memory")
        }
    }
}
