import MQTTWire
import NIOCore

// One method per packet that a broker sends: each takes the first of its kind.
extension RawClient {
    func connack() async throws -> ConnAck {
        let packet = try await next()
        guard case .connack(let connack) = packet else { throw Surprise("CONNACK awaited, got \(packet)") }
        return connack
    }

    func publish() async throws -> Publish {
        let packet = try await take("PUBLISH") { if case .publish = $0 { true } else { false } }
        guard case .publish(let publish) = packet else { throw Surprise("PUBLISH awaited, got \(packet)") }
        return publish
    }

    func puback() async throws -> Acknowledgement {
        let packet = try await take("PUBACK") { if case .puback = $0 { true } else { false } }
        guard case .puback(let acknowledgement) = packet else { throw Surprise("PUBACK awaited, got \(packet)") }
        return acknowledgement
    }

    func pubrec() async throws -> Acknowledgement {
        let packet = try await take("PUBREC") { if case .pubrec = $0 { true } else { false } }
        guard case .pubrec(let acknowledgement) = packet else { throw Surprise("PUBREC awaited, got \(packet)") }
        return acknowledgement
    }

    func pubrel() async throws -> Acknowledgement {
        let packet = try await take("PUBREL") { if case .pubrel = $0 { true } else { false } }
        guard case .pubrel(let acknowledgement) = packet else { throw Surprise("PUBREL awaited, got \(packet)") }
        return acknowledgement
    }

    func pubcomp() async throws -> Acknowledgement {
        let packet = try await take("PUBCOMP") { if case .pubcomp = $0 { true } else { false } }
        guard case .pubcomp(let acknowledgement) = packet else { throw Surprise("PUBCOMP awaited, got \(packet)") }
        return acknowledgement
    }

    func suback() async throws -> SubAck {
        let packet = try await take("SUBACK") { if case .suback = $0 { true } else { false } }
        guard case .suback(let suback) = packet else { throw Surprise("SUBACK awaited, got \(packet)") }
        return suback
    }

    func unsuback() async throws -> UnsubAck {
        let packet = try await take("UNSUBACK") { if case .unsuback = $0 { true } else { false } }
        guard case .unsuback(let unsuback) = packet else { throw Surprise("UNSUBACK awaited, got \(packet)") }
        return unsuback
    }

    func auth() async throws -> Auth {
        let packet = try await take("AUTH") { if case .auth = $0 { true } else { false } }
        guard case .auth(let auth) = packet else { throw Surprise("AUTH awaited, got \(packet)") }
        return auth
    }

    func disconnected() async throws -> Disconnect {
        let packet = try await take("DISCONNECT") { if case .disconnect = $0 { true } else { false } }
        guard case .disconnect(let disconnect) = packet else { throw Surprise("DISCONNECT awaited, got \(packet)") }
        return disconnect
    }
}

// What clients do most, from the request to its answer.
extension RawClient {
    @discardableResult
    func subscribe(
        _ subscriptions: [Subscription], properties: Properties = [], identifier: UInt16 = 1000
    ) async throws -> SubAck {
        try await send(
            .subscribe(
                Subscribe(
                    packetIdentifier: id(identifier), subscriptions: subscriptions, properties: properties)))
        let suback = try await suback()
        guard suback.packetIdentifier.rawValue == identifier, suback.reasonCodes.count == subscriptions.count else {
            throw Surprise("a SUBACK to \(subscriptions) reads \(suback)")
        }
        return suback
    }

    /// Subscribes to one filter, which must be granted as asked for.
    func subscribe(
        _ filter: String, _ qos: QoS = .exactlyOnce, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: Subscription.RetainHandling = .onSubscribe, identifier: UInt32? = nil
    ) async throws {
        let subscription = Subscription(
            filter: try TopicFilter(filter), qos: qos, noLocal: noLocal, retainAsPublished: retainAsPublished,
            retainHandling: retainHandling)
        let suback = try await subscribe(
            [subscription], properties: identifier.map { [.subscriptionIdentifier($0)] } ?? [])
        guard suback.reasonCodes == [ReasonCode(rawValue: qos.rawValue)] else {
            throw Surprise("\(filter) with \(qos) was not granted: \(suback)")
        }
    }

    @discardableResult
    func unsubscribe(_ filters: String..., identifier: UInt16 = 2000) async throws -> UnsubAck {
        try await send(
            .unsubscribe(
                Unsubscribe(packetIdentifier: id(identifier), filters: filters.map { try TopicFilter($0) })))
        return try await unsuback()
    }

    /// Publishes a message and goes through the whole exchange of its QoS; under QoS 0 a ping shows that the broker
    /// has taken it.
    ///
    /// - Returns: the reason code of the broker's first answer, success for QoS 0.
    @discardableResult
    func publish(
        _ topic: String, _ payload: String = "payload", _ qos: QoS = .atLeastOnce, retain: Bool = false,
        identifier: UInt16 = 3000, properties: Properties = []
    ) async throws -> ReasonCode {
        try await send(
            try publication(topic, payload, qos, retain: retain, identifier: identifier, properties: properties))
        switch qos {
        case .atMostOnce:
            try await send(.pingreq)
            _ = try await take("PINGRESP") { $0 == .pingresp }
            return .success
        case .atLeastOnce:
            return try await puback().reasonCode
        case .exactlyOnce:
            let pubrec = try await pubrec()
            if pubrec.reasonCode.isError { return pubrec.reasonCode }
            try await send(.pubrel(Acknowledgement(packetIdentifier: pubrec.packetIdentifier)))
            _ = try await pubcomp()
            return pubrec.reasonCode
        }
    }

    /// Takes the next message, goes through the exchange of its QoS and returns it.
    func message() async throws -> Publish {
        let publish = try await publish()
        try await acknowledge(publish)
        return publish
    }

    /// Goes through the exchange that a message's QoS asks for.
    func acknowledge(_ publish: Publish) async throws {
        guard let identifier = publish.packetIdentifier else { return }
        if publish.qos == .atLeastOnce {
            try await send(.puback(Acknowledgement(packetIdentifier: identifier)))
        } else {
            try await send(.pubrec(Acknowledgement(packetIdentifier: identifier)))
            let pubrel = try await pubrel()
            try await send(.pubcomp(Acknowledgement(packetIdentifier: pubrel.packetIdentifier)))
        }
    }

    /// Takes as many messages, with their exchanges.
    func messages(_ count: Int) async throws -> [Publish] {
        var messages: [Publish] = []
        while messages.count < count { messages.append(try await message()) }
        return messages
    }

    /// The broker must end the connection. Under 5.0 it must say one of these reasons in a DISCONNECT before, under
    /// 3.1.1 it must not send any DISCONNECT.
    func expectClosed(_ reasons: ReasonCode...) async throws {
        let ended = try await ended()
        let disconnects = try await unread().compactMap { if case .disconnect(let packet) = $0 { packet } else { nil } }
        guard ended == .closed else { throw Surprise("the connection ended by \(ended)") }
        switch version {
        case .v3_1, .v3_1_1:
            guard disconnects.isEmpty else { throw Surprise("the broker sent \(disconnects) under 3.1.1") }
        case .v5:
            guard reasons.isEmpty || disconnects.count == 1 && reasons.contains(disconnects[0].reasonCode) else {
                throw Surprise("closed with \(disconnects) in place of a DISCONNECT with one of \(reasons)")
            }
        }
    }

    /// The broker must end a connection whose CONNECT it does not accept. Before that it may send a CONNACK with one
    /// of these reasons, but no success and nothing else.
    ///
    /// - Parameter mustAnswer: the CONNACK is asked for by the specification.
    func expectRefused(_ reasons: ReasonCode..., mustAnswer: Bool = false) async throws {
        let ended = try await ended()
        let packets = try await unread()
        guard ended == .closed else { throw Surprise("the connection ended by \(ended)") }
        if packets.isEmpty, !mustAnswer { return }
        guard packets.count == 1, case .connack(let connack) = packets[0], reasons.contains(connack.reasonCode) else {
            throw Surprise("refused by \(packets) in place of a CONNACK with one of \(reasons)")
        }
    }
}

/// A PUBLISH; QoS 0 leaves the identifier out.
func publication(
    _ topic: String, _ payload: String = "payload", _ qos: QoS = .atLeastOnce, retain: Bool = false,
    duplicate: Bool = false, identifier: UInt16 = 3000, properties: Properties = []
) throws -> Packet {
    .publish(
        Publish(
            topic: try TopicName(topic), payload: ByteBuffer(string: payload), qos: qos, retain: retain,
            duplicate: duplicate, packetIdentifier: qos == .atMostOnce ? nil : id(identifier), properties: properties))
}

func will(
    _ topic: String, _ payload: String = "will", _ qos: QoS = .atMostOnce, retain: Bool = false,
    properties: Properties = []
) throws -> Will {
    Will(
        topic: try TopicName(topic), payload: ByteBuffer(string: payload), qos: qos, retain: retain,
        properties: properties)
}

/// A packet identifier; 0 gives 1.
func id(_ number: UInt16) -> PacketIdentifier { PacketIdentifier(rawValue: number) ?? .first }

extension Publish {
    var text: String { String(buffer: payload) }
}
