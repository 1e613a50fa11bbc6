public import MQTT
internal import MQTTWire
internal import NIOCore

/// How a message that waited for its connection is told from one that did not.
public enum BacklogMark: String, Sendable, Hashable, CaseIterable {
    case none
    /// By the user property `backlog` with the value `true` (5.0 §3.3.2.3.7).
    case property
    /// By `"backlog":true` at the end of a payload that is a JSON object.
    case payload
    case both

    public func apply(to message: inout Message) {
        if self == .property || self == .both {
            message.properties.all.append(.userProperty(name: "backlog", value: "true"))
        }
        if self == .payload || self == .both { Self.mark(&message.payload) }
    }

    private static func mark(_ payload: inout ByteBuffer) {
        let bytes = payload.readableBytesView
        guard bytes.count > 2, bytes.first == UInt8(ascii: "{"), bytes.last == UInt8(ascii: "}") else { return }
        payload.moveWriterIndex(to: payload.writerIndex - 1)
        payload.writeString(#","backlog":true}"#)
    }
}
