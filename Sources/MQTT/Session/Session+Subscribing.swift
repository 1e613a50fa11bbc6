public import MQTTWire

extension Session {
    /// What 3.1.1 cannot say is left out under it: the options beside the QoS, and the properties.
    ///
    /// - Parameter subscriptions: at least one.
    public mutating func subscribe(_ subscriptions: [Subscription], properties: Properties = []) -> Subscribe? {
        guard let identifier = newRequest(.subscribe(count: subscriptions.count)) else { return nil }
        if version == .v3_1_1 {
            return Subscribe(
                packetIdentifier: identifier,
                subscriptions: subscriptions.map { Subscription(filter: $0.filter, qos: $0.qos) })
        }
        return Subscribe(packetIdentifier: identifier, subscriptions: subscriptions, properties: properties)
    }

    /// - Parameter filters: at least one.
    public mutating func unsubscribe(_ filters: [TopicFilter], properties: Properties = []) -> Unsubscribe? {
        guard let identifier = newRequest(.unsubscribe(count: filters.count)) else { return nil }
        return Unsubscribe(
            packetIdentifier: identifier, filters: filters, properties: version == .v5 ? properties : [])
    }

    /// Nil when too many requests wait for their answers already.
    fileprivate mutating func newRequest(_ request: Request) -> PacketIdentifier? {
        guard requests.count < Identifiers.upperCount / 2, let identifier = freeIdentifier() else { return nil }
        lastIdentifier = identifier
        requests[identifier] = request
        return identifier
    }

    public mutating func received(suback: SubAck) throws(ProtocolViolation) {
        guard case .subscribe(let count) = requests.removeValue(forKey: suback.packetIdentifier) else {
            throw ProtocolViolation("SUBACK \(suback.packetIdentifier) without a SUBSCRIBE")
        }
        guard suback.reasonCodes.count == count else {
            throw ProtocolViolation(
                "SUBACK with \(suback.reasonCodes.count) reason codes for \(count) subscriptions (MQTT-3.9.3-1)")
        }
    }

    public mutating func received(unsuback: UnsubAck) throws(ProtocolViolation) {
        guard case .unsubscribe(let count) = requests.removeValue(forKey: unsuback.packetIdentifier) else {
            throw ProtocolViolation("UNSUBACK \(unsuback.packetIdentifier) without an UNSUBSCRIBE")
        }
        guard version == .v3_1_1 || unsuback.reasonCodes.count == count else {
            throw ProtocolViolation(
                "UNSUBACK with \(unsuback.reasonCodes.count) reason codes for \(count) filters (MQTT-3.11.3-1)")
        }
    }
}
