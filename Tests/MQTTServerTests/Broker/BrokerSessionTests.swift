import MQTTWire
import NIOCore
import Testing

@testable import MQTTServer

/// How long sessions live, and who may come back to them (5.0 §3.1.2.4, §3.1.2.11.2, §3.14.2.2.2, §4.1).
@Suite struct BrokerSessionTests {
    @Test("A session with an expiry of 0 ends with its connection", arguments: [ProtocolVersion.v3_1_1, .v5])
    func endsWithConnection(version: ProtocolVersion) throws {
        var bench = Bench()
        bench.connect(1, version: version, clean: true)
        try bench.subscribe(1, "a")
        bench.cut(1)
        #expect(bench.broker.sessionStates(at: bench.now).isEmpty)
        #expect(bench.broker.statistics.subscriptions == 0)
        bench.connect(1, version: version, clean: false)
        #expect(bench.take(1).connack?.sessionPresent == false)
    }

    @Test("A session with an expiry outlives its connection by that, counted from the connection's end")
    func finiteExpiry() throws {
        var bench = Bench()
        bench.connect(1, expiry: 60)
        try bench.subscribe(1, "a")
        bench.pass(.seconds(1_000))
        bench.cut(1)
        bench.pass(.milliseconds(59_900))
        bench.connect(1, clean: false, expiry: 60)
        #expect(bench.take(1).connack?.sessionPresent == true)
        bench.pass(.seconds(100))
        #expect(bench.broker.sessionStates(at: bench.now).count == 1)
        bench.cut(1)
        #expect(bench.broker.sessionStates(at: bench.now).first?.remaining == .seconds(60))
        bench.pass(.milliseconds(60_100))
        #expect(bench.broker.sessionStates(at: bench.now).isEmpty)
        #expect(bench.broker.statistics.expiredSessions == 1)
        #expect(bench.broker.statistics.subscriptions == 0)
        let ends = bench.takeEvents().compactMap { if case .sessionDeleted(_, let end) = $0 { end } else { nil } }
        #expect(ends == [.expired])
        bench.connect(1, clean: false, expiry: 60)
        #expect(bench.take(1).connack?.sessionPresent == false)
    }

    @Test("A session without an end is kept: 0xFFFFFFFF under 5.0, a session that is not clean under 3.1.1")
    func neverEnds() {
        var bench = Bench()
        bench.connect(1, expiry: .max)
        bench.connect(2, version: .v3_1_1, clean: false)
        #expect(bench.take(1).connack?.properties.sessionExpiryInterval == nil)
        bench.cut(1)
        bench.cut(2)
        #expect(bench.broker.nextDeadline == nil)
        bench.pass(.hours(24 * 365 * 50))
        #expect(bench.broker.sessionStates(at: bench.now).map(\.remaining) == [nil, nil])
        bench.connect(2, version: .v3_1_1, clean: false)
        #expect(bench.take(2).connack?.sessionPresent == true)
    }

    @Test("The server's longest expiry is told, and holds under 3.1.1 as well")
    func longestExpiry() {
        var bench = Bench { $0.limits.maximumSessionExpiry = 10 }
        bench.connect(1, expiry: 100)
        bench.connect(2, version: .v3_1_1, clean: false)
        bench.connect(3, expiry: 5)
        #expect(bench.take(1).connack?.properties.sessionExpiryInterval == 10)
        #expect(bench.take(3).connack?.properties.sessionExpiryInterval == nil)
        for slot in 1...3 { bench.cut(slot) }
        bench.pass(.milliseconds(5_100))
        #expect(bench.broker.sessionStates(at: bench.now).map(\.clientIdentifier) == ["c1", "c2"])
        bench.pass(.seconds(6))
        #expect(bench.broker.sessionStates(at: bench.now).isEmpty)
    }

    @Test("DISCONNECT changes the expiry", arguments: [0, 5, nil] as [UInt32?])
    func changedAtDisconnect(expiry: UInt32?) {
        var bench = Bench(storesChanges: true)
        bench.connect(1, expiry: 60)
        bench.disconnect(1, expiry: expiry)
        #expect(bench.closed.contains(1))
        #expect(bench.broker.sessionStates(at: bench.now).count == (expiry == 0 ? 0 : 1))
        #expect(bench.store.sessions.count == (expiry == 0 ? 0 : 1))
        bench.pass(.seconds(Int64(expiry ?? 60)) + .milliseconds(100))
        #expect(bench.broker.sessionStates(at: bench.now).isEmpty)
        #expect(bench.store.sessions.isEmpty)
        #expect(bench.store.faults == [])
    }

    @Test(
        "A session that was to end with its connection cannot be kept after all: a protocol error, and the will comes")
    func expiryFromNothing() throws {
        var bench = Bench()
        bench.connect(1, will: try .test("will"))
        bench.connect(2)
        try bench.subscribe(2, "will")
        _ = bench.take(2)
        _ = bench.take(1)
        bench.disconnect(1, expiry: 10)
        #expect(bench.take(1).disconnect?.reasonCode == .protocolError)
        #expect(bench.texts(2) == ["gone"])
        #expect(bench.broker.sessionStates(at: bench.now).map(\.clientIdentifier) == ["c2"])
    }

    @Test("A clean start ends the session that was there, with what waits in it")
    func cleanStart() throws {
        var bench = Bench(storesChanges: true)
        bench.connect(1, expiry: 60)
        bench.connect(2)
        try bench.subscribe(1, "a")
        bench.cut(1)
        try bench.publish(2, "a", qos: .atLeastOnce)
        #expect(bench.broker.statistics.queuedMessages == 1)
        bench.connect(1, clean: true, expiry: 60)
        #expect(bench.take(1).connack?.sessionPresent == false)
        try bench.publish(2, "a", qos: .atLeastOnce)
        #expect(bench.publishes(1).isEmpty)
        #expect(bench.broker.statistics.queuedMessages == 0)
        #expect(bench.broker.statistics.queuedBytes == 0)
        #expect(bench.broker.statistics.messagesDropped == [.sessionEnded: 1])
        #expect(bench.store.messages.isEmpty)
        #expect(bench.store.faults == [])
    }

    @Test("A clean start is not confirmed before the old session is gone from the disk")
    func cleanStartIsDurable() {
        var bench = Bench(storesChanges: true)
        bench.connect(1, expiry: 60)
        bench.cut(1)
        bench.commitsAtOnce = false
        bench.connect(1, clean: true)
        #expect(bench.take(1).isEmpty)
        bench.commit()
        #expect(bench.take(1).connack?.sessionPresent == false)
        #expect(bench.store.sessions.isEmpty)
    }

    @Test("Whoever comes under the same name takes over: DISCONNECT with 0x8E under 5.0, and the old one is closed")
    func takeOver() throws {
        var bench = Bench()
        bench.connect(1, "same", expiry: 60)
        try bench.subscribe(1, "a")
        _ = bench.take(1)
        bench.connect(2, "same", clean: false, expiry: 60)
        #expect(bench.take(1) == [.disconnect(Disconnect(reasonCode: .sessionTakenOver))])
        #expect(bench.closed == [1])
        #expect(bench.take(2).connack?.sessionPresent == true)
        bench.connect(3)
        try bench.publish(3, "a", qos: .atLeastOnce)
        #expect(bench.publishes(1).isEmpty)
        #expect(bench.consume(2).count == 1)
        // That the old connection ends at last changes nothing.
        bench.cut(1)
        #expect(bench.broker.clientStates.map(\.client.identifier) == ["c3", "same"])
        bench.connect(4, "same", version: .v3_1_1, clean: true)
        #expect(bench.take(4).connack?.sessionPresent == false)
        #expect(bench.broker.statistics.connectedClients == 2)
        #expect(bench.broker.statistics.sessions == 2)
    }

    @Test(
        "A message that was sent before is not sent again to a client that may not see it any more", arguments: [1, 2])
    func rightsOfRepetition(qos: UInt8) throws {
        let qos = try #require(QoS(rawValue: qos))
        var bench = Bench(storesChanges: true)
        bench.connect(1, expiry: 60)
        bench.connect(2)
        bench.connect(3)
        try bench.subscribe(1, "#", qos: qos)
        try bench.publish(2, "secret", qos: qos)
        try bench.publish(3, "public", qos: qos)
        #expect(bench.publishes(1).count == 2)
        bench.cut(1)
        bench.connect(1, clean: false, expiry: 60, policy: Forbidding(receiving: "secret"))
        #expect(bench.publishes(1).map { $0.topic?.string } == ["public"])
        #expect(bench.broker.statistics.messagesDropped == [.refused: 1])
        #expect(bench.broker.inconsistencies == [])
        bench.commit()
        bench.restart()
        #expect(bench.store.messages.count == 1)
    }

    @Test("Clients whose identifiers look the same and are not have sessions of their own")
    func identifiersAreBytes() throws {
        var bench = Bench(storesChanges: true)
        let names = ["caf\u{E9}", "cafe\u{301}"]
        for (slot, name) in names.enumerated() { bench.connect(slot, name, expiry: 60) }
        #expect(bench.closed.isEmpty)
        try bench.subscribe(0, "a")
        #expect(bench.broker.subscriptionStates(of: names[1]).isEmpty)
        bench.commit()
        bench.restart()
        #expect(bench.broker.statistics.sessions == 2)
        for (slot, name) in names.enumerated() {
            bench.connect(slot, name, clean: false, expiry: 60)
            #expect(bench.take(slot).connack?.sessionPresent == true)
        }
        #expect(bench.broker.subscriptionStates(of: names[0]).count == 1)
    }

    @Test("A resumed session that is not to be kept any more leaves the disk, and goes on")
    func keptNoMore() throws {
        var bench = Bench(storesChanges: true)
        bench.connect(1, expiry: 60)
        bench.connect(2)
        try bench.subscribe(1, "a")
        bench.cut(1)
        try bench.publish(2, "a", qos: .exactlyOnce)
        bench.connect(1, clean: false, expiry: 0)
        #expect(bench.store.sessions.isEmpty)
        #expect(bench.store.messages.isEmpty)
        #expect(bench.consume(1).count == 1)
        #expect(bench.broker.statistics.queuedMessages == 0)
        #expect(bench.store.faults == [])
        bench.disconnect(1)
        #expect(bench.broker.sessionStates(at: bench.now).map(\.clientIdentifier) == ["c2"])
    }

    @Test("More sessions than are allowed are refused, also those without a connection count")
    func sessionLimit() {
        var bench = Bench { $0.limits.maximumSessions = 2 }
        bench.connect(1, expiry: 60)
        bench.cut(1)
        bench.connect(2)
        bench.connect(3)
        #expect(bench.take(3) == [.connack(ConnAck(sessionPresent: false, reasonCode: .quotaExceeded))])
        #expect(bench.closed.contains(3))
        bench.connect(4, version: .v3_1_1)
        #expect(bench.take(4).connack?.reasonCode == .serverUnavailable)
        #expect(bench.broker.statistics.connectionsRefused == 2)
        // Its own is no further one.
        bench.connect(1, clean: true, expiry: 60)
        #expect(bench.take(1).connack?.reasonCode == .success)
        #expect(bench.broker.statistics.sessions == 2)
    }

    @Test(
        "Who says nothing for 1.5 times the keep-alive is disconnected; any packet counts, and progress of a large one")
    func keepAlive() {
        var bench = Bench()
        bench.connect(1, keepAlive: 10)
        bench.connect(2, version: .v3_1_1, keepAlive: 10)
        bench.connect(3, keepAlive: 0)
        _ = bench.take(1)
        bench.pass(.seconds(14))
        bench.receive(1, .pingreq)
        #expect(bench.take(1) == [.pingresp])
        bench.perform { broker, now in broker.heard(from: ConnectionID(slot: 2, generation: 1), at: now) }
        bench.pass(.milliseconds(14_800))
        #expect(bench.closed.isEmpty)
        bench.pass(.milliseconds(300))
        #expect(bench.closed == [1, 2])
        #expect(bench.take(1).disconnect?.reasonCode == .keepAliveTimeout)
        #expect(bench.take(2).disconnect == nil)
        bench.pass(.hours(1_000))
        #expect(bench.closed == [1, 2])
    }

    @Test("The server's longest keep-alive is told under 5.0, and supervised")
    func serverKeepAlive() {
        var bench = Bench { $0.limits.maximumKeepAlive = 20 }
        bench.connect(1, keepAlive: 0)
        bench.connect(2, keepAlive: 60)
        bench.connect(3, keepAlive: 10)
        bench.connect(4, version: .v3_1_1, keepAlive: 60)
        #expect(bench.take(1).connack?.properties.serverKeepAlive == 20)
        #expect(bench.take(2).connack?.properties.serverKeepAlive == 20)
        #expect(bench.take(3).connack?.properties.serverKeepAlive == nil)
        bench.pass(.milliseconds(30_100))
        #expect(bench.closed == [1, 2, 3])
        bench.pass(.seconds(60))
        #expect(bench.closed == [1, 2, 3, 4])
    }

    @Test("A packet that is not a client's to send, or not now, ends the connection")
    func wrongPackets() throws {
        let wrong: [Packet] = [
            .connect(Connect(version: .v5, clientIdentifier: "x")),
            .connack(ConnAck(sessionPresent: false, reasonCode: .success)),
            .suback(SubAck(packetIdentifier: .first, reasonCodes: [.success])),
            .unsuback(UnsubAck(packetIdentifier: .first, reasonCodes: [.success])),
            .pingresp, .auth(Auth(reasonCode: .reauthenticate)),
        ]
        for packet in wrong {
            var bench = Bench()
            bench.connect(1)
            _ = bench.take(1)
            bench.receive(1, packet)
            #expect(bench.take(1).disconnect?.reasonCode == .protocolError, "\(packet)")
            #expect(bench.closed == [1])
        }
    }

    @Test("A client that takes too small packets for CONNACK is told so in five bytes")
    func tinyPackets() {
        var bench = Bench { $0.responseInformation = String(repeating: "r", count: 100) }
        bench.connect(1, properties: [.maximumPacketSize(60), .requestResponseInformation(true)])
        #expect(bench.take(1) == [.connack(ConnAck(sessionPresent: false, reasonCode: .packetTooLarge))])
        bench.connect(1, properties: [.maximumPacketSize(60)])
        #expect(bench.take(1).connack?.reasonCode == .success)
        let filters = (0..<60).compactMap { try? TopicFilter("f/\($0)") }
        bench.receive(
            1,
            .subscribe(Subscribe(packetIdentifier: .first, subscriptions: filters.map { Subscription(filter: $0) })))
        #expect(bench.take(1).disconnect?.reasonCode == .packetTooLarge)
        #expect(bench.broker.statistics.subscriptions == 0)
        bench.connect(1, properties: [.maximumPacketSize(.max)])
        #expect(bench.take(1).connack?.reasonCode == .success)
    }

    @Test("An administrator may end a connection, and delete a session with or without one")
    func administration() throws {
        var bench = Bench()
        bench.connect(1, expiry: 60)
        bench.connect(2, expiry: 60)
        _ = bench.take(1)
        #expect(bench.perform { $0.disconnect("c1", .administrativeAction, at: $1) })
        #expect(bench.take(1).disconnect?.reasonCode == .administrativeAction)
        #expect(!bench.perform { $0.disconnect("c1", .administrativeAction, at: $1) })
        #expect(!bench.perform { $0.disconnect("nobody", .administrativeAction, at: $1) })
        #expect(bench.broker.sessionStates(at: bench.now).count == 2)
        _ = bench.takeEvents()
        #expect(bench.perform { $0.deleteSession(of: "c1", at: $1) })
        #expect(bench.perform { $0.deleteSession(of: "c2", at: $1) })
        #expect(!bench.perform { $0.deleteSession(of: "c2", at: $1) })
        #expect(bench.closed == [1, 2])
        #expect(bench.broker.sessionStates(at: bench.now).isEmpty)
        let ends = bench.takeEvents().compactMap { if case .sessionDeleted(_, let end) = $0 { end } else { nil } }
        #expect(ends == [.deleted, .deleted])
    }

    @Test("At shutdown clients are told, sessions stay, and wills wait for the next process")
    func shutDown() throws {
        var bench = Bench(storesChanges: true)
        bench.connect(1, expiry: 60, will: try .test("will"))
        bench.connect(2, version: .v3_1_1, clean: true)
        try bench.subscribe(1, "#")
        _ = bench.take(1)
        bench.perform { $0.shutDown(at: $1) }
        #expect(bench.take(1) == [.disconnect(Disconnect(reasonCode: .serverShuttingDown))])
        #expect(bench.closed == [1, 2])
        #expect(bench.store.sessions.values.map(\.record.clientIdentifier) == ["c1"])
        #expect(bench.store.wills.keys.sorted() == ["c1"])
        #expect(bench.broker.statistics.connectedClients == 0)
    }
}
