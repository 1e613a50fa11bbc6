public import MQTT
public import MQTTWire
internal import NIOCore
public import Sensing
public import Units

/// Readings as small JSON objects, one message each:
///
///     fieldpost/bin-0427/fill   {"time":"2026-11-20T21:00:00.123Z","value":83.2,"unit":"%"}
///
/// `channel` stands in the payload when the topic does not tell channels apart. `"clock":"unsynced"` marks a time
/// that the board cannot have known, because its clock was never set (T2). A value that is not simply good says so:
///
///     {"time":"…","value":4.1,"unit":"m","quality":"out of range","reason":"…"}
///
/// and a sensor that has begun to fail says, under its topic, that it has no value and why:
///
///     {"time":"…","value":null,"quality":"sensor error","reason":"/sys/… gave no answer from its device …"}
public struct PlainProfile: Sendable {
    public let device: String

    public init(device: String) { self.device = device }

    /// - Parameter sequence: the number that the queue gives the message.
    /// - Throws: ``TopicError`` when the sensor's names make a topic that is too long.
    public func message(for reading: Reading, by route: Route, sequence: Int64) throws(TopicError) -> Message {
        var members = Self.members(reading.time)
        if let channel = reading.channel, !route.topic.contains(.channel) {
            members.append(JSON.Member("channel", .string(channel)))
        }
        members.append(JSON.Member("value", reading.value.json))
        if let unit = reading.unit { members.append(JSON.Member("unit", .string(unit))) }
        if let reason = reading.quality.reason {
            members.append(JSON.Member("quality", .string(reading.quality.name)))
            members.append(JSON.Member("reason", .string(reason)))
        }
        return try message(members, reading.sensor, reading.channel, by: route, sequence: sequence)
    }

    /// That a sensor has no value.
    /// - Parameters:
    ///   - reason: why.
    ///   - sequence: the number that the queue gives the message.
    /// - Throws: ``TopicError`` when the sensor's name makes a topic that is too long.
    public func message(
        forFailureOf sensor: String, reason: String, at time: Timestamp, by route: Route, sequence: Int64
    ) throws(TopicError) -> Message {
        let members =
            Self.members(time) + [
                JSON.Member("value", .null), JSON.Member("quality", "sensor error"),
                JSON.Member("reason", .string(reason)),
            ]
        return try message(members, sensor, nil, by: route, sequence: sequence)
    }

    private static func members(_ time: Timestamp) -> [JSON.Member] {
        let members = [JSON.Member("time", .string(time.iso8601))]
        return time.isPlausible ? members : members + [JSON.Member("clock", "unsynced")]
    }

    private func message(
        _ members: [JSON.Member], _ sensor: String, _ channel: String?, by route: Route, sequence: Int64
    ) throws(TopicError) -> Message {
        let members = route.includesSequence ? members + [JSON.Member("seq", .integer(sequence))] : members
        return Message(
            topic: try route.topic.topic(device: device, sensor: sensor, channel: channel),
            payload: ByteBuffer(string: JSON.object(members).text), qos: route.qos, retain: route.retain,
            priority: route.priority, expiry: route.expiry)
    }
}

extension Reading.Value {
    /// As payloads say it.
    public var json: JSON {
        switch self {
        case .number(let number): .number(Self.rounded(number))
        case .boolean(let boolean): .boolean(boolean)
        case .text(let text): .string(text)
        }
    }

    /// Twelve significant digits: more than any sensor has, fewer than show that 0.001 is no binary fraction.
    static func rounded(_ value: Double) -> Double {
        guard value.isFinite, value != 0 else { return value }
        // The exponent in decimal, nearly: one digit more or less does not matter here.
        let digits = 11 - Int((Double(value.exponent) * 0.301_029_995_663_981_2).rounded(.down))
        guard (0...22).contains(digits) else { return value }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (value * scale).rounded()
        return scaled.magnitude < 9e15 ? scaled / scale : value
    }
}
