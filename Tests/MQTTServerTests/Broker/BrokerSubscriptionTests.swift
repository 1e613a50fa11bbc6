import MQTTWire
import NIOCore
import Testing

@testable import MQTTServer

/// Subscriptions, their options, and shared ones (5.0 §3.8, §3.10, §4.8).
@Suite struct BrokerSubscriptionTests {
    private func bench(
        clients: Int = 2, _ configure: (inout ServerConfiguration) -> Void = { _ in }
    ) -> Bench {
        var bench = Bench(configure)
        for slot in 1...clients { bench.connect(slot) }
        return bench
    }

    @Test("Overlapping subscriptions bring one copy, with the highest QoS and all identifiers")
    func overlapping() throws {
        var bench = bench()
        try bench.subscribe(1, "a/+", qos: .atMostOnce, identifier: 1)
        try bench.subscribe(1, "a/#", qos: .exactlyOnce, identifier: 2)
        try bench.subscribe(1, "a/b", qos: .atLeastOnce)
        try bench.subscribe(1, "x", identifier: 9)
        _ = bench.take(1)
        try bench.publish(2, "a/b", qos: .exactlyOnce)
        let got = bench.consume(1)
        #expect(got.map(\.qos) == [.exactlyOnce])
        #expect(got.first.map { Set($0.properties.subscriptionIdentifiers) } == [1, 2])
        bench.connect(3, version: .v3_1_1)
        try bench.subscribe(3, "a/+")
        try bench.subscribe(3, "a/b")
        _ = bench.take(3)
        try bench.publish(2, "a/b")
        #expect(bench.publishes(3).map(\.properties.isEmpty) == [true])
    }

    @Test("A subscription with the same filter takes the place of the old one, with all its options")
    func replaced() throws {
        var bench = bench()
        try bench.subscribe(1, "a", qos: .exactlyOnce, identifier: 1) { $0.noLocal = true }
        try bench.subscribe(1, "a", qos: .atMostOnce, identifier: 2)
        #expect(bench.broker.statistics.subscriptions == 1)
        _ = bench.take(1)
        try bench.publish(1, "a", qos: .exactlyOnce)
        let got = bench.publishes(1)
        #expect(got.map(\.qos) == [.atMostOnce])
        #expect(got.first?.properties.subscriptionIdentifiers == [2])
    }

    @Test("No Local withholds a client's own messages from that subscription only")
    func noLocal() throws {
        var bench = bench()
        try bench.subscribe(1, "a/#", qos: .exactlyOnce, identifier: 1) { $0.noLocal = true }
        _ = bench.take(1)
        try bench.publish(1, "a/b", qos: .exactlyOnce)
        #expect(bench.take(1).verdict == .noMatchingSubscribers)
        try bench.publish(2, "a/b", "other's", qos: .exactlyOnce)
        #expect(bench.consume(1).count == 1)
        try bench.subscribe(1, "+/b", qos: .atMostOnce, identifier: 2)
        _ = bench.take(1)
        try bench.publish(1, "a/b", qos: .atLeastOnce, id: 2)
        let own = bench.publishes(1)
        #expect(own.map(\.qos) == [.atMostOnce])
        #expect(own.first?.properties.subscriptionIdentifiers == [2])
    }

    @Test("RETAIN is passed on only to those who want it as published, and set for retained messages")
    func retainAsPublished() throws {
        var bench = bench(clients: 4)
        try bench.subscribe(1, "a") { $0.retainAsPublished = true }
        try bench.subscribe(2, "a")
        try bench.publish(3, "a", "new", retain: true)
        try bench.publish(3, "a", "plain")
        #expect(bench.publishes(1).map(\.retain) == [true, false])
        #expect(bench.publishes(2).map(\.retain) == [false, false])
        try bench.subscribe(4, "a")
        #expect(bench.publishes(4).map(\.retain) == [true])
    }

    @Test("Retained messages have the subscription's identifier and the lower QoS")
    func retainedTerms() throws {
        var bench = bench()
        try bench.publish(2, "a", qos: .exactlyOnce, retain: true)
        try bench.subscribe(1, "+", qos: .atLeastOnce, identifier: 7)
        let got = bench.consume(1)
        #expect(got.map(\.qos) == [.atLeastOnce])
        #expect(got.first?.properties.subscriptionIdentifiers == [7])
    }

    @Test("SUBACK and UNSUBACK have an answer for each filter, in order")
    func answers() throws {
        var bench = bench {
            $0.limits.maximumQoS = .atLeastOnce
            $0.limits.topicLevels = 3
            $0.hooks.interceptSubscription = { subscription, _ in
                switch subscription.filter.string {
                case "no": return .refuse(.topicFilterInvalid)
                case "odd": return .refuse(.keepAliveTimeout)
                case "swallowed": return .swallow
                case "lowered":
                    subscription.qos = .atMostOnce
                    return .accept
                default: return .accept
                }
            }
            $0.hooks.interceptUnsubscription = { filter, _ in
                filter.string == "lowered" ? .refuse(.notAuthorized) : filter.string == "odd" ? .swallow : .accept
            }
        }
        bench.connect(1, policy: Forbidding(receiving: "secret/"))
        _ = bench.take(1)
        let filters = ["a", "no", "odd", "swallowed", "lowered", "secret/x", "1/2/3/4"].compactMap {
            try? TopicFilter($0)
        }
        bench.receive(
            1,
            .subscribe(
                Subscribe(
                    packetIdentifier: .first, subscriptions: filters.map { Subscription(filter: $0, qos: .exactlyOnce) }
                )))
        #expect(
            bench.take(1).suback?.reasonCodes == [
                .grantedQoS1, .topicFilterInvalid, .unspecifiedError, .grantedQoS1, .success, .notAuthorized,
                .topicFilterInvalid,
            ])
        #expect(bench.broker.subscriptionStates(of: "c1").map(\.subscription.filter.string) == ["a", "lowered"])
        bench.receive(1, .unsubscribe(Unsubscribe(packetIdentifier: .first, filters: filters)))
        #expect(
            bench.take(1).unsuback?.reasonCodes == [
                .success, .noSubscriptionExisted, .success, .noSubscriptionExisted, .notAuthorized,
                .noSubscriptionExisted, .noSubscriptionExisted,
            ])
        bench.connect(2, version: .v3_1_1)
        _ = bench.take(2)
        try bench.unsubscribe(2, "nothing")
        #expect(bench.take(2) == [.unsuback(UnsubAck(packetIdentifier: .first))])
    }

    @Test("After UNSUBACK nothing new comes")
    func unsubscribed() throws {
        var bench = bench()
        try bench.subscribe(1, "a/+")
        try bench.subscribe(1, "$share/g/a/#")
        #expect(bench.broker.statistics.sharedSubscriptions == 1)
        try bench.unsubscribe(1, "a/+")
        try bench.unsubscribe(1, "$share/g/a/#")
        _ = bench.take(1)
        try bench.publish(2, "a/b")
        #expect(bench.publishes(1).isEmpty)
        #expect(bench.broker.statistics.subscriptions == 0)
        #expect(bench.broker.statistics.sharedSubscriptions == 0)
    }

    @Test("What is not offered is refused with its own code")
    func notOffered() throws {
        var bench = bench {
            $0.limits.areWildcardsAvailable = false
            $0.limits.areSharedSubscriptionsAvailable = false
        }
        let connack = try #require(bench.take(1).connack)
        #expect(connack.properties.wildcardSubscriptionAvailable == false)
        #expect(connack.properties.sharedSubscriptionAvailable == false)
        try bench.subscribe(1, "a/+")
        try bench.subscribe(1, "$share/g/a")
        let codes = bench.take(1).compactMap { if case .suback(let suback) = $0 { suback.reasonCodes } else { nil } }
        #expect(codes == [[.wildcardSubscriptionsNotSupported], [.sharedSubscriptionsNotSupported]])
    }

    @Test("A session has so many subscriptions, and all together; a replacement is none more")
    func limits() throws {
        var bench = bench(clients: 3) {
            $0.limits.subscriptions = 2
            $0.limits.totalSubscriptions = 3
        }
        func code(_ filter: String, _ slot: Int) throws -> ReasonCode? {
            _ = bench.take(slot)
            try bench.subscribe(slot, filter)
            return bench.take(slot).suback?.reasonCodes.first
        }
        #expect(try code("a", 1) == .grantedQoS2)
        #expect(try code("b", 1) == .grantedQoS2)
        #expect(try code("c", 1) == .quotaExceeded)
        #expect(try code("b", 1) == .grantedQoS2)
        #expect(try code("a", 2) == .grantedQoS2)
        #expect(try code("b", 2) == .quotaExceeded)
        bench.cut(1)
        #expect(try code("b", 2) == .grantedQoS2)
    }

    @Test("All subscriptions together take so much memory, and give it back")
    func memory() throws {
        var bench = bench(clients: 2) { $0.limits.totalSubscriptionBytes = 100_000 }
        func code(_ filter: String, _ slot: Int) throws -> ReasonCode? {
            _ = bench.take(slot)
            try bench.subscribe(slot, filter)
            return bench.take(slot).suback?.reasonCodes.first
        }
        let long = String(repeating: "x", count: 30_000)
        #expect(try code("a/\(long)", 1) == .grantedQoS2)
        #expect(try code("b/\(long)", 1) == .grantedQoS2)
        #expect(try code("c", 1) == .quotaExceeded)
        #expect(try code("c", 2) == .quotaExceeded)
        #expect(try code("b/\(long)", 1) == .grantedQoS2)
        try bench.unsubscribe(1, "b/\(long)")
        #expect(try code("c", 2) == .grantedQoS2)
        bench.cut(1)
        bench.cut(2)
        #expect(bench.broker.inconsistencies == [])
    }

    @Test("What is remembered of topics and aliases is bounded, however long they are")
    func longTopics() throws {
        var bench = bench(clients: 600) { $0.limits.topicAliasMaximum = 10 }
        let long = String(repeating: "x", count: 60_000)
        for number in 0..<20 { try bench.publish(1, "\(number)/\(long)") }
        try bench.publish(1, "short")
        #expect(bench.broker.routes.count == 1)
        let topic = try TopicName(long)
        for slot in 1...600 where !bench.closed.contains(slot) {
            for alias in 1...2 {
                bench.receive(
                    slot,
                    .publish(Publish(topic: topic, payload: ByteBuffer(), properties: [.topicAlias(UInt16(alias))])))
            }
        }
        #expect(bench.broker.aliasBytes <= 32 << 20)
        #expect(bench.closed.count > 40 && bench.closed.count < 400)
        #expect(bench.broker.inconsistencies == [])
    }

    @Test("Wildcards at the first level pass by topics with $, and clients cannot publish to $SYS")
    func reserved() throws {
        var bench = bench(clients: 3)
        try bench.subscribe(1, "#")
        try bench.subscribe(2, "+/broker")
        try bench.subscribe(3, "$SYS/#")
        for slot in 1...3 { _ = bench.take(slot) }
        try bench.publish(1, "$SYS/broker", qos: .atLeastOnce)
        #expect(bench.take(1).verdict == .notAuthorized)
        bench.perform { broker, now in
            guard let topic = try? TopicName("$SYS/broker") else { return }
            broker.publish(ServerMessage(topic: topic, payload: ByteBuffer(string: "up"), retain: true), at: now)
        }
        try bench.publish(1, "$other/broker", "mine")
        #expect(bench.texts(1) == [])
        #expect(bench.texts(2) == [])
        #expect(bench.texts(3) == ["up"])
        try bench.subscribe(1, "#")
        #expect(bench.texts(1) == [])
        try bench.subscribe(1, "$SYS/#")
        #expect(bench.texts(1) == ["up"])
    }

    @Test("Bridges say in $SYS whether they are connected, themselves and by their wills")
    func bridgeState() throws {
        var bench = Bench(storesChanges: true)
        let topic = "$SYS/broker/connection/cellar/state"
        bench.connect(1, will: try .test(topic, "0", qos: .atLeastOnce, retain: true))
        bench.connect(2)
        try bench.subscribe(2, "$SYS/broker/connection/#")
        _ = bench.take(2)
        try bench.publish(1, topic, "1", qos: .atLeastOnce, retain: true)
        #expect(bench.take(1).verdict == .success)
        #expect(bench.texts(2) == ["1"])
        #expect(bench.store.retained.count == 1)
        for other in ["$SYS/broker/connection/state", "$SYS/broker/connection/a/b/state", "$SYS/broker/uptime"] {
            try bench.publish(1, other, "1", qos: .atLeastOnce, retain: true)
            #expect(bench.take(1).verdict == .notAuthorized)
        }
        bench.cut(1)
        #expect(bench.texts(2) == ["0"])
        bench.connect(3)
        try bench.subscribe(3, "$SYS/#")
        #expect(bench.texts(3) == ["0"])
        #expect(bench.broker.inconsistencies == [])
    }

    @Test("A client whose rights forbid a topic does not get it, live or retained, nor what waited when they changed")
    func policy() throws {
        var bench = bench()
        bench.connect(1, expiry: 60, policy: Forbidding(publishing: "w/", receiving: "r/"))
        try bench.subscribe(1, "#")
        try bench.publish(2, "r/1", "no", retain: true)
        try bench.publish(2, "a", "yes", retain: true)
        #expect(bench.texts(1) == ["yes"])
        try bench.subscribe(1, "#")
        #expect(bench.texts(1) == ["yes"])
        try bench.publish(1, "w/1", qos: .atLeastOnce)
        #expect(bench.take(1).verdict == .notAuthorized)
        bench.connect(3, version: .v3_1_1, policy: Forbidding(publishing: "w/"))
        _ = bench.take(3)
        try bench.publish(3, "w/1", qos: .atLeastOnce)
        #expect(bench.take(3).verdict == .success)
        bench.cut(1)
        try bench.publish(2, "a", "denied later", qos: .atLeastOnce)
        try bench.publish(2, "b", "still allowed", qos: .atLeastOnce)
        bench.connect(1, clean: false, expiry: 60, policy: Forbidding(receiving: "a"))
        #expect(bench.consume(1).map { String(buffer: $0.payload) } == ["still allowed"])
        #expect(bench.broker.statistics.messagesDropped == [.refused: 1])
        try bench.publish(2, "r/1", "allowed now")
        try bench.publish(2, "a", "no more")
        #expect(bench.texts(1) == ["allowed now"])
        #expect(bench.broker.statistics.queuedMessages == 0)
    }

    @Test("A session may have 20,000 subscriptions; each comes and goes as quickly as the first")
    func many() throws {
        var bench = bench()
        bench.broker.wantsEvents = false
        let filters = try (0..<20_000).map { try TopicFilter("some/\($0 % 100)/+/\($0)") }
        let subscribe = Subscribe(packetIdentifier: .first, subscriptions: filters.map { Subscription(filter: $0) })
        bench.receive(1, .subscribe(subscribe))
        #expect(bench.broker.statistics.subscriptions == 20_000)
        for filter in filters { try bench.subscribe(1, filter.string, qos: .atMostOnce) }
        #expect(bench.broker.statistics.subscriptions == 20_000)
        _ = bench.take(1)
        try bench.publish(2, "some/1/x/101", qos: .atLeastOnce)
        #expect(bench.publishes(1).map(\.qos) == [.atMostOnce])
        bench.receive(1, .unsubscribe(Unsubscribe(packetIdentifier: .first, filters: filters)))
        #expect(bench.broker.statistics.subscriptions == 0)
    }

    // MARK: Shared subscriptions

    @Test("Members of a group take turns, each group gets one copy, and normal subscriptions their own")
    func turns() throws {
        var bench = bench(clients: 6)
        for slot in 1...3 { try bench.subscribe(slot, "$share/g/t/#", qos: .atMostOnce) }
        try bench.subscribe(4, "$share/h/t/#", qos: .atMostOnce)
        try bench.subscribe(5, "t/+", qos: .atMostOnce)
        for slot in 1...5 { _ = bench.take(slot) }
        for number in 0..<9 { try bench.publish(6, "t/\(number % 2)", "\(number)") }
        #expect((1...5).map { bench.publishes($0).count } == [3, 3, 3, 9, 9])
    }

    @Test("Members that are away are passed over, and the others get the same")
    func turnsWithAbsent() throws {
        var bench = bench(clients: 5)
        for slot in 1...4 {
            bench.connect(slot, expiry: 60)
            try bench.subscribe(slot, "$share/g/t", qos: .atLeastOnce)
        }
        bench.cut(1)
        for slot in 2...4 { _ = bench.take(slot) }
        for _ in 0..<9 { try bench.publish(5, "t", qos: .atLeastOnce) }
        #expect((2...4).map { bench.consume($0).count } == [3, 3, 3])
        for slot in 2...4 { bench.cut(slot) }
        // Nobody is there: it waits with one of them.
        for _ in 0..<4 { try bench.publish(5, "t", qos: .atLeastOnce) }
        #expect(bench.broker.statistics.queuedMessages == 4)
        for slot in 1...4 { bench.connect(slot, clean: false, expiry: 60) }
        #expect((1...4).map { bench.consume($0).count } == [1, 1, 1, 1])
    }

    @Test("A member whose queue is full does not cost a message while another has room, even one that is away")
    func turnsWithFull() throws {
        var bench = bench(clients: 3) { $0.limits.queuedMessages = 2 }
        bench.connect(1, expiry: 60, properties: [.receiveMaximum(1)])
        bench.connect(2, expiry: 60)
        for slot in 1...2 { try bench.subscribe(slot, "$share/g/t", qos: .atLeastOnce) }
        bench.cut(2)
        for _ in 0..<5 { try bench.publish(3, "t", qos: .atLeastOnce) }
        #expect(bench.broker.statistics.messagesDroppedInAll == 0)
        bench.connect(2, clean: false, expiry: 60)
        #expect(bench.consume(1).count == 3)
        #expect(bench.consume(2).count == 2)
    }

    @Test("A member gets its copy with its own QoS and identifier; 3.1.1 has groups as well")
    func memberTerms() throws {
        var bench = bench(clients: 3)
        bench.connect(1, version: .v3_1_1)
        try bench.subscribe(1, "$share/g/+/t", qos: .atMostOnce)
        try bench.subscribe(2, "$share/g/+/t", qos: .exactlyOnce, identifier: 3)
        _ = bench.take(1)
        _ = bench.take(2)
        for id in 1...2 as ClosedRange<UInt16> { try bench.publish(3, "a/t", qos: .exactlyOnce, id: id) }
        #expect(bench.publishes(1).map(\.qos) == [.atMostOnce])
        let second = bench.consume(2)
        #expect(second.map(\.qos) == [.exactlyOnce])
        #expect(second.first?.properties.subscriptionIdentifiers == [3])
        // A message of a member's own goes round as any other.
        bench.cut(1)
        try bench.publish(2, "a/t", qos: .atMostOnce)
        #expect(bench.publishes(2).count == 1)
    }

    @Test("Retained messages do not go to shared subscriptions; a forbidden member is passed over")
    func sharedSpecials() throws {
        var bench = bench(clients: 3)
        try bench.publish(3, "r/t", retain: true)
        bench.connect(1, policy: Forbidding(receiving: "r/"))
        try bench.subscribe(1, "$share/g/+/t", qos: .atMostOnce)
        try bench.subscribe(2, "$share/g/+/t", qos: .atMostOnce)
        #expect(bench.publishes(1).isEmpty)
        #expect(bench.publishes(2).isEmpty)
        for _ in 0..<4 { try bench.publish(3, "r/t") }
        #expect(bench.publishes(1).isEmpty)
        #expect(bench.publishes(2).count == 4)
    }

    @Test("A QoS 2 message that a member has begun to get stays with it")
    func staysWithMember() throws {
        var bench = bench(clients: 3)
        for slot in 1...2 {
            bench.connect(slot, expiry: 60)
            try bench.subscribe(slot, "$share/g/t")
            _ = bench.take(slot)
        }
        try bench.publish(3, "t", qos: .exactlyOnce)
        #expect(bench.publishes(1).count == 1)
        bench.cut(1)
        #expect(bench.publishes(2).isEmpty)
        bench.connect(1, clean: false, expiry: 60)
        #expect(bench.consume(1).map(\.duplicate) == [true])
        // And with an error code it is discarded.
        try bench.publish(3, "t", qos: .exactlyOnce, id: 2)
        let identifier = try #require(bench.publishes(2).first?.packetIdentifier)
        bench.receive(2, .pubrec(Acknowledgement(packetIdentifier: identifier, reasonCode: .quotaExceeded)))
        #expect(bench.take(2).isEmpty)
        #expect(bench.publishes(1).isEmpty)
        #expect(bench.broker.statistics.queuedMessages == 0)
        #expect(bench.broker.statistics.messagesDropped == [.refused: 1])
    }
}
