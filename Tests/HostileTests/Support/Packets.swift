import MQTTWire
import NIOCore

extension PacketIdentifier {
    /// Identifiers from 1 on, and around.
    init(number: Int) {
        self = PacketIdentifier(rawValue: UInt16(truncatingIfNeeded: number % 65_535) + 1) ?? .first
    }
}

extension Packet {
    static func publish(
        _ topic: String, _ payload: ByteBuffer = ByteBuffer(), qos: QoS = .atMostOnce, retain: Bool = false,
        identifier: PacketIdentifier = .first
    ) throws -> Packet {
        .publish(
            Publish(
                topic: try TopicName(topic), payload: payload, qos: qos, retain: retain,
                packetIdentifier: qos == .atMostOnce ? nil : identifier))
    }

    static func subscribe(
        _ filters: [String], qos: QoS = .atMostOnce, identifier: PacketIdentifier = .first
    ) throws -> Packet {
        .subscribe(
            Subscribe(
                packetIdentifier: identifier,
                subscriptions: try filters.map { Subscription(filter: try TopicFilter($0), qos: qos) }))
    }

    static func unsubscribe(_ filters: [String], identifier: PacketIdentifier = .first) throws -> Packet {
        .unsubscribe(Unsubscribe(packetIdentifier: identifier, filters: try filters.map { try TopicFilter($0) }))
    }
}

extension RawConnection {
    /// A connection that has been let in, with a clean session.
    static func client(
        _ identifier: String, port: Int, version: ProtocolVersion = .v5, keepAlive: UInt16 = 0,
        receiveBuffer: CInt? = nil
    ) throws -> RawConnection {
        let connection = try RawConnection(port: port, version: version, receiveBuffer: receiveBuffer)
        try connection.open(Connect(version: version, clientIdentifier: identifier, keepAlive: keepAlive))
        return connection
    }

    /// Subscribes and returns the broker's codes; what was published meanwhile is dropped.
    @discardableResult
    func subscribe(_ filters: [String], qos: QoS = .atMostOnce, number: Int = 1) throws -> [ReasonCode] {
        try send(.subscribe(filters, qos: qos, identifier: PacketIdentifier(number: number)))
        while true {
            if case .suback(let answer) = try receive() { return answer.reasonCodes }
        }
    }

    /// Receives until the answer to a PINGREQ comes: all that was sent before has been worked on then.
    ///
    /// - Returns: how many messages came before it.
    @discardableResult
    func settle(within limit: Duration = .seconds(10)) throws -> Int {
        try send(.pingreq)
        var messages = 0
        while true {
            switch try receive(within: limit) {
            case .pingresp: return messages
            case .publish: messages += 1
            case .disconnect(let disconnect): throw Unexpected("the broker sent \(disconnect)")
            default: break
            }
        }
    }
}

extension RawConnection {
    /// The next packet, or nil when the broker closes the connection, with or without DISCONNECT.
    func receiveOrEnd(within limit: Duration = .seconds(10)) throws -> Packet? {
        do {
            let packet = try receive(within: limit)
            if case .disconnect = packet { return nil }
            return packet
        } catch Failure.closed {
            return nil
        }
    }
}
