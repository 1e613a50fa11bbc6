import MQTT
import MQTTWire
import NIOCore
import Testing

/// Topic aliases in both directions (5.0 §3.3.2.3.4).
@Suite struct TopicAliasTests {
    private func connected(_ limits: ServerLimits, version: ProtocolVersion = .v5) -> Session {
        var session = Session(version: version, topicAliasMaximum: 2)
        _ = session.connected(sessionPresent: false, limits: limits)
        return session
    }

    private func sent(_ session: inout Session, _ topic: String, _ qos: QoS = .atMostOnce) throws -> Publish {
        let message = Message(topic: try TopicName(topic), payload: ByteBuffer(), qos: qos)
        switch session.publish(message, from: .direct(1)) {
        case .send(let publish), .sendAndForget(let publish): return publish
        case let decision: throw Unexpected("\(decision)")
        }
    }

    private func shape(_ publish: Publish) -> String {
        "\(publish.topic?.string ?? "-") \(publish.properties.topicAlias.map { "\($0)" } ?? "-")"
    }

    @Test func aTopicIsToldOnceAndThenOnlyItsAlias() throws {
        var session = connected(ServerLimits(topicAliasMaximum: 2))
        let shapes = try ["a", "b", "a", "c", "b"].map { shape(try sent(&session, $0)) }
        #expect(shapes == ["a 1", "b 2", "- 1", "c -", "- 2"])
    }

    @Test func aTopicOutOfUseGivesItsAliasUp() throws {
        var session = connected(ServerLimits(topicAliasMaximum: 1))
        _ = try sent(&session, "old")
        let shapes = try (0..<6).map { _ in shape(try sent(&session, "new")) }
        #expect(shapes == ["new -", "new -", "new -", "new -", "new 1", "- 1"])
    }

    @Test func aNewConnectionKnowsNoAliases() throws {
        var session = connected(ServerLimits(topicAliasMaximum: 2))
        #expect(shape(try sent(&session, "a", .atLeastOnce)) == "a 1")
        #expect(shape(try sent(&session, "a", .atLeastOnce)) == "- 1")
        session.connectionLost()
        _ = session.connected(sessionPresent: true, limits: ServerLimits(topicAliasMaximum: 2))
        var shapes: [String] = []
        while case .publish(_, _, .send(let publish)) = session.nextResend() { shapes.append(shape(publish)) }
        #expect(shapes == ["a 1", "- 1"])
    }

    @Test(arguments: [(ProtocolVersion.v3_1_1, 2), (.v5, 0)])
    func withoutAnOfferThereIsNone(version: ProtocolVersion, maximum: Int) throws {
        var session = connected(ServerLimits(topicAliasMaximum: maximum), version: version)
        #expect(try ["a", "a"].map { shape(try sent(&session, $0)) } == ["a -", "a -"])
    }

    @Test func anAliasDoesNotMakeAPacketTooLarge() throws {
        let size = try Packet.publish(Publish(topic: TopicName("abc"), payload: ByteBuffer())).encodedSize(version: .v5)
        var session = connected(ServerLimits(maximumPacketSize: size + 4, topicAliasMaximum: 2))
        #expect(shape(try sent(&session, "abc")) == "abc -")
        session = connected(ServerLimits(maximumPacketSize: size + 5, topicAliasMaximum: 2))
        #expect(shape(try sent(&session, "abc")) == "abc 1")
    }

    private func incoming(_ topic: String?, _ alias: UInt16) throws -> Publish {
        var properties = Properties()
        properties.topicAlias = alias
        return Publish(topic: try topic.map { try TopicName($0) }, payload: ByteBuffer(), properties: properties)
    }

    @Test func whatArrivesHasItsTopicBack() throws {
        var session = connected(ServerLimits())
        for (publish, topic) in [
            (try incoming("a", 1), "a"), (try incoming(nil, 1), "a"), (try incoming("b", 1), "b"),
            (try incoming(nil, 1), "b"),
        ] {
            let expected = Publish(topic: try TopicName(topic), payload: ByteBuffer())
            #expect(try session.received(publish: publish) == .deliver(expected, nil))
        }
    }

    @Test(arguments: [(0, .topicAliasInvalid), (3, .topicAliasInvalid), (2, .protocolError)] as [(UInt16, ReasonCode)])
    func anAliasThatMeansNothingIsAViolation(alias: UInt16, code: ReasonCode) throws {
        var session = connected(ServerLimits())
        #expect {
            try session.received(publish: try incoming(alias == 2 ? nil : "a", alias))
        } throws: {
            ($0 as? ProtocolViolation)?.reasonCode == code
        }
    }

    @Test func aliasesEndWithTheirConnection() throws {
        var session = connected(ServerLimits())
        _ = try session.received(publish: try incoming("a", 1))
        session.connectionLost()
        _ = session.connected(sessionPresent: true, limits: ServerLimits())
        #expect(throws: ProtocolViolation.self) { try session.received(publish: try incoming(nil, 1)) }
    }
}
