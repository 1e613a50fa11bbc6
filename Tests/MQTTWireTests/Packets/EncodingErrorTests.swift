import MQTTWire
import NIOCore
import Testing

@Suite struct EncodingErrorTests {
    struct Refused: CustomTestStringConvertible, Sendable {
        let title: String
        let version: ProtocolVersion
        let packet: Packet
        let rule: ProtocolRule
        var testDescription: String { title }

        init(_ title: String, _ version: ProtocolVersion, _ packet: Packet, _ rule: ProtocolRule) {
            self.title = title
            self.version = version
            self.packet = packet
            self.rule = rule
        }
    }

    private static func publish(_ change: (inout Publish) -> Void) throws -> Packet {
        var publish = Publish(topic: try TopicName("t"), payload: ByteBuffer())
        change(&publish)
        return .publish(publish)
    }

    private static func connect(_ version: ProtocolVersion, _ change: (inout Connect) -> Void = { _ in }) -> Packet {
        var connect = Connect(version: version, clientIdentifier: "c")
        change(&connect)
        return .connect(connect)
    }

    private static func subscribe(_ change: (inout Subscription) -> Void) throws -> Packet {
        var subscription = Subscription(filter: try TopicFilter("$share/g/a"))
        change(&subscription)
        return .subscribe(Subscribe(packetIdentifier: .first, subscriptions: [subscription]))
    }

    private static func connack(_ code: ReasonCode, present: Bool = false, _ properties: Properties = []) -> Packet {
        .connack(ConnAck(sessionPresent: present, reasonCode: code, properties: properties))
    }

    static func table() throws -> [Refused] {
        let long = String(repeating: "x", count: 65_536)
        let longBytes = ByteBuffer(string: long)
        let user = Properties([.userProperty(name: "a", value: "b")])
        let topic = try TopicName("t")
        return [
            Refused(
                "QoS 1 without packet identifier", .v5, try publish { $0.qos = .atLeastOnce },
                .packetIdentifierMissing),
            Refused(
                "QoS 2 without packet identifier", .v3_1_1, try publish { $0.qos = .exactlyOnce },
                .packetIdentifierMissing),
            Refused(
                "QoS 0 with packet identifier", .v5, try publish { $0.packetIdentifier = .first },
                .packetIdentifierWithQoS0),
            Refused("DUP with QoS 0", .v5, try publish { $0.duplicate = true }, .duplicateFlagWithQoS0),
            Refused("no topic, 3.1.1", .v3_1_1, try publish { $0.topic = nil }, .topicMissing),
            Refused("neither topic nor alias", .v5, try publish { $0.topic = nil }, .topicMissing),
            Refused("PUBLISH properties, 3.1.1", .v3_1_1, try publish { $0.properties = user }, .notInVersion),
            Refused("topic alias 0", .v5, try publish { $0.properties.topicAlias = 0 }, .topicAliasZero),
            Refused(
                "subscription identifier 0", .v5, try publish { $0.properties.subscriptionIdentifiers = [0] },
                .propertyValueOutOfRange),
            Refused(
                "subscription identifier of 29 bits", .v5,
                try publish { $0.properties.subscriptionIdentifiers = [268_435_456] }, .propertyValueOutOfRange),
            Refused(
                "property twice", .v5, try publish { $0.properties = [.topicAlias(1), .topicAlias(2)] },
                .propertyRepeated),
            Refused(
                "foreign property", .v5, try publish { $0.properties = [.receiveMaximum(1)] }, .propertyNotAllowed),
            Refused("long content type", .v5, try publish { $0.properties.contentType = long }, .stringTooLong),
            Refused("NUL in content type", .v5, try publish { $0.properties.contentType = "a\0" }, .nullCharacter),
            Refused(
                "long correlation data", .v5, try publish { $0.properties.correlationData = longBytes },
                .stringTooLong),
            Refused(
                "NUL in a user property", .v5,
                try publish { $0.properties = [.userProperty(name: "a", value: "\0")] }, .nullCharacter),
            Refused("CONNECT of another version", .v5, connect(.v3_1_1), .versionMismatch),
            Refused(
                "password without user name, 3.1.1", .v3_1_1, connect(.v3_1_1) { $0.password = ByteBuffer() },
                .passwordWithoutUsername),
            Refused(
                "lasting session without identifier, 3.1.1", .v3_1_1,
                connect(.v3_1_1) {
                    $0.clientIdentifier = ""
                    $0.cleanStart = false
                }, .clientIdentifierEmpty),
            Refused("long client identifier", .v5, connect(.v5) { $0.clientIdentifier = long }, .stringTooLong),
            Refused("NUL in the user name", .v5, connect(.v5) { $0.username = "\0" }, .nullCharacter),
            Refused("long password", .v5, connect(.v5) { $0.password = longBytes }, .stringTooLong),
            Refused(
                "long will payload", .v3_1_1,
                connect(.v3_1_1) { $0.will = Will(topic: topic, payload: longBytes) }, .stringTooLong),
            Refused(
                "will properties, 3.1.1", .v3_1_1,
                connect(.v3_1_1) { $0.will = Will(topic: topic, payload: ByteBuffer(), properties: user) },
                .notInVersion),
            Refused("CONNECT properties, 3.1.1", .v3_1_1, connect(.v3_1_1) { $0.properties = user }, .notInVersion),
            Refused(
                "authentication data alone", .v5, connect(.v5) { $0.properties.authenticationData = ByteBuffer() },
                .authenticationDataWithoutMethod),
            Refused(
                "receive maximum 0", .v5, connect(.v5) { $0.properties.receiveMaximum = 0 }, .propertyValueOutOfRange),
            Refused(
                "maximum QoS 2", .v5, connack(.success, [.maximumQoS(.exactlyOnce)]), .propertyValueOutOfRange),
            Refused("session present in a refusal", .v5, connack(.banned, present: true), .sessionPresentWithError),
            Refused("CONNACK with a foreign code", .v5, connack(.keepAliveTimeout), .reasonCodeNotAllowed),
            Refused("CONNACK with a code of 5.0, 3.1.1", .v3_1_1, connack(.banned), .notInVersion),
            Refused(
                "PUBACK with a failure, 3.1.1", .v3_1_1,
                .puback(Acknowledgement(packetIdentifier: .first, reasonCode: .notAuthorized)), .notInVersion),
            Refused(
                "PUBREL with a foreign code", .v5,
                .pubrel(Acknowledgement(packetIdentifier: .first, reasonCode: .notAuthorized)),
                .reasonCodeNotAllowed),
            Refused(
                "SUBSCRIBE to nothing", .v5, .subscribe(Subscribe(packetIdentifier: .first, subscriptions: [])),
                .noTopicFilters),
            Refused(
                "UNSUBSCRIBE from nothing", .v3_1_1,
                .unsubscribe(Unsubscribe(packetIdentifier: .first, filters: [])), .noTopicFilters),
            Refused("No Local on a share", .v5, try subscribe { $0.noLocal = true }, .noLocalOnSharedSubscription),
            Refused("No Local, 3.1.1", .v3_1_1, try subscribe { $0.noLocal = true }, .notInVersion),
            Refused(
                "Retain As Published, 3.1.1", .v3_1_1, try subscribe { $0.retainAsPublished = true }, .notInVersion),
            Refused("retain handling, 3.1.1", .v3_1_1, try subscribe { $0.retainHandling = .never }, .notInVersion),
            Refused(
                "SUBACK of nothing", .v5, .suback(SubAck(packetIdentifier: .first, reasonCodes: [])),
                .noReasonCodes),
            Refused(
                "UNSUBACK of nothing", .v5, .unsuback(UnsubAck(packetIdentifier: .first)), .noReasonCodes),
            Refused(
                "UNSUBACK with codes, 3.1.1", .v3_1_1,
                .unsuback(UnsubAck(packetIdentifier: .first, reasonCodes: [.success])), .notInVersion),
            Refused(
                "DISCONNECT with will, 3.1.1", .v3_1_1, .disconnect(Disconnect(reasonCode: .disconnectWithWill)),
                .notInVersion),
            Refused(
                "DISCONNECT with a foreign code", .v5, .disconnect(Disconnect(reasonCode: .banned)),
                .reasonCodeNotAllowed),
            Refused("AUTH, 3.1.1", .v3_1_1, .auth(Auth(reasonCode: .success)), .notInVersion),
            Refused(
                "AUTH without method", .v5, .auth(Auth(reasonCode: .reauthenticate)), .authenticationMethodMissing),
            Refused(
                "AUTH with a foreign code", .v5,
                .auth(Auth(reasonCode: .notAuthorized, properties: [.authenticationMethod("m")])),
                .reasonCodeNotAllowed),
        ]
    }

    @Test(arguments: try table())
    func `what the version cannot say is refused, and the buffer stays`(refused: Refused) {
        var buffer = ByteBuffer(string: "before")
        do throws(EncodingError) {
            try refused.packet.encode(into: &buffer, version: refused.version)
            Issue.record("encoded \(buffer.hex)")
        } catch {
            #expect(error.rule == refused.rule)
            #expect(error.packet == refused.packet.type)
            #expect(error.version == refused.version)
        }
        #expect(buffer == ByteBuffer(string: "before"))
        #expect(throws: EncodingError.self) { try refused.packet.encodedSize(version: refused.version) }
    }

    @Test func `a packet of more than 268,435,460 bytes is refused`() throws {
        let filter = try TopicFilter(String(repeating: "x", count: 65_535))
        func unsubscribe(_ count: Int) -> Packet {
            .unsubscribe(Unsubscribe(packetIdentifier: .first, filters: Array(repeating: filter, count: count)))
        }
        #expect(try unsubscribe(4_095).encodedSize(version: .v3_1_1) == 1 + 4 + 2 + 4_095 * 65_537)
        #expect {
            try unsubscribe(4_096).encodedSize(version: .v3_1_1)
        } throws: {
            ($0 as? EncodingError)?.rule == .packetTooLarge
        }
    }

    @Test func `an error names the packet, the version, the fault and the statement`() throws {
        #expect {
            try Self.publish { $0.duplicate = true }.encodedSize(version: .v5)
        } throws: {
            String(describing: $0) == "PUBLISH (MQTT 5.0): DUP is set although the QoS is 0 [MQTT-3.3.1-2]"
        }
        #expect {
            try Self.connack(.keepAliveTimeout).encodedSize(version: .v5)
        } throws: {
            String(describing: $0)
                == "CONNACK (MQTT 5.0): the reason code does not belong to this packet, found 141 (0x8d) [MQTT-3.2.2-8]"
        }
    }

    @Test(
        arguments: [
            (.success, 0), (.unsupportedProtocolVersion, 1), (.clientIdentifierNotValid, 2), (.serverUnavailable, 3),
            (.badUserNameOrPassword, 4), (.notAuthorized, 5),
        ] as [(ReasonCode, UInt8)])
    func `CONNACK of 3_1_1 has return codes that mean the same`(code: ReasonCode, returnCode: UInt8) throws {
        var buffer = ByteBuffer()
        try Self.connack(code).encode(into: &buffer, version: .v3_1_1)
        #expect(buffer == ByteBuffer(bytes: [0x20, 2, 0, returnCode]))
        var decoder = PacketDecoder(version: .v3_1_1, maximumPacketSize: 100)
        #expect(try decoder.decode(from: &buffer) == Self.connack(code))
    }

    @Test func `SUBACK of 3_1_1 has one code for every failure`() throws {
        let codes: [ReasonCode] = [.grantedQoS2, .notAuthorized, .unspecifiedError, .quotaExceeded]
        var buffer = ByteBuffer()
        try Packet.suback(SubAck(packetIdentifier: .first, reasonCodes: codes)).encode(into: &buffer, version: .v3_1_1)
        #expect(buffer.hex == "90 06 00 01 02 80 80 80")
    }
}
