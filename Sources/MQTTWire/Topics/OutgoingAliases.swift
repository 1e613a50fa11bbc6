/// The aliases that one side gives its topics on one connection (5.0 §3.3.2.3.4): a topic that comes often travels as
/// two or three bytes.
///
/// Each topic gets one as long as there are any; later, one that was used again and again takes over the alias that was
/// not used for longest.
public struct OutgoingAliases: Sendable {
    private struct Use: Sendable {
        let alias: UInt16
        var last: UInt64
    }

    private let maximum: Int
    private var topics: [TopicName: Use] = [:]
    private var count: UInt64 = 0

    /// - Parameter maximum: what the peer has offered; no more than 64 of it are used, to bound the memory.
    public init(maximum: Int = 0) { self.maximum = min(max(maximum, 0), 64) }

    /// Puts an alias in the place of the topic, or beside it to make it known.
    ///
    /// - Parameter room: bytes that the packet may still grow by.
    public mutating func apply(to publish: inout Publish, room: Int) {
        guard maximum > 0, let topic = publish.topic else { return }
        count += 1
        if let use = topics[topic] {
            // In the place of a very short topic the alias takes more, and may lengthen two lengths.
            guard topic.string.utf8.count >= 5 || room >= 5 else { return }
            topics[topic]?.last = count
            publish.properties.topicAlias = use.alias
            publish.topic = nil
            return
        }
        // An alias is a property of three bytes, which may lengthen two lengths.
        guard room >= 5, let alias = newAlias() else { return }
        topics[topic] = Use(alias: alias, last: count)
        publish.properties.topicAlias = alias
    }

    private mutating func newAlias() -> UInt16? {
        if topics.count < maximum { return UInt16(topics.count + 1) }
        // Topics that come in turn, more than there are aliases, would else push each other out without any use.
        guard let oldest = topics.min(by: { $0.value.last < $1.value.last }),
            count - oldest.value.last > UInt64(maximum) * 4
        else { return nil }
        topics[oldest.key] = nil
        return oldest.value.alias
    }
}
