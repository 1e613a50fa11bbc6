import MQTTWire
import NIOCore
import Testing

@testable import MQTTServer

/// Queues, budgets and retained messages at their limits: what goes is counted, and the counters come back to nothing.
@Suite struct BrokerLimitTests {
    /// With a stored session of client 1, subscribed to everything, and a publisher at 2.
    private func bench(
        qos: QoS = .exactlyOnce, isAway: Bool = true, properties: Properties = [],
        _ configure: (inout ServerLimits) -> Void
    ) throws -> Bench {
        var bench = Bench(storesChanges: true) { configure(&$0.limits) }
        bench.connect(1, expiry: 600, properties: properties)
        bench.connect(2)
        try bench.subscribe(1, "#", qos: qos)
        _ = bench.take(1)
        if isAway { bench.cut(1) }
        return bench
    }

    private func fill(_ bench: inout Bench, _ range: Range<Int>, size: Int = 0, qos: QoS = .atLeastOnce) throws {
        for number in range {
            try bench.publish(2, "t", "\(number)" + String(repeating: " ", count: size), qos: qos, id: 1)
            _ = bench.take(2)
            if qos == .exactlyOnce { bench.receive(2, .pubrel(Acknowledgement(packetIdentifier: .first))) }
        }
    }

    @Test("The server's own values in $SYS do not take what limits leave to clients")
    func ownValues() throws {
        var bench = try bench {
            $0.retainedMessages = 2
            $0.retainedBytes = 200
        }
        for number in 0..<50 {
            let message = try ServerMessage("$SYS/broker/\(number)", "1", retain: true)
            bench.perform { broker, now in broker.publishStatus(message, at: now) }
        }
        #expect(bench.broker.statistics.retainedMessages == 0)
        #expect(bench.broker.statistics.retainedBytes == 0)
        var verdicts: [ReasonCode?] = []
        for topic in ["a", "b", "c"] {
            try bench.publish(2, topic, qos: .atLeastOnce, retain: true)
            verdicts.append(bench.take(2).verdict)
        }
        #expect(verdicts == [.success, .success, .quotaExceeded])
        #expect(bench.broker.statistics.retainedMessages == 2)
        bench.connect(3)
        try bench.subscribe(3, "$SYS/#")
        #expect(bench.publishes(3).count == 50)
        #expect(bench.broker.inconsistencies == [])
    }

    /// Client 1 comes back and gets everything.
    private func collect(_ bench: inout Bench) -> [Int] {
        bench.connect(1, clean: false, expiry: 600)
        let numbers = bench.consume(1).compactMap { Int(String(buffer: $0.payload).filter(\.isNumber)) }
        #expect(bench.broker.statistics.queuedMessages == 0)
        #expect(bench.broker.statistics.queuedBytes == 0)
        #expect(bench.store.messages.isEmpty)
        #expect(bench.store.faults == [])
        return numbers
    }

    @Test("A full queue lets the newest go, or the oldest", arguments: [ServerLimits.Eviction.newest, .oldest])
    func messages(eviction: ServerLimits.Eviction) throws {
        var bench = try bench {
            $0.queuedMessages = 5
            $0.eviction = eviction
        }
        try fill(&bench, 0..<8)
        #expect(bench.broker.statistics.messagesDropped == [.queueFull: 3])
        #expect(bench.broker.statistics.queuedMessages == 5)
        #expect(collect(&bench) == (eviction == .newest ? [0, 1, 2, 3, 4] : [3, 4, 5, 6, 7]))
    }

    @Test(
        "A queue that is full of bytes lets the newest go, or the oldest",
        arguments: [ServerLimits.Eviction.newest, .oldest])
    func bytes(eviction: ServerLimits.Eviction) throws {
        var bench = try bench {
            $0.queuedBytes = 5_000
            $0.eviction = eviction
        }
        try fill(&bench, 0..<8, size: 1_000)
        #expect(bench.broker.statistics.messagesDropped == [.queueFull: 4])
        #expect(bench.broker.statistics.queuedBytes <= 5_000)
        #expect(collect(&bench) == (eviction == .newest ? [0, 1, 2, 3] : [4, 5, 6, 7]))
    }

    @Test("A message that is larger than the queue does not empty it, and is taken when there is nothing else")
    func tooLargeForQueue() throws {
        var bench = try bench {
            $0.queuedBytes = 2_000
            $0.eviction = .oldest
        }
        try fill(&bench, 0..<3)
        try fill(&bench, 3..<4, size: 5_000)
        #expect(collect(&bench) == [0, 1, 2])
        bench.cut(1)
        try fill(&bench, 4..<5, size: 5_000)
        #expect(collect(&bench) == [4])
    }

    @Test("Nothing waits for clients that are away where the limit is 0; connected ones get theirs one by one")
    func none() throws {
        var bench = try bench(isAway: false, properties: [.receiveMaximum(1)]) { $0.queuedMessages = 0 }
        try fill(&bench, 0..<4)
        #expect(bench.consume(1).count == 2)
        #expect(bench.broker.statistics.messagesDropped == [.queueFull: 2])
        bench.cut(1)
        try fill(&bench, 4..<6)
        #expect(collect(&bench) == [])
    }

    @Test("All queues together have a limit")
    func total() throws {
        var bench = try bench { $0.totalQueuedBytes = 10_000 }
        bench.connect(3, expiry: 600)
        try bench.subscribe(3, "t")
        bench.cut(3)
        try fill(&bench, 0..<10, size: 1_000)
        #expect(bench.broker.statistics.queuedBytes <= 10_000)
        let dropped = try #require(bench.broker.statistics.messagesDropped[.memoryFull])
        #expect(dropped == 20 - bench.broker.statistics.queuedMessages)
        bench.connect(3, clean: true)
        #expect(collect(&bench).count == 5)
    }

    @Test("Expired messages make room before others have to go")
    func expiredGoFirst() throws {
        var bench = try bench { $0.queuedMessages = 3 }
        for number in 0..<3 {
            try bench.publish(
                2, "t", "\(number)", qos: .atLeastOnce, properties: number == 1 ? [] : [.messageExpiryInterval(5)])
        }
        bench.pass(.seconds(6))
        try fill(&bench, 3..<5)
        #expect(bench.broker.statistics.messagesDropped == [.expired: 2])
        #expect(collect(&bench) == [1, 3, 4])
    }

    @Test("What was sent already is never dropped for room")
    func sentIsKept() throws {
        var bench = try bench(isAway: false, properties: [.receiveMaximum(2)]) {
            $0.queuedMessages = 3
            $0.eviction = .oldest
        }
        try fill(&bench, 0..<4)
        bench.cut(1)
        try fill(&bench, 4..<8)
        #expect(collect(&bench) == [0, 1, 7])
    }

    @Test("QoS 0 waits for clients that are away only where that is wanted, in order with the rest")
    func atMostOnceWhileAway() throws {
        var without = try bench { $0.queuesQoS0 = false }
        try fill(&without, 0..<3, qos: .atMostOnce)
        #expect(collect(&without) == [])
        var with = try bench {
            $0.queuesQoS0 = true; $0.maximumInFlight = 1
        }
        for number in 0..<4 { try fill(&with, number..<number + 1, qos: number % 2 == 0 ? .atLeastOnce : .atMostOnce) }
        with.restart()
        with.connect(1, clean: false, expiry: 600)
        // Those at QoS 0 wait behind what must be acknowledged first, and a new one behind them.
        with.connect(2)
        try fill(&with, 4..<5, qos: .atMostOnce)
        let got = with.consume(1)
        #expect(got.map { String(buffer: $0.payload) } == ["0", "1", "2", "3", "4"])
        #expect(got.filter { $0.qos == .atMostOnce }.allSatisfy { !$0.duplicate })
        #expect(with.broker.statistics.queuedMessages == 0)
        #expect(with.store.messages.isEmpty)
        #expect(with.store.faults == [])
    }

    // MARK: A client that does not read

    @Test("While the socket takes nothing QoS 0 waits, then is dropped and counted; QoS 1 waits")
    func slowReader() throws {
        var bench = try bench(isAway: false) {
            $0.queuedMessages = 10
            $0.maximumInFlight = 100
        }
        bench.flushesAtOnce = false
        // Until the budget is spent everything goes out.
        let size = BrokerConnection.fullBudget / 4
        try fill(&bench, 0..<5, size: size, qos: .atMostOnce)
        #expect(bench.publishes(1).count == 4)
        #expect(bench.broker.statistics.queuedMessages == 1)
        try fill(&bench, 5..<8, qos: .atLeastOnce)
        try fill(&bench, 8..<20, qos: .atMostOnce)
        #expect(bench.publishes(1).isEmpty)
        #expect(bench.broker.statistics.queuedMessages == 10)
        #expect(bench.broker.statistics.messagesDropped == [.notReading: 6])
        bench.flush(1)
        bench.flushesAtOnce = true
        let got = bench.consume(1)
        #expect(
            got.filter { $0.qos == .atMostOnce }.map { String(buffer: $0.payload).filter(\.isNumber) } == [
                "4", "8", "9", "10", "11", "12", "13",
            ])
        #expect(got.filter { $0.qos == .atLeastOnce }.map { String(buffer: $0.payload) } == ["5", "6", "7"])
        #expect(bench.broker.statistics.queuedMessages == 0)
        #expect(bench.broker.statistics.queuedBytes == 0)
    }

    @Test("What waits for a socket that is lost is lost and counted at QoS 0, and repeated at QoS 1")
    func slowReaderIsLost() throws {
        var bench = try bench(isAway: false) { _ in }
        bench.flushesAtOnce = false
        try fill(&bench, 0..<1, size: BrokerConnection.fullBudget, qos: .atMostOnce)
        try fill(&bench, 1..<3, qos: .atMostOnce)
        try fill(&bench, 3..<5, qos: .atLeastOnce)
        bench.cut(1)
        #expect(bench.broker.statistics.messagesDropped == [.notReading: 2])
        bench.flushesAtOnce = true
        #expect(collect(&bench) == [3, 4])
    }

    // MARK: Retained messages

    @Test(
        "A retained message beyond the limits is not kept, and its publisher is told",
        arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
    func retainedLimits(qos: QoS) throws {
        var bench = try bench(isAway: false) {
            $0.retainedMessages = 2
            $0.retainedBytes = 3_000
            $0.topicLevels = 3
        }
        try bench.publish(2, "a", "1", retain: true)
        try bench.publish(2, "b", String(repeating: "x", count: 2_500), retain: true)
        _ = bench.take(2)
        _ = bench.publishes(1)
        // One too many.
        try bench.publish(2, "c", "3", qos: qos, retain: true)
        #expect(bench.take(2).verdict == (qos == .atMostOnce ? nil : .quotaExceeded))
        // An error ends a QoS 2 exchange, and the message may come again: it must not have gone anywhere.
        #expect(bench.consume(1).count == (qos == .exactlyOnce ? 0 : 1))
        // Too many bytes, even in the place of another.
        try bench.publish(2, "a", String(repeating: "x", count: 1_000), qos: qos, retain: true)
        #expect(bench.take(2).verdict == (qos == .atMostOnce ? nil : .quotaExceeded))
        try bench.publish(2, "a", "replaced", qos: qos, retain: true)
        #expect(bench.take(2).verdict == (qos == .atMostOnce ? nil : .success))
        bench.receive(2, .pubrel(Acknowledgement(packetIdentifier: .first)))
        _ = bench.take(2)
        try bench.publish(2, "1/2/3/4", "deep", qos: qos, retain: true)
        #expect(bench.take(2).verdict == (qos == .atMostOnce ? nil : .topicNameInvalid))
        #expect(bench.broker.statistics.retainedRefused == 2)
        #expect(bench.broker.statistics.retainedMessages == 2)
        #expect(bench.broker.statistics.retainedBytes <= 3_000)
        try bench.publish(2, "a", "", qos: qos, retain: true)
        try bench.publish(2, "b", "", qos: qos, retain: true, id: 2)
        _ = bench.consume(1)
        #expect(bench.broker.statistics.retainedBytes == 0)
        #expect(bench.store.messages.isEmpty)
        #expect(bench.store.faults == [])
    }

    @Test("A publisher of 3.1.1 whose message cannot be retained is heard all the same, once")
    func retainedLimitOldVersion() throws {
        var bench = try bench(isAway: false) { $0.retainedMessages = 0 }
        bench.connect(3, version: .v3_1_1, clean: false)
        for _ in 0..<2 { try bench.publish(3, "t", qos: .exactlyOnce, retain: true) }
        #expect(bench.consume(1).count == 1)
    }

    @Test(
        "More retained messages than the queue takes arrive whole, a window at a time",
        arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
    func retainedBacklog(qos: QoS) throws {
        var bench = Bench(storesChanges: true) {
            $0.limits.queuedMessages = 5
            $0.limits.queuedBytes = 500
            $0.limits.totalQueuedBytes = 1_000
            $0.limits.maximumInFlight = 4
        }
        bench.connect(1, expiry: 600)
        bench.connect(2)
        for number in 0..<300 {
            try bench.publish(2, "r/\(number)", "\(number)", qos: .exactlyOnce, retain: true, id: UInt16(number + 1))
        }
        try bench.subscribe(1, "r/#", qos: qos)
        let got = bench.consume(1)
        #expect(got.count == 300)
        #expect(Set(got.map { $0.topic?.string }).count == 300)
        #expect(got.allSatisfy { $0.retain && $0.qos == qos })
        #expect(bench.broker.statistics.messagesDroppedInAll == 0)
        #expect(bench.broker.statistics.queuedMessages == 0)
        #expect(bench.store.messages.count == 300)
        #expect(bench.store.faults == [])
    }

    @Test("A retained message that waits does not come behind a newer one, nor when it was removed or has expired")
    func backlogAndNewer() throws {
        var bench = Bench { $0.limits.maximumInFlight = 1 }
        bench.connect(1)
        bench.connect(2)
        for name in ["a", "b", "c", "d"] {
            try bench.publish(
                2, name, "old \(name)", qos: .atLeastOnce, retain: true,
                properties: name == "d" ? [.messageExpiryInterval(5)] : [])
        }
        try bench.subscribe(1, "+", qos: .atLeastOnce)
        let first = bench.publishes(1)
        #expect(first.count == 1)
        let firstTopic = try #require(first.first?.topic?.string)
        // The others wait. All are replaced but the one that expires, and one is removed.
        for name in ["a", "b"] { try bench.publish(2, name, "new \(name)", qos: .atLeastOnce, retain: true) }
        try bench.publish(2, "c", "", qos: .atLeastOnce, retain: true)
        bench.pass(.seconds(10))
        bench.receive(1, .puback(Acknowledgement(packetIdentifier: .first)))
        let rest = bench.consume(1).map { String(buffer: $0.payload) }
        #expect(rest.filter { $0.hasPrefix("old") } == [], "the first was \(firstTopic)")
        #expect(rest.filter { $0.hasPrefix("new") } == ["new a", "new b"])
    }

    @Test("Retained messages that wait survive the connection in a session that does")
    func backlogAndCut() throws {
        var bench = Bench { $0.limits.maximumInFlight = 2 }
        bench.connect(1, expiry: 60)
        bench.connect(2)
        for number in 0..<10 { try bench.publish(2, "r/\(number)", "\(number)", qos: .atLeastOnce, retain: true) }
        try bench.subscribe(1, "#", qos: .atLeastOnce)
        #expect(bench.publishes(1).count == 2)
        bench.cut(1)
        bench.connect(1, clean: false, expiry: 60, policy: Forbidding(receiving: "r/7"))
        let got = Set(bench.consume(1).map { String(buffer: $0.payload) })
        #expect(got.subtracting(["7"]) == Set((0..<10).map { "\($0)" }).subtracting(["7"]))
    }

    @Test("Retained messages that are too large for the client, however many, are passed over without recursion")
    func backlogTooLarge() throws {
        var bench = Bench()
        bench.broker.wantsEvents = false
        for number in 0..<20_000 {
            let topic = try TopicName("r/\(number)")
            bench.perform { broker, now in
                broker.publish(
                    ServerMessage(
                        topic: topic, payload: ByteBuffer(repeating: 0, count: 60), qos: .atLeastOnce, retain: true),
                    at: now)
            }
        }
        bench.connect(1, properties: [.maximumPacketSize(50)])
        try bench.subscribe(1, "#", qos: .atLeastOnce)
        #expect(bench.broker.statistics.messagesDropped == [.tooLarge: 20_000])
        #expect(bench.broker.statistics.queuedMessages == 0)
    }
}
