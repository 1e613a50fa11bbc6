public import NIOCore

/// PUBLISH (5.0 §3.3).
public struct Publish: Sendable, Hashable {
    /// Nil only under 5.0, when the packet carries a topic alias in its place.
    public var topic: TopicName?
    /// A slice of the bytes that were received; nothing is copied.
    public var payload: ByteBuffer
    public var qos: QoS
    public var retain: Bool
    /// Set when this may be a repetition (DUP).
    public var duplicate: Bool
    /// There for QoS 1 and 2, absent for QoS 0.
    public var packetIdentifier: PacketIdentifier?
    public var properties: Properties

    public init(
        topic: TopicName?, payload: ByteBuffer, qos: QoS = .atMostOnce, retain: Bool = false,
        duplicate: Bool = false, packetIdentifier: PacketIdentifier? = nil, properties: Properties = []
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.duplicate = duplicate
        self.packetIdentifier = packetIdentifier
        self.properties = properties
    }
}

/// The lower four bits of the first byte (5.0 §3.3.1).
private enum PublishFlag {
    static let retain: UInt8 = 0b0001
    static let duplicate: UInt8 = 0b1000
}

extension Publish {
    var flags: UInt8 {
        (duplicate ? PublishFlag.duplicate : 0) | qos.rawValue << 1 | (retain ? PublishFlag.retain : 0)
    }

    static func brokenRule(ofFlags flags: UInt8) -> ProtocolRule? {
        switch QoS(rawValue: flags >> 1 & 0b11) {
        case nil: .invalidQoS
        case .atMostOnce? where flags & PublishFlag.duplicate != 0: .duplicateFlagWithQoS0
        default: nil
        }
    }

    func size(_ sizer: PacketSizer) throws(EncodingError) -> Int {
        switch (qos, packetIdentifier) {
        case (.atMostOnce, .some): throw sizer.failure(.packetIdentifierWithQoS0)
        case (.atLeastOnce, nil), (.exactlyOnce, nil): throw sizer.failure(.packetIdentifierMissing)
        default: break
        }
        if qos == .atMostOnce, duplicate { throw sizer.failure(.duplicateFlagWithQoS0) }
        var size = packetIdentifier == nil ? 0 : 2
        if let topic {
            size += sizer.size(of: topic)
        } else {
            if sizer.version != .v5 || properties.topicAlias == nil { throw sizer.failure(.topicMissing) }
            size += 2
        }
        size += try sizer.size(of: properties, in: .packet(.publish))
        return size + payload.readableBytes
    }

    func write(to buffer: inout ByteBuffer, version: ProtocolVersion) {
        buffer.writePrefixed(topic?.string ?? "")
        if let packetIdentifier { buffer.writeInteger(packetIdentifier.rawValue) }
        buffer.write(properties, version: version)
        buffer.writeImmutableBuffer(payload)
    }

    /// - Parameter flags: of which ``brokenRule(ofFlags:)`` has nothing to say.
    init(flags: UInt8, from reader: inout PacketReader) throws(DecodingError) {
        guard let qos = QoS(rawValue: flags >> 1 & 0b11) else { throw reader.failure(.invalidQoS) }
        self.qos = qos
        duplicate = flags & PublishFlag.duplicate != 0
        retain = flags & PublishFlag.retain != 0
        topic = try reader.readTopicNameOrNothing()
        packetIdentifier = qos == .atMostOnce ? nil : try reader.readPacketIdentifier()
        properties = try reader.readProperties(in: .packet(.publish))
        if topic == nil, properties.topicAlias == nil {
            throw reader.failure(reader.version == .v5 ? .topicMissing : .topicEmpty)
        }
        payload = reader.readRest()
    }
}

extension Publish {
    /// Appends a PUBLISH without properties to a buffer; what ``Packet/encode(into:version:)`` does, for a server that sends
    /// one message to many.
    ///
    /// - Throws: ``EncodingError`` when it would be too large, or has a packet identifier at QoS 0 or none above.
    public static func encode(
        topic: TopicName, payload: ByteBuffer, qos: QoS, retain: Bool, duplicate: Bool,
        packetIdentifier: PacketIdentifier?, into buffer: inout ByteBuffer, version: ProtocolVersion
    ) throws(EncodingError) {
        let sizer = PacketSizer(packet: .publish, version: version)
        if qos == .atMostOnce, packetIdentifier != nil { throw sizer.failure(.packetIdentifierWithQoS0) }
        if qos > .atMostOnce, packetIdentifier == nil { throw sizer.failure(.packetIdentifierMissing) }
        let length =
            sizer.size(of: topic) + (packetIdentifier == nil ? 0 : 2) + (version == .v5 ? 1 : 0) + payload.readableBytes
        if length > VariableByteInteger.maximum { throw sizer.failure(.packetTooLarge, found: length) }
        buffer.reserveCapacity(minimumWritableBytes: 5 + length)
        buffer.writeInteger(
            PacketType.publish.rawValue << 4 | (duplicate ? PublishFlag.duplicate : 0) | qos.rawValue << 1
                | (retain ? PublishFlag.retain : 0))
        buffer.writeVariableByteInteger(length)
        buffer.writePrefixed(topic.string)
        if let packetIdentifier { buffer.writeInteger(packetIdentifier.rawValue) }
        if version == .v5 { buffer.writeInteger(0 as UInt8) }
        buffer.writeImmutableBuffer(payload)
    }
}
