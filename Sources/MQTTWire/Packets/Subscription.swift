internal import NIOCore

/// One line of a SUBSCRIBE (5.0 §3.8.3).
public struct Subscription: Sendable, Hashable {
    /// When the server sends retained messages for this subscription (5.0 §3.8.3.1); 3.1.1 knows only `.onSubscribe`.
    public enum RetainHandling: UInt8, Sendable, Hashable, CaseIterable {
        case onSubscribe = 0
        case onNewSubscribe = 1
        case never = 2
    }

    public var filter: TopicFilter
    public var qos: QoS
    /// 5.0: do not send back what this client itself published.
    public var noLocal: Bool
    /// 5.0: keep the RETAIN flag as it was published.
    public var retainAsPublished: Bool
    public var retainHandling: RetainHandling

    public init(
        filter: TopicFilter, qos: QoS = .atLeastOnce, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .onSubscribe
    ) {
        self.filter = filter
        self.qos = qos
        self.noLocal = noLocal
        self.retainAsPublished = retainAsPublished
        self.retainHandling = retainHandling
    }
}

extension Subscription {
    func size(_ sizer: PacketSizer) throws(EncodingError) -> Int {
        if sizer.version != .v5, noLocal || retainAsPublished || retainHandling != .onSubscribe {
            throw sizer.failure(.notInVersion)
        }
        if noLocal, filter.isShared { throw sizer.failure(.noLocalOnSharedSubscription) }
        return sizer.size(of: filter) + 1
    }

    func write(to buffer: inout ByteBuffer) {
        buffer.writePrefixed(filter.string)
        buffer.writeInteger(
            qos.rawValue | (noLocal ? 0x04 : 0) | (retainAsPublished ? 0x08 : 0) | retainHandling.rawValue << 4)
    }

    init(from reader: inout PacketReader) throws(DecodingError) {
        filter = try reader.readTopicFilter()
        let options = try reader.readByte()
        let reserved: UInt8 = reader.version == .v5 ? 0xC0 : 0xFC
        if options & reserved != 0 { throw reader.failure(.subscriptionOptionsReserved, found: Int(options)) }
        guard let qos = QoS(rawValue: options & 0b11) else {
            throw reader.failure(.invalidQoS, found: Int(options & 0b11))
        }
        self.qos = qos
        noLocal = options & 0x04 != 0
        retainAsPublished = options & 0x08 != 0
        guard let retainHandling = RetainHandling(rawValue: options >> 4 & 0b11) else {
            throw reader.failure(.invalidRetainHandling)
        }
        self.retainHandling = retainHandling
        if noLocal, filter.isShared { throw reader.failure(.noLocalOnSharedSubscription) }
    }
}
