import MQTTWire
import NIOCore
import Testing

@Suite struct MalformedPacketTests {
    @Test(arguments: MalformedPacket.all)
    func `a malformed packet is refused with the rule that it breaks`(packet: MalformedPacket) {
        var buffer = ByteBuffer(hex: packet.hex)
        let size = buffer.readableBytes
        var decoder = PacketDecoder(version: packet.version, maximumPacketSize: 1000)
        do throws(DecodingError) {
            let decoded = try decoder.decode(from: &buffer)
            Issue.record("decoded \(String(describing: decoded))")
        } catch {
            #expect(error.rule == packet.rule)
            #expect(error.statement == packet.statement)
            #expect(error.reasonCode == packet.answer)
            #expect(error.version == packet.version)
            #expect(buffer.readableBytes == size, "the buffer stays as it was")
            #expect(error.description.contains(packet.statement ?? ":"))
        }
    }

    @Test func `the table has each rule that received bytes can break`() {
        let elsewhere: Set<ProtocolRule> = [
            // DecoderLimitTests and ServerDecoderTests
            .packetTooLarge, .connectExpected,
            // No bytes can be so: they concern encoding only.
            .stringTooLong, .notInVersion, .packetIdentifierMissing, .packetIdentifierWithQoS0, .versionMismatch,
        ]
        let covered = Set(MalformedPacket.all.map(\.rule))
        #expect(Set(ProtocolRule.allCases).subtracting(covered) == elsewhere)
    }

    @Test(arguments: PacketType.allCases)
    func `each reason code is taken or refused as the packet's table says`(type: PacketType) throws {
        let head: [UInt8]? =
            switch type {
            case .connack: [0x20, 3, 0]
            case .puback, .pubrec, .pubcomp: [type.rawValue << 4, 3, 0, 1]
            case .pubrel: [0x62, 3, 0, 1]
            case .suback, .unsuback: [type.rawValue << 4, 4, 0, 1, 0]
            case .disconnect: [0xE0, 1]
            default: nil
            }
        guard let head else { return }
        for byte in UInt8.min...UInt8.max {
            var buffer = ByteBuffer(bytes: head + (type == .connack ? [byte, 0] : [byte]))
            var decoder = PacketDecoder(version: .v5, maximumPacketSize: 100)
            let decoded = try? decoder.decode(from: &buffer)
            #expect((decoded != nil) == ReasonCode(rawValue: byte).isAllowed(in: type), "\(type) \(byte)")
        }
    }

    @Test func `each property is taken only where it belongs`() throws {
        // 5.0 table 2-4, by identifier.
        let places: [PropertyIdentifier: Set<PacketType>] = [
            .payloadFormatIndicator: [.publish], .messageExpiryInterval: [.publish], .contentType: [.publish],
            .responseTopic: [.publish], .correlationData: [.publish],
            .subscriptionIdentifier: [.publish, .subscribe],
            .sessionExpiryInterval: [.connect, .connack, .disconnect],
            .assignedClientIdentifier: [.connack], .serverKeepAlive: [.connack],
            .authenticationMethod: [.connect, .connack, .auth], .authenticationData: [.connect, .connack, .auth],
            .requestProblemInformation: [.connect], .willDelayInterval: [], .requestResponseInformation: [.connect],
            .responseInformation: [.connack], .serverReference: [.connack, .disconnect],
            .reasonString: [
                .connack, .puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback, .disconnect, .auth,
            ],
            .receiveMaximum: [.connect, .connack], .topicAliasMaximum: [.connect, .connack], .topicAlias: [.publish],
            .maximumQoS: [.connack], .retainAvailable: [.connack],
            .userProperty: Set(PacketType.allCases).subtracting([.pingreq, .pingresp]),
            .maximumPacketSize: [.connect, .connack], .wildcardSubscriptionAvailable: [.connack],
            .subscriptionIdentifiersAvailable: [.connack], .sharedSubscriptionAvailable: [.connack],
        ]
        let inWill: Set<PropertyIdentifier> = [
            .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic, .correlationData,
            .willDelayInterval, .userProperty,
        ]
        var generator = PacketGenerator(seed: 4, version: .v5)
        for identifier in PropertyIdentifier.allCases {
            var properties = Properties([try generator.property(identifier)])
            if identifier == .authenticationData { properties.authenticationMethod = "m" }
            for type in PacketType.allCases {
                guard let packet = try Self.packet(type, properties) else { continue }
                let refused = try Self.encodingRule(of: packet)
                let expected = places[identifier]?.contains(type) == true ? nil : ProtocolRule.propertyNotAllowed
                #expect(refused == expected, "\(identifier) in \(type)")
            }
            let will = Will(topic: try TopicName("w"), payload: ByteBuffer(), properties: properties)
            let refused = try Self.encodingRule(
                of: .connect(Connect(version: .v5, clientIdentifier: "c", will: will)))
            #expect(refused == (inWill.contains(identifier) ? nil : .propertyNotAllowed), "\(identifier) in the will")
        }
    }

    private static func packet(_ type: PacketType, _ properties: Properties) throws -> Packet? {
        let acknowledgement = Acknowledgement(packetIdentifier: .first, properties: properties)
        let filter = try TopicFilter("a")
        return switch type {
        case .connect: .connect(Connect(version: .v5, clientIdentifier: "c", properties: properties))
        case .connack: .connack(ConnAck(sessionPresent: false, reasonCode: .success, properties: properties))
        case .publish: .publish(Publish(topic: try TopicName("t"), payload: ByteBuffer(), properties: properties))
        case .puback: .puback(acknowledgement)
        case .pubrec: .pubrec(acknowledgement)
        case .pubrel: .pubrel(acknowledgement)
        case .pubcomp: .pubcomp(acknowledgement)
        case .subscribe:
            .subscribe(
                Subscribe(
                    packetIdentifier: .first, subscriptions: [Subscription(filter: filter)], properties: properties))
        case .suback:
            .suback(SubAck(packetIdentifier: .first, reasonCodes: [.success], properties: properties))
        case .unsubscribe:
            .unsubscribe(Unsubscribe(packetIdentifier: .first, filters: [filter], properties: properties))
        case .unsuback:
            .unsuback(UnsubAck(packetIdentifier: .first, reasonCodes: [.success], properties: properties))
        case .disconnect: .disconnect(Disconnect(properties: properties))
        case .auth:
            .auth(
                Auth(
                    reasonCode: .success,
                    properties: properties.authenticationMethod == nil
                        ? Properties([.authenticationMethod("m")] + properties.all) : properties))
        case .pingreq, .pingresp: nil
        }
    }

    private static func encodingRule(of packet: Packet) throws -> ProtocolRule? {
        var buffer = ByteBuffer()
        do throws(EncodingError) {
            try packet.encode(into: &buffer, version: .v5)
        } catch {
            #expect(buffer.readableBytes == 0)
            return error.rule
        }
        var decoder = PacketDecoder(version: .v5, maximumPacketSize: 1000)
        #expect(try decoder.decode(from: &buffer) == packet)
        return nil
    }
}
