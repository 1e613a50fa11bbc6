internal import MQTTServer
internal import MQTTWire
internal import NIOCore
internal import Units
internal import Uplink

/// When a device's message was accepted (T1), as it travels: in the user properties `time` and, when the clock was never
/// set (T2), `clock`.
///
/// The broker inside puts it there when it takes the message over, and keeps it with the message: what waits for a gateway
/// that was killed has the time from before.
struct AcceptanceTime: Sendable, Hashable {
    private static let time = "time"
    private static let clock = "clock"

    let time: Timestamp

    init(_ time: Timestamp) { self.time = time }

    /// - Returns: nil if nobody has said it, or in words of their own.
    init?(_ properties: Properties) {
        guard let time = properties.userProperty(Self.time).flatMap(Timestamp.init(iso8601:)) else { return nil }
        self.time = time
    }

    /// Unless there is one.
    func write(to properties: inout Properties) {
        guard properties.userProperty(Self.time) == nil else { return }
        properties.all.append(.userProperty(name: Self.time, value: time.iso8601))
        if !time.isPlausible { properties.all.append(.userProperty(name: Self.clock, value: "unsynced")) }
    }

    /// Puts the payload into an object, as readings of the plain profile are: JSON as it is, other text as a string, and
    /// what is no text as `base64`.
    func wrap(_ payload: ByteBuffer, _ properties: inout Properties) -> ByteBuffer {
        var members = [JSON.Member("time", .string(time.iso8601))]
        if !time.isPlausible { members.append(JSON.Member("clock", "unsynced")) }
        var wrapped = ByteBuffer(string: JSON.object(members).text)
        wrapped.moveWriterIndex(to: wrapped.writerIndex - 1)
        let bytes = payload.readableBytesView
        if let json = JSONText(bytes) {
            wrapped.writeString(#","value":"#)
            wrapped.writeBytes(json.compact)
        } else if let text = String(validating: bytes, as: UTF8.self) {
            wrapped.writeString(#","value":"# + JSON.string(text).text)
        } else {
            wrapped.writeString(#","base64":"# + JSON.string(Base64Text.encode(bytes)).text)
        }
        wrapped.writeString("}")
        properties.userProperties.removeAll { $0.name == Self.time || $0.name == Self.clock }
        properties.contentType = nil
        properties.payloadFormatIndicator = nil
        return wrapped
    }
}

/// RFC 4648 §4.
enum Base64Text {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var rest = bytes[...]
        while !rest.isEmpty {
            let group = rest.prefix(3)
            rest = rest.dropFirst(3)
            var bits = group.reduce(0) { $0 << 8 | UInt32($1) } << (8 * UInt32(3 - group.count))
            for place in 0..<4 {
                text.append(place <= group.count ? digits[Int(bits >> 18 & 63)] : UInt8(ascii: "="))
                bits <<= 6
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
