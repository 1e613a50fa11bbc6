public import MQTTWire
public import NIOCore

/// An application message as the server sees it, apart from packets and connections.
public struct ServerMessage: Sendable, Hashable {
    public var topic: TopicName
    public var payload: ByteBuffer
    public var qos: QoS
    public var retain: Bool
    /// Those of PUBLISH that travel with the message (5.0 §3.3.2.3); aliases and subscription identifiers do not.
    public var properties: Properties

    public init(
        topic: TopicName, payload: ByteBuffer, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: Properties = []
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties
    }
}

extension ServerMessage {
    /// Whether PUBLISH has a place for its properties, which a program may have filled with anything.
    var canBeSent: Bool {
        if properties.isEmpty { return true }
        var bytes = ByteBuffer()
        let publish = Packet.publish(Publish(topic: topic, payload: ByteBuffer(), properties: properties))
        return (try? publish.encode(into: &bytes, version: .v5)) != nil
    }

    func checkProperties() throws(ServerError) {
        if !canBeSent {
            throw ServerError(.refused, "the message for \(topic) has properties that PUBLISH cannot carry")
        }
    }
}
