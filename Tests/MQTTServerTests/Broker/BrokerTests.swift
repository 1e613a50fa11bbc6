import MQTTWire
import NIOCore
import Testing

@testable import MQTTServer

@Suite struct BrokerTests {
    @Test("The QoS that a subscriber gets is the lower of publication and subscription", arguments: 0..<9)
    func lowerQoS(number: Int) throws {
        let published = try #require(QoS(rawValue: UInt8(number / 3)))
        let subscribed = try #require(QoS(rawValue: UInt8(number % 3)))
        var bench = Bench()
        bench.connect(1)
        bench.connect(2)
        try bench.subscribe(1, "a/+", qos: subscribed)
        #expect(bench.take(1).contains { if case .suback = $0 { true } else { false } })
        try bench.publish(2, "a/b", "hello", qos: published)
        let got = bench.publishes(1)
        #expect(got.map(\.qos) == [min(published, subscribed)])
        #expect(got.map { String(buffer: $0.payload) } == ["hello"])
    }

    @Test("A QoS 2 message is routed once, however often it is repeated")
    func exactlyOnce() throws {
        var bench = Bench()
        bench.connect(1)
        bench.connect(2)
        try bench.subscribe(1, "#", qos: .atMostOnce)
        _ = bench.take(1)
        try bench.publish(2, "a", qos: .exactlyOnce, id: 7)
        try bench.publish(2, "a", qos: .exactlyOnce, id: 7)
        #expect(bench.publishes(1).count == 1)
        let id = try #require(PacketIdentifier(rawValue: 7))
        _ = bench.take(2)
        bench.receive(2, .pubrel(Acknowledgement(packetIdentifier: id)))
        #expect(bench.take(2) == [.pubcomp(Acknowledgement(packetIdentifier: id))])
        try bench.publish(2, "a", qos: .exactlyOnce, id: 7)
        #expect(bench.publishes(1).count == 1)
    }

    @Test(
        "What was on its way is repeated with DUP and its identifier in the resumed session, and released ones with PUBREL"
    )
    func repetition() throws {
        var bench = Bench()
        bench.connect(1, expiry: 100)
        bench.connect(2)
        try bench.subscribe(1, "#")
        _ = bench.take(1)
        for text in ["1", "2", "3"] { try bench.publish(2, "t", text, qos: .exactlyOnce, id: UInt16(text) ?? 1) }
        let sent = bench.publishes(1)
        let first = try #require(sent.first?.packetIdentifier)
        bench.receive(1, .pubrec(Acknowledgement(packetIdentifier: first)))
        bench.cut(1)
        bench.connect(1, clean: false, expiry: 100)
        let again = bench.take(1)
        #expect(again.first.map { if case .connack(let a) = $0 { a.sessionPresent } else { false } } == true)
        #expect(again.dropFirst().first == .pubrel(Acknowledgement(packetIdentifier: first)))
        let repeated = again.compactMap { if case .publish(let publish) = $0 { publish } else { nil } }
        #expect(repeated.map(\.packetIdentifier) == sent.dropFirst().map(\.packetIdentifier))
        #expect(repeated.map(\.duplicate) == [true, true])
    }

    @Test(
        "PUBACK waits until the message is on disk for a stored session, and costs nothing when it was acknowledged before"
    )
    func durability() throws {
        var bench = Bench(storesChanges: true)
        bench.connect(1, expiry: 100)
        bench.connect(2)
        try bench.subscribe(1, "#", qos: .atLeastOnce)
        bench.commitsAtOnce = false
        _ = bench.take(1)
        _ = bench.take(2)
        try bench.publish(2, "t", qos: .atLeastOnce)
        #expect(bench.take(2).isEmpty)
        let got = bench.publishes(1)
        #expect(got.count == 1)
        let id = try #require(got.first?.packetIdentifier)
        bench.receive(1, .puback(Acknowledgement(packetIdentifier: id)))
        let before = bench.stored.count
        bench.commit()
        #expect(bench.take(2).count == 1)
        #expect(bench.stored.count == before)
    }

    @Test("Retained messages go to new subscriptions as their handling asks")
    func retainHandling() throws {
        var bench = Bench()
        bench.connect(1)
        bench.connect(2)
        try bench.publish(2, "r/1", "one", retain: true)
        try bench.publish(2, "r/2", "two", retain: true)
        try bench.publish(2, "r/2", "", retain: true)
        try bench.subscribe(1, "r/#") { $0.retainHandling = .onNewSubscribe }
        #expect(bench.publishes(1).map { String(buffer: $0.payload) } == ["one"])
        try bench.subscribe(1, "r/#") { $0.retainHandling = .onNewSubscribe }
        #expect(bench.publishes(1).isEmpty)
        try bench.subscribe(1, "r/#")
        #expect(bench.publishes(1).map(\.retain) == [true])
        try bench.subscribe(1, "r/+") { $0.retainHandling = .never }
        #expect(bench.publishes(1).isEmpty)
    }

    @Test("A will is published when its client falls silent, after its delay, and not if it comes back")
    func wills() throws {
        var bench = Bench()
        bench.connect(1)
        try bench.subscribe(1, "will/#")
        _ = bench.take(1)
        let will = Will(
            topic: try TopicName("will/2"), payload: ByteBuffer(string: "gone"),
            properties: [.willDelayInterval(5)])
        bench.connect(2, keepAlive: 10, expiry: 100, will: will)
        bench.pass(.milliseconds(14_900))
        #expect(!bench.closed.contains(2))
        bench.pass(.milliseconds(200))
        #expect(bench.closed.contains(2))
        #expect(bench.publishes(1).isEmpty)
        bench.pass(.seconds(6))
        #expect(bench.publishes(1).map { String(buffer: $0.payload) } == ["gone"])
        bench.connect(2, clean: false, expiry: 100, will: will)
        bench.cut(2)
        bench.pass(.seconds(2))
        bench.connect(2, clean: false, expiry: 100, will: will)
        bench.pass(.seconds(20))
        #expect(bench.publishes(1).isEmpty)
    }
}
