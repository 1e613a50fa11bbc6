import MQTTWire
import NIOCore
import Testing

@testable import MQTTServer

/// What waits for the disk, and what a later process makes of what it finds there.
@Suite struct BrokerDurabilityTests {
    /// With a stored session of client 1, subscribed to everything, a stored publisher at 2 and another at 3.
    private func bench() throws -> Bench {
        var bench = Bench(storesChanges: true)
        bench.connect(1, expiry: 600)
        bench.connect(2, expiry: 600)
        bench.connect(3)
        try bench.subscribe(1, "#")
        for slot in 1...3 { _ = bench.take(slot) }
        return bench
    }

    @Test("QoS 2 messages that expired unsent are not delivered after a restart; those under way are completed")
    func expiredUnsent() throws {
        var bench = Bench(storesChanges: true) { $0.limits.maximumInFlight = 4 }
        bench.connect(1, expiry: 600)
        bench.connect(2)
        try bench.subscribe(1, "#")
        func publish(_ range: Range<Int>) throws {
            for number in range {
                try bench.publish(
                    2, "t", "\(number)", qos: .exactlyOnce, id: UInt16(number + 1),
                    properties: [.messageExpiryInterval(1)])
            }
        }
        // One under way when the connection is lost, and the rest while the client is away.
        try publish(0..<1)
        #expect(bench.texts(1) == ["0"])
        bench.cut(1)
        try publish(1..<8)
        #expect(bench.store.faults == [])
        bench.restart()
        bench.now = bench.now + .seconds(4)
        bench.connect(1, clean: false, expiry: 600)
        let got = bench.consume(1)
        #expect(got.map { String(buffer: $0.payload) } == ["0"])
        #expect(got.map(\.duplicate) == [true])
        #expect(bench.store.messages.isEmpty)
        #expect(bench.store.faults == [])
        // What goes out after it has waited is known to have been sent.
        bench.connect(2)
        bench.cut(1)
        try publish(8..<10)
        bench.connect(1, clean: false, expiry: 600)
        bench.restart()
        bench.now = bench.now + .seconds(4)
        bench.connect(1, clean: false, expiry: 600)
        #expect(bench.consume(1).map(\.duplicate) == [true, true])
        #expect(bench.store.faults == [])
    }

    @Test("Retained messages that a subscription still has coming survive a restart", arguments: 0..<4)
    func retainedBacklog(restarts: Int) throws {
        var bench = Bench(storesChanges: true) { $0.limits.maximumInFlight = 7 }
        bench.connect(2)
        for number in 0..<100 {
            try bench.publish(
                2, "r/\(number)", "\(number)", qos: QoS(rawValue: UInt8(number % 3)) ?? .atMostOnce, retain: true,
                id: UInt16(number + 1))
        }
        bench.connect(1, expiry: 600)
        try bench.subscribe(1, "r/#", identifier: 5)
        var got: [Publish] = []
        func answer(_ packets: [Packet]) {
            for case .publish(let publish) in packets {
                got.append(publish)
                guard let identifier = publish.packetIdentifier else { continue }
                let answer = Acknowledgement(packetIdentifier: identifier)
                guard publish.qos == .exactlyOnce else {
                    bench.receive(1, .puback(answer))
                    continue
                }
                bench.receive(1, .pubrec(answer))
                bench.receive(1, .pubcomp(answer))
            }
        }
        for _ in 0..<restarts {
            answer(bench.take(1))
            bench.restart()
            // What is published meanwhile comes as such, and once.
            bench.connect(2)
            try bench.publish(2, "r/99", "99", qos: .atLeastOnce, retain: true)
            bench.connect(1, clean: false, expiry: 600)
        }
        got += bench.consume(1)
        let numbers = got.compactMap { $0.qos > .atMostOnce ? Int(String(buffer: $0.payload)) : nil }
        #expect(Set(numbers).isSuperset(of: (0..<99).filter { $0 % 3 != 0 }), "\(numbers)")
        let exactly = got.filter { $0.qos == .exactlyOnce && !$0.duplicate }.map { String(buffer: $0.payload) }
        #expect(exactly.count == Set(exactly).count)
        #expect(got.filter { $0.retain }.allSatisfy { $0.properties.subscriptionIdentifiers == [5] })
        #expect(bench.store.sessions.values.allSatisfy { $0.offers.isEmpty })
        #expect(bench.store.faults == [])
        #expect(bench.broker.inconsistencies == [])
    }

    @Test("Each step of a QoS 2 exchange is on disk before the other side is told (D3)")
    func exactlyOnce() throws {
        var bench = try bench()
        bench.commitsAtOnce = false
        func nothingBeforeCommit(_ slot: Int) -> [Packet] {
            #expect(bench.take(slot).isEmpty)
            bench.commit()
            return bench.take(slot)
        }
        let answer = Acknowledgement(packetIdentifier: .first)
        try bench.publish(2, "t", qos: .exactlyOnce)
        #expect(nothingBeforeCommit(2) == [.pubrec(answer)])
        #expect(bench.publishes(1).count == 1)
        bench.receive(2, .pubrel(answer))
        #expect(nothingBeforeCommit(2) == [.pubcomp(answer)])
        bench.receive(1, .pubrec(answer))
        #expect(nothingBeforeCommit(1) == [.pubrel(answer)])
        bench.receive(1, .pubrec(answer))
        #expect(bench.take(1) == [.pubrel(answer)])
        bench.receive(1, .pubcomp(answer))
        bench.commit()
        #expect(bench.store.messages.isEmpty)
        #expect(bench.store.faults == [])
    }

    @Test("A publisher without a stored session waits for what it caused, and for nothing else")
    func publisherWaits() throws {
        var bench = try bench()
        bench.commitsAtOnce = false
        try bench.publish(3, "t", qos: .atLeastOnce)
        #expect(bench.take(3).isEmpty)
        bench.commit()
        #expect(bench.take(3).count == 1)
        try bench.unsubscribe(1, "#")
        bench.commit()
        try bench.publish(3, "t", qos: .atLeastOnce)
        #expect(bench.take(3).count == 1)
    }

    @Test("The whole state goes out under a batch of its own, which releases what waited")
    func everything() throws {
        var bench = try bench()
        bench.commitsAtOnce = false
        try bench.publish(2, "t", qos: .exactlyOnce, retain: true)
        let needed = bench.broker.journal.needed
        let (batch, state) = bench.perform { broker, _ in broker.everything() }
        #expect(batch == needed)
        #expect(bench.broker.journal.isEmpty)
        #expect(state.messages.count == 1)
        #expect(state.retained.map(\.topic.string) == ["t"])
        #expect(state.sessions.map(\.queue.count) == [1, 0])
        #expect(state.sessions.map(\.received.count) == [0, 1])
        // What comes later is noted against it.
        var store = ModelStore(state)
        bench.receive(1, .pubrec(Acknowledgement(packetIdentifier: .first)))
        bench.receive(1, .pubcomp(Acknowledgement(packetIdentifier: .first)))
        store.apply(bench.broker.journal.takeBatch().changes)
        #expect(store.faults == [])
        #expect(store.messages.count == 1)
    }

    @Test("A later process goes on where the last one stopped: PUBREL, DUP, identifiers, and what came already")
    func goesOn() throws {
        var bench = try bench()
        for id in 1...3 as ClosedRange<UInt16> { try bench.publish(2, "t", "\(id)", qos: .exactlyOnce, id: id) }
        try bench.publish(2, "t", "4", qos: .atLeastOnce)
        bench.receive(1, .pubrec(Acknowledgement(packetIdentifier: .first)))
        bench.restart()
        bench.connect(1, clean: false, expiry: 600)
        bench.connect(2, clean: false, expiry: 600)
        let again = bench.take(1)
        #expect(again.connack?.sessionPresent == true)
        #expect(again.dropFirst().first == .pubrel(Acknowledgement(packetIdentifier: .first)))
        let publishes = again.compactMap { if case .publish(let publish) = $0 { publish } else { nil } }
        #expect(publishes.map { String(buffer: $0.payload) } == ["2", "3", "4"])
        #expect(publishes.map(\.packetIdentifier?.rawValue) == [2, 3, 4])
        #expect(publishes.map(\.duplicate) == [true, true, true])
        // The publisher did not hear of it and repeats: it is only answered.
        try bench.publish(2, "t", "3", qos: .exactlyOnce, id: 3, duplicate: true)
        #expect(bench.publishes(1).isEmpty)
        try bench.publish(2, "t", "5", qos: .exactlyOnce, id: 5)
        #expect(bench.publishes(1).map(\.packetIdentifier?.rawValue) == [5])
    }

    @Test("A queued QoS 0 message is not sent again by a later process")
    func atMostOnce() throws {
        var bench = Bench(storesChanges: true) { $0.limits.queuesQoS0 = true }
        bench.connect(1, expiry: 600)
        bench.connect(3)
        try bench.subscribe(1, "#", qos: .atMostOnce)
        bench.cut(1)
        try bench.publish(3, "t")
        bench.commitsAtOnce = false
        bench.connect(1, clean: false, expiry: 600)
        #expect(bench.publishes(1).isEmpty)
        bench.commit()
        #expect(bench.publishes(1).count == 1)
        bench.restart()
        bench.connect(1, clean: false, expiry: 600)
        bench.commit()
        #expect(bench.publishes(1).isEmpty)
    }

    @Test("Retained messages come back, expired ones are not given out, and are cleared away when replaced")
    func retained() throws {
        var bench = try bench()
        try bench.publish(3, "a", "old", retain: true, properties: [.messageExpiryInterval(5)])
        try bench.publish(3, "b", "kept", retain: true)
        _ = bench.consume(1)
        bench.pass(.seconds(10))
        bench.restart()
        bench.connect(3)
        try bench.subscribe(3, "+")
        #expect(bench.texts(3) == ["kept"])
        for topic in ["a", "b"] { try bench.publish(3, topic, "", retain: true) }
        _ = bench.consume(1)
        #expect(bench.store.retained.isEmpty)
        #expect(bench.store.messages.isEmpty)
        #expect(bench.store.faults == [])
    }

    @Test("Restarting again and again does not keep a session for ever")
    func deadlineIsNoted() throws {
        var bench = try bench()
        for _ in 0..<4 {
            bench.restart()
            bench.pass(.seconds(200))
        }
        #expect(bench.broker.sessionStates(at: bench.now).isEmpty)
        #expect(bench.store.sessions.isEmpty)
    }

    @Test("Without a store nothing waits and nothing is noted")
    func inMemory() throws {
        var bench = Bench(storesChanges: false)
        bench.connect(1, expiry: 600)
        bench.connect(2, expiry: 600)
        try bench.subscribe(1, "#")
        try bench.publish(2, "t", qos: .exactlyOnce, retain: true)
        #expect(bench.consume(1).count == 1)
        #expect(bench.take(2).verdict == .success)
        #expect(bench.broker.journal.isEmpty)
    }

    // MARK: The journal by itself

    @Test("What was noted and is done with before its batch leaves no trace, however much it was")
    func journalCancels() throws {
        var journal = Journal()
        var session = ServerSession(id: 1, clientIdentifier: "c", version: .v5, username: nil, expiryInterval: 60)
        let message = ServerMessage(topic: try TopicName("t"), payload: ByteBuffer(repeating: 0, count: 100))
        journal.append(.session(session.record))
        let empty = journal.bytes
        for _ in 0..<5_000 {
            let id = journal.nextMessage()
            journal.append(.message(StoredMessage(id: id, message: message, publisher: "", deadline: nil)))
            let entry = session.append(
                RoutedMessage(message, publisher: nil, deadline: nil), qos: .atLeastOnce, retain: false,
                identifiers: [],
                stored: id)
            journal.append(
                .queued(
                    1,
                    StoredEntry(
                        sequence: entry.sequence, message: id, qos: .atLeastOnce, retain: false,
                        subscriptionIdentifiers: [])))
            #expect(journal.bytes > empty)
            journal.dequeue(1, entry)
            #expect(journal.bytes == empty)
        }
        let batch = journal.takeBatch()
        #expect(batch.number == 1)
        #expect(batch.changes.count == 1)
        #expect(journal.isEmpty)
        #expect(journal.bytes == 0)
        #expect(journal.needed == 1)
        #expect(journal.batch == 2)
    }
}
