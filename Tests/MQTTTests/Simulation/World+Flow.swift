import MQTT
import MQTTWire
import NIOCore

// The way of messages between the store and the connection, as ``MQTTClient`` goes it.
extension World {
    mutating func publishDirectly(_ argument: Int) {
        guard client.phase == .up, entries.count < Self.maximumEntries, let topic = Self.topic else { return }
        let number = entries.count
        let qos: QoS = argument >> 2 & 1 == 1 ? .atLeastOnce : .exactlyOnce
        let message = Message(topic: topic, payload: Self.payloads[number], qos: qos)
        var entry = Entry(
            number: number, exactlyOnce: qos == .exactlyOnce, rank: 1, id: MessageID(rawValue: 0), message: message,
            isDirect: true)
        entry.place = .gone
        entries.append(entry)
        note("publish #\(number) past the store, QoS \(qos == .exactlyOnce ? 2 : 1)")
        coverage.reached(.direct)
        client.direct.append(number)
    }

    mutating func pump(_ budget: Int) throws(Failure) {
        guard client.phase == .up, client.mayPublish else { return }
        var budget = budget
        while budget > 0, let next = client.session.nextResend(at: Self.start) {
            budget -= 1
            switch next {
            case .release(let pubrel):
                coverage.reached(.releaseRepeated)
                try clientSends(.pubrel(pubrel.packetIdentifier))
            case .publish(_, _, .send(let publish)):
                coverage.reached(.repeated)
                try clientSends(frame(publish))
            case .publish(_, _, let decision): throw Failure(rule: .neverCompletes, detail: "\(decision)")
            }
        }
        while budget > 0, let number = client.direct.first {
            guard try offer(StoredMessage(id: entries[number].id, message: entries[number].message), direct: number)
            else { break }
            client.direct.removeFirst()
            budget -= 1
        }
        repeat {
            while budget > 0, client.direct.isEmpty, let next = client.ready.first {
                guard try offer(next, direct: nil) else { break }
                client.ready.removeFirst()
                budget -= 1
            }
        } while budget > 0 && client.direct.isEmpty && client.ready.isEmpty && client.session.room > 0 && fetch()
    }

    /// - Returns: false when the window is full.
    private mutating func offer(_ offered: StoredMessage, direct: Int?) throws(Failure) -> Bool {
        let isRepeated = offered.mayHaveBeenSent && client.resumesEarlierProcess
        let decision = client.session.publish(
            offered.message, from: direct.map { .direct(UInt64($0)) } ?? .stored(offered.id),
            mayHaveBeenSent: isRepeated, isReleased: offered.isReleased, at: Self.start)
        switch decision {
        case .send(let publish):
            coverage.reached(isRepeated ? .sentByEarlierProcess : .publish)
            if setup.fault == .forgetsOnceSent, direct == nil { client.acknowledged.append(number(of: offered.id)) }
            try clientSends(frame(publish))
        case .release(let pubrel):
            coverage.reached(.releasedByEarlierProcess)
            try clientSends(.pubrel(pubrel.packetIdentifier))
        case .full:
            coverage.reached(client.session.room > 0 ? .identifierWait : .windowFull)
            return false
        case .sendAndForget, .tooLarge, .unencodable: throw Failure(rule: .neverCompletes, detail: "\(decision)")
        }
        return true
    }

    func frame(_ publish: Publish) -> Frame {
        .publish(
            publish.packetIdentifier ?? .first, number: publish.payload.readableBytes,
            exactlyOnce: publish.qos == .exactlyOnce, duplicate: publish.duplicate)
    }

    /// - Returns: whether there is something to send at once.
    private mutating func fetch() -> Bool {
        guard client.storeMayHaveMore, !client.isFetching else { return false }
        client.storeMayHaveMore = false
        let count = client.session.room
        guard setup.isDurable else {
            take(next(count))
            return !client.ready.isEmpty
        }
        client.isFetching = true
        asked.append(.next(count: count))
        return false
    }

    private mutating func take(_ batch: [StoredMessage]) {
        if !batch.isEmpty { client.storeMayHaveMore = true }
        client.ready.append(contentsOf: batch)
    }

    mutating func clientHears() throws(Failure) {
        guard !answered.isEmpty else { return }
        switch answered.removeFirst() {
        case .appended:
            client.storeMayHaveMore = true
            try pump(1_000)
        case .next(let batch):
            client.isFetching = false
            take(batch)
            try pump(1_000)
        case .forgotten:
            client.isTellingStore = false
            tellStore()
        case .noted:
            guard let (taken, link) = client.noting else { return }
            for packet in client.session.noted(taken, isCurrent: client.link == link && client.phase == .up) {
                try clientSends(packet)
            }
            client.noting = nil
            noteSteps()
            askToBegin()
        case .begun:
            let beginning = client.beginnings.removeFirst()
            askToBegin()
            guard client.link == beginning.link, client.phase == .up else { return }
            client.sessionName = client.server
            if beginning.isNew, setup.fault != .takesOldReleasesForNew { forgetReleases() }
            try begin(isNew: beginning.isNew)
        }
    }

    /// Before anything is published the store has to know that a session is new, and all that it was told before.
    mutating func askToBegin() {
        guard client.noting == nil, let first = client.beginnings.first, !first.isAsked else { return }
        client.beginnings[0].isAsked = true
        asked.append(first.call)
    }

    /// What the store has given out as released is not so in a new session.
    mutating func forgetReleases() {
        for index in client.ready.indices { client.ready[index].isReleased = false }
    }

    mutating func begin(isNew: Bool) throws(Failure) {
        client.mayPublish = true
        client.storeMayHaveMore = true
        // Now and then the socket takes no more at first.
        try pump(now & 3 == 0 ? 1 : 1_000)
        if isNew { try clientSends(Frame.subscribe) }
        noteSteps()
    }

    mutating func noteSteps() {
        guard client.noting == nil, !client.steps.isEmpty, client.mayPublish else { return }
        client.noting = (client.steps, client.link)
        asked.append(.note(client.steps))
        client.steps = ExchangeSteps()
    }

    mutating func tellStore() {
        guard !client.isTellingStore, !client.acknowledged.isEmpty || !client.refused.isEmpty else { return }
        let call = StoreCall.forget(acknowledged: client.acknowledged, refused: client.refused)
        let numbers = client.acknowledged + client.refused
        client.acknowledged.removeAll()
        client.refused.removeAll()
        guard setup.isDurable else {
            for number in numbers { entries[number].place = .gone }
            return
        }
        client.isTellingStore = true
        asked.append(call)
    }

    mutating func complete(_ completion: Session.Completion) throws(Failure) {
        switch completion.origin {
        case .direct(let number): released(Int(number))
        case .stored(let id):
            let number = number(of: id)
            released(number)
            if completion.reasonCode.isError {
                entries[number].isRefused = true
                client.refused.append(number)
            } else {
                client.acknowledged.append(number)
                if !setup.isDurable { try checkNotLost(number) }
            }
            // Until an identifier comes round, its last holder has long been deleted.
            if setup.stride != 1 { entries[number].place = .gone }
        }
    }

    /// The packet identifier may be used anew.
    private mutating func released(_ number: Int) {
        guard let index = client.holders.firstIndex(where: { $0.number == number }) else { return }
        let identifier = client.holders.remove(at: index).identifier
        client.outstanding.removeAll { $0 == identifier }
    }

    // MARK: Packets

    mutating func clientSends(_ packet: Packet) throws(Failure) {
        switch packet {
        case .pubrel(let pubrel): try clientSends(.pubrel(pubrel.packetIdentifier))
        case .puback(let puback): try clientSends(.puback(puback.packetIdentifier, isRefused: false))
        case .pubrec(let pubrec): try clientSends(.pubrec(pubrec.packetIdentifier, isRefused: false))
        case .pubcomp(let pubcomp):
            try clientSends(.pubcomp(pubcomp.packetIdentifier, isKnown: !pubcomp.reasonCode.isError))
        default: throw Failure(rule: .violation, detail: "\(packet)")
        }
    }

    mutating func clientSends(_ frame: Frame) throws(Failure) {
        if case .publish(let identifier, let number, _, _) = frame {
            if let holder = client.holders.first(where: { $0.identifier == identifier }) {
                guard holder.number == number else {
                    throw Failure(rule: .identifier, detail: "\(identifier): #\(holder.number) and #\(number)")
                }
            } else {
                client.holders.append((identifier, number))
            }
            if !client.outstanding.contains(identifier) { client.outstanding.append(identifier) }
            guard client.outstanding.count <= min(client.receiveMaximum, setup.maximumInFlight) else {
                throw Failure(rule: .window, detail: "\(client.outstanding.count) under way")
            }
        }
        if case .pubrec(let identifier, _) = frame, !isMisled {
            for message in servers[client.server].state.own where message.identifier == identifier {
                own[message.number].isSeen = true
            }
        }
        note("client sends \(frame)")
        guard client.phase != .idle, !wires[wires.count - 1].isCut else { return }
        wires[wires.count - 1].toServer.append(frame)
    }
}
