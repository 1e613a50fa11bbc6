public import NIOCore

/// The message that the server publishes when it loses its client (5.0 §3.1.2.5).
public struct Will: Sendable, Hashable {
    public var topic: TopicName
    public var payload: ByteBuffer
    public var qos: QoS
    public var retain: Bool
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

extension Will {
    /// What the connect flags say about the will.
    struct Flags {
        let qos: QoS
        let retain: Bool
    }

    func size(_ sizer: PacketSizer) throws(EncodingError) -> Int {
        try sizer.size(of: properties, in: .will) + sizer.size(of: topic) + sizer.size(of: payload)
    }

    func write(to buffer: inout ByteBuffer, version: ProtocolVersion) {
        buffer.write(properties, version: version)
        buffer.writePrefixed(topic.string)
        buffer.writePrefixed(payload)
    }

    init(_ flags: Flags, from reader: inout PacketReader) throws(DecodingError) {
        qos = flags.qos
        retain = flags.retain
        properties = try reader.readProperties(in: .will)
        topic = try reader.readTopicName()
        payload = try reader.readBinary()
    }
}
