internal import NIOCore

/// UNSUBSCRIBE (5.0 §3.10): at least one filter.
public struct Unsubscribe: Sendable, Hashable {
    public var packetIdentifier: PacketIdentifier
    public var filters: [TopicFilter]
    public var properties: Properties

    public init(packetIdentifier: PacketIdentifier, filters: [TopicFilter], properties: Properties = []) {
        self.packetIdentifier = packetIdentifier
        self.filters = filters
        self.properties = properties
    }
}

extension Unsubscribe {
    func size(_ sizer: PacketSizer) throws(EncodingError) -> Int {
        if filters.isEmpty { throw sizer.failure(.noTopicFilters) }
        let size = try 2 + sizer.size(of: properties, in: .packet(.unsubscribe))
        return filters.reduce(size) { $0 + sizer.size(of: $1) }
    }

    func write(to buffer: inout ByteBuffer, version: ProtocolVersion) {
        buffer.writeInteger(packetIdentifier.rawValue)
        buffer.write(properties, version: version)
        for filter in filters { buffer.writePrefixed(filter.string) }
    }

    init(from reader: inout PacketReader) throws(DecodingError) {
        packetIdentifier = try reader.readPacketIdentifier()
        properties = try reader.readProperties(in: .packet(.unsubscribe))
        filters = []
        while reader.remaining > 0 { filters.append(try reader.readTopicFilter()) }
        if filters.isEmpty { throw reader.failure(.noTopicFilters) }
    }
}
