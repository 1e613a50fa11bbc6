internal import MQTTWire
internal import NIOCore

/// An application message on its way through the broker; all queues that it waits in hold the same one.
final class RoutedMessage: Sendable {
    let message: ServerMessage
    /// The client identifier of who published it; nil: the server.
    let publisher: String?
    /// When it expires; nil: never.
    let deadline: NIODeadline?
    /// Bytes of topic, payload and properties, roughly: what limits count.
    let size: Int

    init(_ message: ServerMessage, publisher: String?, deadline: NIODeadline?) {
        self.message = message
        self.publisher = publisher
        self.deadline = deadline
        size = message.topic.string.utf8.count + message.payload.readableBytes + message.properties.weight + 64
    }

    convenience init(_ message: ServerMessage, publisher: String?, at now: NIODeadline) {
        // Counted from here on, so that what is left of it can be told to each receiver ([MQTT-3.3.2-6]).
        let expiry = message.properties.messageExpiryInterval
        self.init(message, publisher: publisher, deadline: expiry.map { now + .seconds(Int64($0)) })
    }

    func isExpired(at now: NIODeadline) -> Bool { deadline.map { $0 <= now } ?? false }
}

extension Properties {
    /// Bytes in memory, roughly.
    fileprivate var weight: Int {
        all.reduce(0) { sum, property in
            switch property {
            case .userProperty(let name, let value): sum + 48 + name.utf8.count + value.utf8.count
            case .correlationData(let bytes): sum + 48 + bytes.readableBytes
            case .contentType(let text): sum + 48 + text.utf8.count
            case .responseTopic(let topic): sum + 48 + topic.string.utf8.count
            default: sum + 48
            }
        }
    }
}
