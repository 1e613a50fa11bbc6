internal import MQTTWire
internal import NIOCore

/// A message on its way to one client: what PUBLISH will say, without a copy of the message.
struct Delivery: Sendable {
    let message: RoutedMessage
    let qos: QoS
    let retain: Bool
    var isDuplicate = false
    /// For QoS 1 and 2.
    var packetIdentifier: PacketIdentifier?
    /// Under 5.0, the receiver's subscription identifiers and what is left of the expiry among them.
    var properties: Properties = []

    /// As a packet, for whoever is in no hurry.
    var publish: Publish {
        Publish(
            topic: message.message.topic, payload: message.message.payload, qos: qos, retain: retain,
            duplicate: isDuplicate, packetIdentifier: packetIdentifier, properties: properties)
    }

    /// Appends PUBLISH to a buffer. The message was decoded or checked before, so that it has a form.
    func encode(into buffer: inout ByteBuffer, version: ProtocolVersion) throws(EncodingError) {
        guard properties.isEmpty else { return try Packet.publish(publish).encode(into: &buffer, version: version) }
        try Publish.encode(
            topic: message.message.topic, payload: message.message.payload, qos: qos, retain: retain,
            duplicate: isDuplicate, packetIdentifier: packetIdentifier, into: &buffer, version: version)
    }

    /// Bytes of the packet.
    func encodedSize(version: ProtocolVersion) -> Int {
        (try? Packet.publish(publish).encodedSize(version: version)) ?? .max
    }
}
