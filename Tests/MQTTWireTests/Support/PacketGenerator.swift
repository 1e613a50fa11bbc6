import MQTTWire
import NIOCore
import TestSupport

/// Makes valid packets of every kind.
struct PacketGenerator {
    var random: SplitMix64
    let version: ProtocolVersion

    init(seed: UInt64, version: ProtocolVersion) {
        random = SplitMix64(seed: seed)
        self.version = version
    }

    mutating func packet() throws -> Packet {
        let types = PacketType.allCases.filter { $0 != .auth || version == .v5 }
        return try packet(types[random.below(types.count)])
    }

    mutating func packet(_ type: PacketType) throws -> Packet {
        switch type {
        case .connect: .connect(try connect())
        case .connack: .connack(try connack())
        case .publish: .publish(try publish())
        case .puback: .puback(try acknowledgement(type))
        case .pubrec: .pubrec(try acknowledgement(type))
        case .pubrel: .pubrel(try acknowledgement(type))
        case .pubcomp: .pubcomp(try acknowledgement(type))
        case .subscribe: .subscribe(try subscribe())
        case .suback:
            .suback(
                SubAck(
                    packetIdentifier: identifier(), reasonCodes: some { $0.reasonCode(type) },
                    properties: try properties(Self.acknowledgementProperties)))
        case .unsubscribe:
            .unsubscribe(
                Unsubscribe(
                    packetIdentifier: identifier(), filters: try (0...random.below(4)).map { _ in try filter() },
                    properties: try properties([.userProperty])))
        case .unsuback:
            .unsuback(
                UnsubAck(
                    packetIdentifier: identifier(),
                    reasonCodes: version == .v5 ? some { $0.reasonCode(type) } : [],
                    properties: try properties(Self.acknowledgementProperties)))
        case .pingreq: .pingreq
        case .pingresp: .pingresp
        case .disconnect:
            .disconnect(
                Disconnect(
                    reasonCode: version == .v5 ? reasonCode(type) : .normalDisconnection,
                    properties: try properties([
                        .sessionExpiryInterval, .serverReference, .reasonString, .userProperty,
                    ])))
        case .auth: .auth(try auth())
        }
    }

    private mutating func connect() throws -> Connect {
        let cleanStart = random.chance(1, in: 2)
        let username = random.chance(1, in: 2) ? text() : nil
        var connect = Connect(
            version: version,
            clientIdentifier: cleanStart && version != .v3_1 && random.chance(1, in: 4)
                ? "" : "client-\(random.below(1000))",
            cleanStart: cleanStart, keepAlive: UInt16(random.below(65536)), username: username,
            password: (username != nil || version == .v5) && random.chance(1, in: 2) ? bytes(20) : nil,
            properties: try properties([
                .sessionExpiryInterval, .authenticationMethod, .authenticationData, .requestProblemInformation,
                .requestResponseInformation, .receiveMaximum, .topicAliasMaximum, .userProperty, .maximumPacketSize,
            ]))
        if random.chance(1, in: 2) {
            connect.will = Will(
                topic: try name(), payload: bytes(40), qos: qos(), retain: random.chance(1, in: 2),
                properties: try properties([
                    .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic, .correlationData,
                    .willDelayInterval, .userProperty,
                ]))
        }
        return connect
    }

    private mutating func connack() throws -> ConnAck {
        let codes: [ReasonCode] = [
            .success, .unsupportedProtocolVersion, .clientIdentifierNotValid, .serverUnavailable,
            .badUserNameOrPassword, .notAuthorized,
        ]
        let code = version == .v5 ? reasonCode(.connack) : codes[random.below(codes.count)]
        return ConnAck(
            sessionPresent: code == .success && version != .v3_1 && random.chance(1, in: 2), reasonCode: code,
            properties: try properties([
                .sessionExpiryInterval, .assignedClientIdentifier, .serverKeepAlive, .authenticationMethod,
                .authenticationData, .responseInformation, .serverReference, .reasonString, .receiveMaximum,
                .topicAliasMaximum, .maximumQoS, .retainAvailable, .userProperty, .maximumPacketSize,
                .wildcardSubscriptionAvailable, .subscriptionIdentifiersAvailable, .sharedSubscriptionAvailable,
            ]))
    }

    private mutating func publish() throws -> Publish {
        let qos = qos()
        var publish = Publish(
            topic: try name(), payload: bytes(random.chance(1, in: 10) ? 400 : 40), qos: qos,
            retain: random.chance(1, in: 2), duplicate: qos != .atMostOnce && random.chance(1, in: 3),
            packetIdentifier: qos == .atMostOnce ? nil : identifier(),
            properties: try properties([
                .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic, .correlationData,
                .subscriptionIdentifier, .subscriptionIdentifier, .topicAlias, .userProperty,
            ]))
        if publish.properties.topicAlias != nil, random.chance(1, in: 2) { publish.topic = nil }
        return publish
    }

    private mutating func acknowledgement(_ type: PacketType) throws -> Acknowledgement {
        Acknowledgement(
            packetIdentifier: identifier(), reasonCode: version == .v5 ? reasonCode(type) : .success,
            properties: try properties(Self.acknowledgementProperties))
    }

    private mutating func subscribe() throws -> Subscribe {
        let subscriptions = try (0...random.below(4)).map { _ in
            var subscription = Subscription(filter: try filter(), qos: qos())
            if version == .v5 {
                subscription.noLocal = !subscription.filter.isShared && random.chance(1, in: 2)
                subscription.retainAsPublished = random.chance(1, in: 2)
                subscription.retainHandling = Subscription.RetainHandling.allCases[random.below(3)]
            }
            return subscription
        }
        return Subscribe(
            packetIdentifier: identifier(), subscriptions: subscriptions,
            properties: try properties([.subscriptionIdentifier, .userProperty]))
    }

    private mutating func auth() throws -> Auth {
        if random.chance(1, in: 8) { return Auth(reasonCode: .success) }
        var properties = try properties([.authenticationMethod, .authenticationData, .reasonString, .userProperty])
        if properties.authenticationMethod == nil { properties.authenticationMethod = text() }
        return Auth(reasonCode: reasonCode(.auth), properties: properties)
    }

    private static let acknowledgementProperties: [PropertyIdentifier] = [.reasonString, .userProperty, .userProperty]

    /// Some of the properties named, each at most as often as it is named.
    private mutating func properties(_ identifiers: [PropertyIdentifier]) throws -> Properties {
        guard version == .v5, random.chance(2, in: 3) else { return [] }
        var properties: Properties = []
        for identifier in identifiers where random.chance(1, in: 3) {
            properties.append(try property(identifier))
        }
        if properties.authenticationMethod == nil { properties.authenticationData = nil }
        return properties
    }

    mutating func property(_ identifier: PropertyIdentifier) throws -> Property {
        let flag = random.chance(1, in: 2)
        let number = UInt32(truncatingIfNeeded: random.next() >> UInt64(random.below(40)))
        let short = UInt16(truncatingIfNeeded: number)
        return switch identifier {
        case .payloadFormatIndicator: .payloadFormatIndicator(flag)
        case .messageExpiryInterval: .messageExpiryInterval(number)
        case .contentType: .contentType(text())
        case .responseTopic: .responseTopic(try name())
        case .correlationData: .correlationData(bytes(20))
        case .subscriptionIdentifier: .subscriptionIdentifier(max(1, number & 0xFFF_FFFF))
        case .sessionExpiryInterval: .sessionExpiryInterval(number)
        case .assignedClientIdentifier: .assignedClientIdentifier(text())
        case .serverKeepAlive: .serverKeepAlive(short)
        case .authenticationMethod: .authenticationMethod(text())
        case .authenticationData: .authenticationData(bytes(20))
        case .requestProblemInformation: .requestProblemInformation(flag)
        case .willDelayInterval: .willDelayInterval(number)
        case .requestResponseInformation: .requestResponseInformation(flag)
        case .responseInformation: .responseInformation(text())
        case .serverReference: .serverReference(text())
        case .reasonString: .reasonString(text())
        case .receiveMaximum: .receiveMaximum(max(1, short))
        case .topicAliasMaximum: .topicAliasMaximum(short)
        case .topicAlias: .topicAlias(max(1, short))
        case .maximumQoS: .maximumQoS(flag ? .atLeastOnce : .atMostOnce)
        case .retainAvailable: .retainAvailable(flag)
        case .userProperty: .userProperty(name: text(), value: text())
        case .maximumPacketSize: .maximumPacketSize(max(1, number))
        case .wildcardSubscriptionAvailable: .wildcardSubscriptionAvailable(flag)
        case .subscriptionIdentifiersAvailable: .subscriptionIdentifiersAvailable(flag)
        case .sharedSubscriptionAvailable: .sharedSubscriptionAvailable(flag)
        }
    }

    private mutating func reasonCode(_ type: PacketType) -> ReasonCode {
        if version != .v5 {
            let codes: [ReasonCode] = [.grantedQoS0, .grantedQoS1, .grantedQoS2, .unspecifiedError]
            return codes[random.below(version == .v3_1 ? 3 : codes.count)]
        }
        while true {
            let code = ReasonCode(rawValue: UInt8(random.below(256)))
            if code.isAllowed(in: type) { return code }
        }
    }

    private mutating func some<Element>(_ make: (inout Self) -> Element) -> [Element] {
        (0...random.below(4)).map { _ in make(&self) }
    }

    private mutating func identifier() -> PacketIdentifier {
        PacketIdentifier(rawValue: UInt16(random.below(65536))) ?? .first
    }

    private mutating func qos() -> QoS { QoS.allCases[random.below(3)] }

    private mutating func bytes(_ limit: Int) -> ByteBuffer {
        let count = random.below(limit + 1)
        return ByteBuffer(bytes: (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }

    private static let pieces = [
        "a", "bin", "0427", "ß", "温度", "\u{FEFF}", "e\u{301}", "é", "🗑️", "\u{7F}", " ", "A\u{2A6D4}",
    ]

    private mutating func text() -> String {
        (0..<random.below(5)).map { _ in Self.pieces[random.below(Self.pieces.count)] }.joined()
    }

    private mutating func name() throws -> TopicName {
        try TopicName("t/" + (0...random.below(3)).map { _ in text() }.joined(separator: "/"))
    }

    private mutating func filter() throws -> TopicFilter {
        var levels = (0...random.below(3)).map { _ in random.chance(1, in: 4) ? "+" : text() }
        if random.chance(1, in: 4) { levels.append("#") }
        let prefix = random.chance(1, in: 4) ? "$share/group/" : ""
        return try TopicFilter(prefix + "f/" + levels.joined(separator: "/"))
    }
}
