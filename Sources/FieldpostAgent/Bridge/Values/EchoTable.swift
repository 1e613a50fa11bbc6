internal import DequeModule
internal import MQTT
internal import MQTTWire
internal import NIOCore

/// What we have sent to a broker and will get back from it, because we subscribe to its topic, and version 3.1.1 knows no
/// way to be spared.
///
/// An echo is known by its topic and payload, each as often as it was sent. It is waited for until some time after the
/// broker has acknowledged the message, and not longer: then the same words are somebody else's.
struct EchoTable: Sendable {
    /// How long after its acknowledgement a message's echo may come.
    static let patience = Duration.seconds(60)
    /// So many are waited for at most; the oldest are forgotten first.
    static let maximumCount = 4_096

    private var keys: [MessageID: Int] = [:]
    private var waiting: [Int: [MessageID]] = [:]
    /// In the order of sending.
    private var sent: Deque<MessageID> = []
    private var acknowledged: Deque<(id: MessageID, deadline: ContinuousClock.Instant)> = []

    var count: Int { keys.count }

    mutating func willSend(_ id: MessageID, _ topic: TopicName, _ payload: ByteBuffer) {
        guard keys[id] == nil else { return }
        let key = Self.key(topic, payload)
        keys[id] = key
        waiting[key, default: []].append(id)
        sent.append(id)
        while keys.count > Self.maximumCount, let oldest = sent.popFirst() { forget(oldest) }
        while let first = sent.first, keys[first] == nil { sent.removeFirst() }
    }

    mutating func acknowledged(_ ids: [MessageID], at now: ContinuousClock.Instant) {
        for id in ids where keys[id] != nil { acknowledged.append((id, now + Self.patience)) }
        forgetOld(at: now)
    }

    /// It never reached the broker.
    mutating func forget(_ id: MessageID) {
        guard let key = keys.removeValue(forKey: id) else { return }
        waiting[key]?.removeAll { $0 == id }
        if waiting[key]?.isEmpty == true { waiting[key] = nil }
    }

    /// Whether this is the echo of something; that is not waited for any more.
    mutating func takeEcho(_ topic: TopicName, _ payload: ByteBuffer, at now: ContinuousClock.Instant) -> Bool {
        forgetOld(at: now)
        guard let id = waiting[Self.key(topic, payload)]?.first else { return false }
        forget(id)
        return true
    }

    private mutating func forgetOld(at now: ContinuousClock.Instant) {
        while let first = acknowledged.first, first.deadline <= now || keys[first.id] == nil {
            acknowledged.removeFirst()
            forget(first.id)
        }
    }

    private static func key(_ topic: TopicName, _ payload: ByteBuffer) -> Int {
        var hasher = Hasher()
        hasher.combine(topic)
        hasher.combine(payload)
        return hasher.finalize()
    }
}
