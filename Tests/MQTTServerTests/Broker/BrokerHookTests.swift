import MQTTWire
import NIOCore
import Testing

@testable import MQTTServer

/// Events, the hooks that have not been met elsewhere, the server's own publishing, and queries.
@Suite struct BrokerHookTests {
    @Test("The enqueue hook withholds a message from one receiver, live and retained")
    func enqueue() throws {
        var bench = Bench {
            $0.hooks.interceptEnqueue = { message, receiver in !(message.topic.string == "secret" && receiver == "c1") }
        }
        for slot in 1...3 {
            bench.connect(slot)
            if slot < 3 { try bench.subscribe(slot, "#") }
        }
        try bench.publish(3, "secret", qos: .atLeastOnce, retain: true)
        try bench.publish(3, "open", retain: true)
        #expect(bench.consume(1).map { $0.topic?.string } == ["open"])
        #expect(bench.consume(2).map { $0.topic?.string } == ["secret", "open"])
        try bench.subscribe(1, "#")
        #expect(bench.consume(1).map { $0.topic?.string } == ["open"])
    }

    @Test("The server publishes in its own name, to any topic, past No Local; a hook may change or withhold it")
    func serverPublishes() throws {
        var bench = Bench {
            $0.hooks.interceptPublish = { message, client in
                guard client == nil else { return .accept }
                message.payload = ByteBuffer(string: "changed")
                return message.topic.string == "no" ? .swallow : .accept
            }
        }
        bench.connect(1)
        try bench.subscribe(1, "#") { $0.noLocal = true }
        try bench.subscribe(1, "$SYS/#")
        _ = bench.take(1)
        func publish(_ topic: String) throws -> Int? {
            let message = ServerMessage(
                topic: try TopicName(topic), payload: ByteBuffer(), qos: .exactlyOnce,
                properties: [.topicAlias(5), .subscriptionIdentifier(9), .contentType("x")])
            return bench.perform { $0.publish(message, at: $1) }
        }
        #expect(try publish("a") == 1)
        #expect(try publish("$SYS/x") == 1)
        #expect(try publish("no") == nil)
        #expect(try publish("$else/x") == 0)
        let got = bench.consume(1)
        #expect(got.map { $0.topic?.string } == ["a", "$SYS/x"])
        #expect(got.map { String(buffer: $0.payload) } == ["changed", "changed"])
        #expect(got.allSatisfy { $0.properties == [.contentType("x")] })
        #expect(bench.broker.statistics.messagesNotConsumed == 1)
    }

    @Test("Values of $SYS are told to subscribers, and to no hook and no event")
    func statusIsQuiet() throws {
        let asked = Seen()
        var bench = Bench {
            $0.hooks.interceptPublish = { message, _ in
                asked.note(message.topic.string)
                return .refuse(.notAuthorized)
            }
        }
        bench.connect(1)
        try bench.subscribe(1, "$SYS/#")
        _ = bench.takeEvents()
        for topic in ["$SYS/a", "$SYS/b"] {
            let message = try ServerMessage(topic, "1", retain: true)
            bench.perform { broker, now in broker.publishStatus(message, at: now) }
        }
        #expect(bench.publishes(1).map { $0.topic?.string } == ["$SYS/a", "$SYS/b"])
        #expect(bench.broker.retainedMessages(matching: nil, at: bench.now).count == 2)
        #expect(asked.all.isEmpty)
        #expect(bench.takeEvents().isEmpty)
        #expect(bench.broker.statistics.messagesNotConsumed == 0)
        bench.connect(2)
        #expect(bench.takeEvents().count == 1)
    }

    @Test("Each thing that happens is told, in order")
    func events() throws {
        var bench = Bench()
        bench.connect(1, expiry: 60)
        bench.connect(2)
        try bench.subscribe(1, "t")
        try bench.publish(2, "t", qos: .atLeastOnce, retain: true)
        let identifier = try #require(bench.publishes(1).first?.packetIdentifier)
        bench.receive(1, .puback(Acknowledgement(packetIdentifier: identifier)))
        try bench.publish(2, "t", "", retain: true)
        try bench.publish(2, "nobody")
        try bench.unsubscribe(1, "t")
        bench.disconnect(1, expiry: 0)
        let names = bench.takeEvents().map { event -> String in
            switch event {
            case .started: "started"
            case .stopped: "stopped"
            case .clientConnected(let client, let present): "+\(client.identifier) \(present)"
            case .clientDisconnected(let client, .byClient(let code)): "-\(client.identifier) \(code.rawValue)"
            case .clientDisconnected(let client, _): "-\(client.identifier)"
            case .connectionRefused: "refused"
            case .subscribed(let client, let subscription): "\(client) subscribes \(subscription.filter)"
            case .unsubscribed(let client, let filter): "\(client) unsubscribes \(filter)"
            case .messageReceived(let message, let client): "\(client ?? "server") sends \(message.topic)"
            case .messageNotConsumed(let message, _): "nobody wants \(message.topic)"
            case .messageEnqueued(let message, let client): "\(message.topic) for \(client)"
            case .messageDropped: "dropped"
            case .messageAcknowledged(let topic, let client): "\(client) has \(topic)"
            case .retainedChanged(let topic, let message): "\(topic) \(message == nil ? "not retained" : "retained")"
            case .sessionDeleted(let client, let end): "\(client) \(end)"
            }
        }
        #expect(
            names == [
                "+c1 false", "+c2 false", "c1 subscribes t", "c2 sends t", "t retained", "t for c1", "c1 has t",
                "c2 sends t", "t not retained", "t for c1", "c2 sends nobody", "nobody wants nobody",
                "c1 unsubscribes t", "-c1 0", "c1 disconnected",
            ])
    }

    @Test("Clients, sessions, subscriptions and retained messages can be asked for, in order of their names")
    func queries() throws {
        var bench = Bench()
        bench.connect(2, "b", expiry: 100)
        bench.connect(1, "a", will: try .test("w"))
        bench.connect(3, "c", version: .v3_1_1, clean: false)
        try bench.subscribe(2, "t/#", identifier: 4)
        try bench.subscribe(2, "s")
        bench.cut(2)
        for name in ["t/2", "t/1", "u"] { try bench.publish(1, name, "x", qos: .atLeastOnce, retain: true) }
        #expect(bench.broker.clientStates.map(\.client.identifier) == ["a", "c"])
        #expect(bench.broker.clientStates.map(\.hasWill) == [true, false])
        #expect(bench.broker.clientStates.map(\.isCleanStart) == [true, false])
        let sessions = bench.broker.sessionStates(at: bench.now)
        #expect(sessions.map(\.clientIdentifier) == ["a", "b", "c"])
        #expect(sessions.map(\.isConnected) == [true, false, true])
        #expect(sessions.map(\.isPersistent) == [false, true, true])
        #expect(sessions.map(\.remaining) == [nil, .seconds(100), nil])
        #expect(sessions.map(\.subscriptions) == [0, 2, 0])
        #expect(sessions.map(\.pendingMessages) == [0, 2, 0])
        #expect(sessions[1].pendingBytes == bench.broker.statistics.queuedBytes)
        #expect(bench.broker.subscriptionStates(of: nil).map(\.subscription.filter.string) == ["s", "t/#"])
        #expect(bench.broker.subscriptionStates(of: "b").map(\.identifier) == [nil, 4])
        #expect(bench.broker.subscriptionStates(of: "a").isEmpty)
        let filter = try TopicFilter("t/+")
        #expect(bench.broker.retainedMessages(matching: filter, at: bench.now).map(\.topic.string) == ["t/1", "t/2"])
        #expect(bench.broker.retainedMessages(matching: nil, at: bench.now).count == 3)
    }

    @Test("CONNACK says what differs from what a client would take for granted, and nothing else")
    func connack() throws {
        var bench = Bench {
            $0.limits.receiveMaximum = .max
            $0.limits.topicAliasMaximum = 0
            $0.responseInformation = "answers/%c/of/%c"
        }
        bench.connect(1)
        let size = UInt32(bench.broker.limits.maximumPacketSize)
        #expect(bench.take(1).connack?.properties == [.maximumPacketSize(size)])
        bench.connect(1, properties: [.requestResponseInformation(true)])
        #expect(bench.take(1).connack?.properties.responseInformation == "answers/c1/of/c1")
        bench.connect(1, version: .v3_1_1)
        #expect(bench.take(1).connack?.properties == [])
    }
}
