import MQTTWire
import NIOCore
import Testing

@testable import MQTTServer

/// Acknowledgements, windows, sizes, aliases and expiry (5.0 §3.3, §4.3, §4.9).
@Suite struct BrokerFlowTests {
    private func bench(
        version: ProtocolVersion = .v5, storesChanges: Bool = false, properties: Properties = [],
        _ configure: (inout ServerConfiguration) -> Void = { _ in }
    ) throws -> Bench {
        var bench = Bench(storesChanges: storesChanges, configure)
        bench.connect(
            1, version: version, clean: version == .v5, expiry: version == .v5 ? 60 : nil, properties: properties)
        bench.connect(2)
        try bench.subscribe(1, "#")
        _ = bench.take(1)
        _ = bench.take(2)
        return bench
    }

    // MARK: To the client

    @Test("No more are on their way than the client takes, nor than we want", arguments: [2, 65_535] as [UInt16])
    func window(receiveMaximum: UInt16) throws {
        var bench = try bench(properties: [.receiveMaximum(receiveMaximum)]) { $0.limits.maximumInFlight = 3 }
        for number in 0..<8 {
            try bench.publish(
                2, "t", "\(number)", qos: number % 2 == 0 ? .exactlyOnce : .atLeastOnce, id: UInt16(number + 1))
        }
        let first = bench.take(1)
        #expect(first.count == min(Int(receiveMaximum), 3))
        // QoS 0 is not concerned.
        try bench.publish(2, "t", "now")
        #expect(bench.texts(1) == ["now"])
        // PUBREC does not make room, PUBCOMP does.
        bench.receive(1, .pubrec(Acknowledgement(packetIdentifier: .first)))
        #expect(bench.take(1) == [.pubrel(Acknowledgement(packetIdentifier: .first))])
        bench.receive(1, .pubcomp(Acknowledgement(packetIdentifier: .first)))
        #expect(bench.publishes(1).count == 1)
        // The rest, of a client that is lost and comes back with a smaller window.
        bench.cut(1)
        bench.connect(1, clean: false, expiry: 60, properties: [.receiveMaximum(1)])
        #expect(bench.publishes(1).count == 1)
        bench.cut(1)
        bench.connect(1, clean: false, expiry: 60)
        #expect(bench.consume(1).map { String(buffer: $0.payload) } == ["1", "2", "3", "4", "5", "6", "7"])
        #expect(bench.broker.statistics.queuedMessages == 0)
        #expect(bench.broker.statistics.queuedBytes == 0)
    }

    @Test("Answers that belong to nothing change nothing; an unknown PUBREC is answered so that it ends")
    func strayAnswers() throws {
        var bench = try bench()
        let id = try #require(PacketIdentifier(rawValue: 77))
        bench.receive(1, .puback(Acknowledgement(packetIdentifier: id)))
        bench.receive(1, .pubcomp(Acknowledgement(packetIdentifier: id)))
        #expect(bench.take(1).isEmpty)
        bench.receive(1, .pubrec(Acknowledgement(packetIdentifier: id)))
        #expect(
            bench.take(1) == [.pubrel(Acknowledgement(packetIdentifier: id, reasonCode: .packetIdentifierNotFound))])
        bench.receive(1, .pubrel(Acknowledgement(packetIdentifier: id)))
        #expect(
            bench.take(1) == [.pubcomp(Acknowledgement(packetIdentifier: id, reasonCode: .packetIdentifierNotFound))])
        bench.connect(3, version: .v3_1_1)
        _ = bench.take(3)
        bench.receive(3, .pubrec(Acknowledgement(packetIdentifier: id)))
        bench.receive(3, .pubrel(Acknowledgement(packetIdentifier: id)))
        #expect(
            bench.take(3) == [
                .pubrel(Acknowledgement(packetIdentifier: id)), .pubcomp(Acknowledgement(packetIdentifier: id)),
            ])
    }

    @Test(
        "An answer that belongs to another QoS or step ends the connection, and nothing is taken for delivered",
        arguments: [
            (QoS.atLeastOnce, PacketType.pubrec), (.atLeastOnce, .pubcomp), (.exactlyOnce, .puback),
            (.exactlyOnce, .pubcomp),
        ], ProtocolVersion.allCases)
    func unexpectedAnswers(_ exchange: (qos: QoS, answer: PacketType), version: ProtocolVersion) throws {
        var bench = try bench(version: version)
        try bench.publish(2, "t", qos: exchange.qos)
        let answer = Acknowledgement(packetIdentifier: try #require(bench.publishes(1).first?.packetIdentifier))
        switch exchange.answer {
        case .puback: bench.receive(1, .puback(answer))
        case .pubrec: bench.receive(1, .pubrec(answer))
        default: bench.receive(1, .pubcomp(answer))
        }
        let told = bench.take(1)
        if version == .v5 {
            #expect(
                told.contains { if case .disconnect(let it) = $0 { it.reasonCode == .protocolError } else { false } })
        } else {
            #expect(told.isEmpty)
        }
        #expect(bench.closed.contains(1))
        #expect(bench.broker.statistics.queuedMessages == 1)
    }

    @Test("A message that the client refuses is done with, and counted")
    func refusedByClient() throws {
        var bench = try bench(storesChanges: true)
        try bench.publish(2, "t", qos: .atLeastOnce)
        try bench.publish(2, "t", qos: .exactlyOnce, id: 2)
        for publish in bench.publishes(1) {
            let answer = Acknowledgement(
                packetIdentifier: try #require(publish.packetIdentifier), reasonCode: .quotaExceeded)
            bench.receive(1, publish.qos == .exactlyOnce ? .pubrec(answer) : .puback(answer))
        }
        #expect(bench.take(1).isEmpty)
        #expect(bench.broker.statistics.messagesDropped == [.refused: 2])
        #expect(bench.broker.statistics.queuedBytes == 0)
        #expect(bench.store.messages.isEmpty)
        #expect(bench.store.faults == [])
    }

    @Test("A packet beyond the client's maximum is not sent, counts as delivered, and others get it all the same")
    func maximumPacketSize() throws {
        var bench = try bench(storesChanges: true, properties: [.maximumPacketSize(60)])
        bench.connect(3, expiry: 60)
        try bench.subscribe(3, "#")
        bench.cut(3)
        let text = String(repeating: "x", count: 60)
        try bench.publish(2, "t", text, qos: .atMostOnce)
        try bench.publish(2, "t", text, qos: .atLeastOnce)
        try bench.publish(2, "t", "small", qos: .atLeastOnce, id: 2)
        #expect(bench.consume(1).map { String(buffer: $0.payload) } == ["small"])
        #expect(bench.broker.statistics.messagesDropped == [.tooLarge: 2])
        // On disk for the one that is away, though the first was done with it at once.
        #expect(bench.store.faults == [])
        bench.restart()
        bench.connect(3, clean: false, expiry: 60)
        #expect(bench.consume(3).map { String(buffer: $0.payload) } == [text, "small"])
        #expect(bench.store.messages.isEmpty)
    }

    @Test("The largest packet that the client takes is sent, identifiers and all")
    func exactPacketSize() throws {
        for size in 40..<90 as Range<UInt32> {
            var bench = Bench()
            bench.connect(1, properties: [.maximumPacketSize(size)])
            bench.connect(2)
            try bench.subscribe(1, "t", qos: .atLeastOnce, identifier: 5)
            _ = bench.take(1)
            for length in 20..<80 {
                try bench.publish(2, "t", String(repeating: "x", count: length), qos: .atLeastOnce)
                let got = bench.consume(1)
                let packet = Publish(
                    topic: try TopicName("t"), payload: ByteBuffer(repeating: UInt8(ascii: "x"), count: length),
                    qos: .atLeastOnce, packetIdentifier: .first, properties: [.subscriptionIdentifier(5)])
                let fits = try Packet.publish(packet).encodedSize(version: .v5) <= Int(size)
                #expect(got.count == (fits ? 1 : 0), "\(length) bytes of payload, \(size) at most")
            }
        }
    }

    // MARK: From the client

    @Test("More QoS 1 and 2 messages under way than we take end the connection with 0x93")
    func receiveMaximum() throws {
        var bench = Bench { $0.limits.receiveMaximum = 2 }
        bench.connect(2)
        #expect(bench.take(2).connack?.properties.receiveMaximum == 2)
        for id in 1...2 as ClosedRange<UInt16> { try bench.publish(2, "t", qos: .exactlyOnce, id: id) }
        bench.receive(2, .pubrel(Acknowledgement(packetIdentifier: .first)))
        try bench.publish(2, "t", qos: .exactlyOnce, id: 3)
        #expect(!bench.closed.contains(2))
        try bench.publish(2, "t")
        _ = bench.take(2)
        try bench.publish(2, "t", qos: .atLeastOnce, id: 4)
        #expect(bench.take(2).disconnect?.reasonCode == .receiveMaximumExceeded)
    }

    @Test("What a resumed session repeats does not count against our receive maximum")
    func receiveMaximumAfterResumption() throws {
        var bench = Bench { $0.limits.receiveMaximum = 2 }
        bench.connect(2, expiry: 60)
        for id in 1...2 as ClosedRange<UInt16> { try bench.publish(2, "t", qos: .exactlyOnce, id: id) }
        bench.cut(2)
        bench.connect(2, clean: false, expiry: 60)
        for id in 1...2 as ClosedRange<UInt16> {
            try bench.publish(2, "t", qos: .exactlyOnce, id: id, duplicate: true)
            let identifier = try #require(PacketIdentifier(rawValue: id))
            bench.receive(2, .pubrel(Acknowledgement(packetIdentifier: identifier)))
        }
        for id in 3...4 as ClosedRange<UInt16> { try bench.publish(2, "t", qos: .exactlyOnce, id: id) }
        #expect(!bench.closed.contains(2))
        #expect(bench.broker.statistics.messagesNotConsumed == 4)
    }

    @Test("What is not offered ends the connection with its code")
    func notOffered() throws {
        var bench = Bench {
            $0.limits.maximumQoS = .atLeastOnce
            $0.limits.isRetainAvailable = false
        }
        bench.connect(2)
        let connack = try #require(bench.take(2).connack)
        #expect(connack.properties.maximumQoS == .atLeastOnce)
        #expect(connack.properties.retainAvailable == false)
        try bench.publish(2, "t", qos: .exactlyOnce)
        #expect(bench.take(2).disconnect?.reasonCode == .qosNotSupported)
        bench.connect(2)
        _ = bench.take(2)
        try bench.publish(2, "t", retain: true)
        #expect(bench.take(2).disconnect?.reasonCode == .retainNotSupported)
        bench.connect(2)
        _ = bench.take(2)
        try bench.publish(2, "t", properties: [.subscriptionIdentifier(1)])
        #expect(bench.take(2).disconnect?.reasonCode == .protocolError)
    }

    @Test("Topic aliases stand for topics on one connection, may be given anew, and are not passed on")
    func aliases() throws {
        var bench = try bench { $0.limits.topicAliasMaximum = 2 }
        bench.connect(2)
        #expect(bench.take(2).connack?.properties.topicAliasMaximum == 2)
        func send(_ topic: String?, _ alias: UInt16, _ text: String) throws {
            bench.receive(
                2,
                .publish(
                    Publish(
                        topic: try topic.map { try TopicName($0) }, payload: ByteBuffer(string: text),
                        properties: [.topicAlias(alias)])))
        }
        try send("a", 1, "1")
        try send(nil, 1, "2")
        try send("b", 1, "3")
        try send(nil, 1, "4")
        let got = bench.publishes(1)
        #expect(got.map { $0.topic?.string } == ["a", "a", "b", "b"])
        #expect(got.map(\.properties.topicAlias) == [nil, nil, nil, nil])
        try send(nil, 2, "unknown")
        #expect(bench.take(2).disconnect?.reasonCode == .protocolError)
        for alias in [0, 3] as [UInt16] {
            bench.connect(2)
            _ = bench.take(2)
            try send("a", alias, "beyond")
            #expect(bench.take(2).disconnect?.reasonCode == .topicAliasInvalid)
        }
        bench.connect(2)
        try send(nil, 1, "of an earlier connection")
        #expect(bench.take(2).disconnect?.reasonCode == .protocolError)
        #expect(bench.publishes(1).isEmpty)
    }

    @Test("What a publisher is told: by version, subscribers, rights and hooks")
    func publisherIsTold() throws {
        var bench = try bench {
            $0.hooks.interceptPublish = { message, client in
                switch message.topic.string {
                case "refuse": return .refuse(.payloadFormatInvalid)
                case "odd": return .refuse(.keepAliveTimeout)
                case "swallow": return .swallow
                case "change":
                    message.payload = ByteBuffer(string: "changed")
                    message.properties.contentType = "hook"
                    return .accept
                default: return .accept
                }
            }
        }
        try bench.unsubscribe(1, "#")
        try bench.subscribe(1, "change")
        _ = bench.take(1)
        let expected: [(String, ReasonCode)] = [
            ("refuse", .payloadFormatInvalid), ("odd", .unspecifiedError), ("swallow", .success),
            ("change", .success), ("nobody", .noMatchingSubscribers),
        ]
        for qos in [QoS.atLeastOnce, .exactlyOnce] {
            for (topic, code) in expected {
                try bench.publish(2, topic, qos: qos)
                #expect(bench.take(2).verdict == code, "\(topic)")
                bench.receive(2, .pubrel(Acknowledgement(packetIdentifier: .first)))
                // An error ends the exchange.
                let isKnown = qos == .exactlyOnce && !code.isError
                #expect(
                    bench.take(2) == [
                        .pubcomp(
                            Acknowledgement(
                                packetIdentifier: .first, reasonCode: isKnown ? .success : .packetIdentifierNotFound))
                    ])
            }
        }
        let got = bench.consume(1)
        #expect(got.map { String(buffer: $0.payload) } == ["changed", "changed"])
        #expect(got.map(\.properties.contentType) == ["hook", "hook"])
        bench.connect(3, version: .v3_1_1)
        _ = bench.take(3)
        for (topic, _) in expected {
            try bench.publish(3, topic, qos: .atLeastOnce)
            #expect(bench.take(3).verdict == .success)
        }
        #expect(bench.broker.statistics.messagesNotConsumed == 3)
    }

    // MARK: Expiry

    @Test("A message's expiry is told with what is left of it, rounded up, and ends it while it waits")
    func messageExpiry() throws {
        var bench = try bench(storesChanges: true)
        bench.cut(1)
        for seconds in [5, 10, 100] as [UInt32] {
            try bench.publish(
                2, "t", "\(seconds)", qos: .atLeastOnce, properties: [.messageExpiryInterval(seconds)])
        }
        try bench.publish(2, "t", "for ever", qos: .atLeastOnce)
        bench.pass(.milliseconds(7_500))
        bench.restart()
        bench.connect(1, clean: false, expiry: 60)
        let got = bench.consume(1)
        #expect(got.map { String(buffer: $0.payload) } == ["10", "100", "for ever"])
        #expect(got.map(\.properties.messageExpiryInterval) == [3, 93, nil])
    }

    @Test(
        "What has expired while it waited is dropped and counted, QoS 1 and 2 alike",
        arguments: [QoS.atLeastOnce, .exactlyOnce])
    func expiresWaiting(qos: QoS) throws {
        var bench = try bench(storesChanges: true)
        bench.cut(1)
        try bench.publish(2, "t", "short", qos: qos, properties: [.messageExpiryInterval(5)])
        try bench.publish(2, "t", "long", qos: qos, id: 2, properties: [.messageExpiryInterval(50)])
        bench.pass(.seconds(6))
        bench.connect(1, clean: false, expiry: 60)
        #expect(bench.consume(1).map { String(buffer: $0.payload) } == ["long"])
        #expect(bench.broker.statistics.messagesDropped == [.expired: 1])
        #expect(bench.broker.statistics.queuedMessages == 0)
        #expect(bench.store.messages.isEmpty)
        #expect(bench.store.faults == [])
    }

    @Test("What was under way when the connection ended is completed whatever its age")
    func expiresUnderWay() throws {
        var bench = try bench()
        try bench.publish(2, "t", qos: .exactlyOnce, properties: [.messageExpiryInterval(5)])
        bench.cut(1)
        bench.pass(.seconds(10))
        bench.connect(1, clean: false, expiry: 60)
        let got = bench.consume(1)
        #expect(got.map(\.duplicate) == [true])
        #expect(got.map(\.properties.messageExpiryInterval) == [1])
    }

    @Test("A retained message that has expired is not given out, and does not count when room is wanted")
    func retainedExpiry() throws {
        var bench = try bench { $0.limits.retainedMessages = 1 }
        try bench.publish(2, "t", "old", retain: true, properties: [.messageExpiryInterval(5)])
        bench.pass(.seconds(3))
        bench.connect(3)
        try bench.subscribe(3, "t")
        #expect(bench.publishes(3).map(\.properties.messageExpiryInterval) == [2])
        bench.pass(.seconds(3))
        try bench.subscribe(3, "t")
        #expect(bench.publishes(3).isEmpty)
        #expect(bench.broker.retainedMessages(matching: nil, at: bench.now).isEmpty)
        try bench.publish(2, "u", "new", retain: true)
        #expect(bench.broker.retainedMessages(matching: nil, at: bench.now).map(\.topic.string) == ["u"])
        #expect(bench.broker.statistics.retainedRefused == 0)
    }
}
