import MQTTWire
import NIOCore
import TestSupport

/// Makes packets that a client may send, however odd.
struct PacketGenerator {
    var random: SplitMix64

    static let topics = [
        "a", "a/b", "a/b/c", "/", "//", "a//b", "fuzz/ü/😀", "fuzz/\u{FEFF}", "fuzz/\u{1}", "$SYS/broker/x", "$other/a",
        " ",
        String(repeating: "d/", count: 150), String(repeating: "/", count: 300), String(repeating: "long", count: 500),
    ]
    static let filters =
        topics + [
            "#", "+", "+/+", "a/+", "a/#", "+/b/#", "/#", "+/", "$SYS/#", "$SYS/broker/clients/+", "$other/#",
            "$share/g/a/b", "$share/g/#", "$share/h/+/b", "$share/g2//", String(repeating: "+/", count: 180) + "#",
        ]

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    mutating func connect(_ version: ProtocolVersion) throws -> Connect {
        // Few names, so that connections take over from each other and resume sessions.
        let isNameless = version != .v3_1 && random.once(in: 8)
        let keeps = random.once(in: isNameless ? 100 : 2)
        var connect = Connect(
            version: version, clientIdentifier: isNameless ? "" : "fuzz-\(random.below(100))",
            cleanStart: isNameless || random.once(in: 2), keepAlive: random.pick([0, 1, 60, 65_535]))
        if version != .v5, !isNameless, !keeps { connect.cleanStart = true }
        if random.once(in: 3) { connect.username = text() }
        if random.once(in: 3), version == .v5 || connect.username != nil { connect.password = binary() }
        if random.once(in: 3) {
            connect.will = Will(
                topic: try TopicName(random.pick(Self.topics)), payload: binary(), qos: qos(),
                retain: random.once(in: 4),
                properties: version == .v5
                    ? Properties(some([.willDelayInterval(UInt32(random.below(3)))]) + messageProperties()) : [])
        }
        if version == .v5 {
            connect.properties = Properties(
                (keeps ? [.sessionExpiryInterval(random.pick([1, 5, 60, .max]))] : [])
                    + some([
                        .receiveMaximum(random.pick([1, 2, 20, 65_535])),
                        .maximumPacketSize(random.pick([1, 2, 20, 200, 65_536, .max])),
                        .topicAliasMaximum(random.pick([0, 1, 10, 65_535])),
                        .requestProblemInformation(random.once(in: 2)),
                        .requestResponseInformation(random.once(in: 2)),
                    ]) + userProperties())
            if random.once(in: 30) {
                connect.properties.all += [.authenticationMethod(text()), .authenticationData(binary())]
            }
        }
        return connect
    }

    /// A packet for after CONNECT.
    mutating func packet(_ version: ProtocolVersion) throws -> Packet {
        let identifier = self.identifier()
        switch random.below(version == .v5 ? 17 : 16) {
        case 0...4: return .publish(try publish(version))
        case 5...7:
            let subscriptions = try (0...random.below(random.once(in: 50) ? 100 : 3)).map { _ in
                try subscription(version)
            }
            let properties: [Property] =
                version == .v5
                ? some([.subscriptionIdentifier(random.pick([1, 127, 128, 268_435_455]))]) + userProperties() : []
            return .subscribe(
                Subscribe(
                    packetIdentifier: identifier, subscriptions: subscriptions, properties: Properties(properties)))
        case 8:
            let filters = try (0...random.below(3)).map { _ in try TopicFilter(random.pick(Self.filters)) }
            return .unsubscribe(
                Unsubscribe(
                    packetIdentifier: identifier, filters: filters,
                    properties: Properties(version == .v5 ? userProperties() : [])))
        case 9: return .puback(acknowledgement(version, [.success, .noMatchingSubscribers, .quotaExceeded]))
        case 10, 11: return .pubrec(acknowledgement(version, [.success, .success, .implementationSpecificError]))
        case 12, 13: return .pubrel(acknowledgement(version, [.success, .packetIdentifierNotFound]))
        case 14: return .pubcomp(acknowledgement(version, [.success, .packetIdentifierNotFound]))
        case 15:
            guard random.once(in: 8) else { return .pingreq }
            guard version == .v5 else { return .disconnect(Disconnect()) }
            return .disconnect(
                Disconnect(
                    reasonCode: random.pick([.normalDisconnection, .disconnectWithWill, .unspecifiedError]),
                    properties: Properties(some([.sessionExpiryInterval(random.pick([0, 1]))]) + userProperties())))
        default:
            return .auth(
                Auth(
                    reasonCode: random.pick([.continueAuthentication, .reauthenticate]),
                    properties: [.authenticationMethod(text()), .authenticationData(binary())]))
        }
    }

    mutating func publish(_ version: ProtocolVersion) throws -> Publish {
        let qos = self.qos()
        var publish = Publish(
            topic: try TopicName(random.pick(Self.topics)), payload: binary(), qos: qos, retain: random.once(in: 6),
            duplicate: qos != .atMostOnce && random.once(in: 4),
            packetIdentifier: qos == .atMostOnce ? nil : identifier())
        if version == .v5 {
            publish.properties = Properties(messageProperties())
            if random.once(in: 4) {
                publish.properties.all.append(.topicAlias(random.pick([1, 2, 16, 17, 65_535])))
                if random.once(in: 2) { publish.topic = nil }
            }
        }
        return publish
    }

    private mutating func subscription(_ version: ProtocolVersion) throws -> Subscription {
        var subscription = Subscription(filter: try TopicFilter(random.pick(Self.filters)), qos: qos())
        if version == .v5 {
            subscription.noLocal = !subscription.filter.isShared && random.once(in: 3)
            subscription.retainAsPublished = random.once(in: 2)
            subscription.retainHandling = random.pick(Subscription.RetainHandling.allCases)
        }
        return subscription
    }

    private mutating func acknowledgement(_ version: ProtocolVersion, _ codes: [ReasonCode]) -> Acknowledgement {
        guard version == .v5 else { return Acknowledgement(packetIdentifier: identifier()) }
        return Acknowledgement(
            packetIdentifier: identifier(), reasonCode: random.pick(codes),
            properties: Properties(random.once(in: 2) ? [] : some([.reasonString(text())]) + userProperties()))
    }

    private mutating func messageProperties() -> [Property] {
        some([
            .payloadFormatIndicator(random.once(in: 2)), .messageExpiryInterval(random.pick([0, 1, 60, .max])),
            .contentType(text()), .correlationData(binary()),
        ]) + ((try? TopicName("answer/\(random.below(9))")).map { some([.responseTopic($0)]) } ?? []) + userProperties()
    }

    private mutating func userProperties() -> [Property] {
        guard random.once(in: 3) else { return [] }
        return (0...random.below(random.once(in: 30) ? 500 : 3)).map { _ in .userProperty(name: text(), value: text()) }
    }

    private mutating func some(_ properties: [Property]) -> [Property] {
        properties.filter { _ in random.once(in: 2) }
    }

    /// Few, so that exchanges meet.
    private mutating func identifier() -> PacketIdentifier {
        PacketIdentifier(rawValue: UInt16(random.once(in: 10) ? 65_535 : 1 + random.below(4))) ?? .first
    }

    private mutating func qos() -> QoS { QoS(rawValue: UInt8(random.below(3))) ?? .atMostOnce }

    private mutating func text() -> String {
        random.pick(["", "a", "ü😀", "\u{7F}\u{FFFF}", String(repeating: "x", count: random.below(300))])
    }

    private mutating func binary() -> ByteBuffer {
        ByteBuffer(bytes: random.bytes(random.once(in: 50) ? random.below(20_000) : random.below(20)))
    }
}
