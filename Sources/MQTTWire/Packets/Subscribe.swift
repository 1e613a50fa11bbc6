internal import NIOCore

/// SUBSCRIBE (5.0 §3.8): at least one subscription.
public struct Subscribe: Sendable, Hashable {
    public var packetIdentifier: PacketIdentifier
    public var subscriptions: [Subscription]
    public var properties: Properties

    public init(packetIdentifier: PacketIdentifier, subscriptions: [Subscription], properties: Properties = []) {
        self.packetIdentifier = packetIdentifier
        self.subscriptions = subscriptions
        self.properties = properties
    }
}

extension Subscribe {
    func size(_ sizer: PacketSizer) throws(EncodingError) -> Int {
        if subscriptions.isEmpty { throw sizer.failure(.noTopicFilters) }
        var size = try 2 + sizer.size(of: properties, in: .packet(.subscribe))
        for subscription in subscriptions { size += try subscription.size(sizer) }
        return size
    }

    func write(to buffer: inout ByteBuffer, version: ProtocolVersion) {
        buffer.writeInteger(packetIdentifier.rawValue)
        buffer.write(properties, version: version)
        for subscription in subscriptions { subscription.write(to: &buffer) }
    }

    init(from reader: inout PacketReader) throws(DecodingError) {
        packetIdentifier = try reader.readPacketIdentifier()
        properties = try reader.readProperties(in: .packet(.subscribe))
        subscriptions = []
        while reader.remaining > 0 { subscriptions.append(try Subscription(from: &reader)) }
        if subscriptions.isEmpty { throw reader.failure(.noTopicFilters) }
    }
}
