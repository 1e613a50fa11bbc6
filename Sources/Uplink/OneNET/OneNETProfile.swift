public import MQTT
internal import MQTTWire
internal import NIOCore
public import Pipeline
internal import Sensing
internal import Units

/// Reports as OneNET wants them. In the thing model readings are property posts and alarms event posts:
///
///     $sys/123456/bin-0427/thing/property/post
///         {"id":"42","version":"1.0","params":{"fill":{"value":83.2,"time":1763672400123}}}
///     $sys/123456/bin-0427/thing/event/post
///         {"id":"43","version":"1.0","params":{"full":{"value":{"level":92,"state":"raised","severity":"warning"},"time":1763672400123}}}
///
/// those of a sub-device go out in a pack post that names it; in the model of data points each sensor and each alarm is
/// a stream:
///
///     $sys/123456/bin-0427/dp/post/json
///         {"id":42,"dp":{"fill":[{"v":83.2,"t":1763672400}]}}
///
/// An identifier is what the configuration has for the sensor or alarm, or its name, with the channel behind an
/// underscore. A time that the board cannot have known is left out, and the platform takes its own. A value that is not
/// simply good is not posted, and neither is a failure: the platform has no word for either, and would take the one
/// for good.
public struct OneNETProfile: Profile {
    let settings: OneNETSettings
    let topics: OneNETTopics
    private let owners: [String: OneNETSettings.SubDevice]

    public init(_ settings: OneNETSettings) {
        self.settings = settings
        topics = OneNETTopics(product: settings.credentials.product, device: settings.credentials.device)
        owners = settings.subDevices.reduce(into: [:]) { owners, device in
            for sensor in device.sensors { owners[sensor] = device }
        }
    }

    /// To whom a sensor belongs; nil: to the board itself.
    func owner(of sensor: String) -> OneNETSettings.SubDevice? { owners[sensor] }

    /// Under which property, data stream or event something is told: that of two sensors, or of two alarms, should not be
    /// the same. For a sub-device's it begins with the device.
    ///
    /// - Parameters:
    ///   - name: a sensor's or an alarm's.
    ///   - sensor: for an alarm, its sensor's.
    public func place(of name: String, alarmOf sensor: String? = nil) -> String {
        let identifier = identifier(name, nil)
        // Data streams are the board's, whatever they tell of.
        guard settings.model == .thing else { return identifier }
        let owner = owner(of: sensor ?? name).map { "\($0.product)/\($0.device)/" } ?? ""
        return "\(sensor == nil ? "" : "event ")\(owner)\(identifier)"
    }

    func identifier(_ sensor: String, _ channel: String?) -> String {
        guard let channel else { return settings.identifiers[sensor] ?? OneNETText.identifier(sensor) }
        return settings.identifiers["\(sensor)/\(channel)"]
            ?? "\(settings.identifiers[sensor] ?? OneNETText.identifier(sensor))_\(OneNETText.identifier(channel))"
    }

    public func messages(for report: Report, sequence: Int64) throws -> [Message] {
        switch report {
        case .failure: return []
        case .alarm(let alarm): return [try message(for: alarm, sequence)]
        case .readings(let readings):
            let groups = groups(of: readings.filter { $0.quality == .good })
            return try groups.enumerated().map { try message(for: $1, sequence + Int64($0)) }
        }
    }

    private struct Group {
        let owner: OneNETSettings.SubDevice?
        var values: [(identifier: String, reading: Reading)] = []
    }

    /// As few messages as can say it: one property has one value in a post, and one post is of one device. A stream takes
    /// any number of points.
    private func groups(of readings: [Reading]) -> [Group] {
        var groups: [Group] = []
        for reading in readings {
            let identifier = identifier(reading.sensor, reading.channel)
            let owner = owner(of: reading.sensor)
            let free = groups.firstIndex { group in
                group.owner == owner
                    && (settings.model == .dataPoints || !group.values.contains { $0.identifier == identifier })
            }
            if let free {
                groups[free].values.append((identifier, reading))
            } else {
                groups.append(Group(owner: owner, values: [(identifier, reading)]))
            }
        }
        return groups
    }

    private func message(for group: Group, _ sequence: Int64) throws -> Message {
        if settings.model == .dataPoints {
            var streams: [JSON.Member] = []
            for (identifier, reading) in group.values {
                let point = Self.point(reading.value.number, reading.time)
                if let index = streams.firstIndex(where: { $0.name == identifier }) {
                    streams[index].value = .array((streams[index].value.array ?? []) + [point])
                } else {
                    streams.append(JSON.Member(identifier, .array([point])))
                }
            }
            return try data(streams, sequence, .normal)
        }
        let values = group.values.map { identifier, reading in
            JSON.Member(identifier, Self.value(reading.value.json, reading.time))
        }
        return try post(values, events: false, of: group.owner, sequence, .normal)
    }

    private func message(for alarm: AlarmReport, _ sequence: Int64) throws -> Message {
        var members: [JSON.Member] = []
        // A member without a value is refused (2409).
        if let level = alarm.value { members.append(JSON.Member("level", level.json)) }
        members.append(JSON.Member("state", .string(alarm.state.rawValue)))
        members.append(JSON.Member("severity", .string(alarm.severity.rawValue)))
        let identifier = identifier(alarm.alarm, nil)
        if settings.model == .dataPoints {
            let point = Self.point(.object(members), alarm.time)
            return try data([JSON.Member(identifier, .array([point]))], sequence, .high)
        }
        return try post(
            [JSON.Member(identifier, Self.value(.object(members), alarm.time))], events: true,
            of: owner(of: alarm.sensor), sequence, .high)
    }

    private func post(
        _ members: [JSON.Member], events: Bool, of owner: OneNETSettings.SubDevice?, _ sequence: Int64,
        _ priority: Priority
    ) throws -> Message {
        guard let owner else {
            return try message(
                events ? OneNETTopics.eventPost : OneNETTopics.propertyPost,
                OneNETRequest.json(id: Self.thingID(sequence), .object(members)), priority)
        }
        let pack = JSON.object([
            JSON.Member("identity", OneNETRequest.identity(owner.product, owner.device)),
            JSON.Member(events ? "events" : "properties", .object(members)),
        ])
        return try message(
            OneNETTopics.packPost, OneNETRequest.json(id: Self.thingID(sequence), .array([pack])), priority)
    }

    private func data(_ streams: [JSON.Member], _ sequence: Int64, _ priority: Priority) throws -> Message {
        try message(
            OneNETTopics.dataPost,
            .object([JSON.Member("id", .integer(Self.dataID(sequence))), JSON.Member("dp", .object(streams))]), priority
        )
    }

    private func message(_ suffix: String, _ payload: JSON, _ priority: Priority) throws -> Message {
        Message(
            topic: try topics.topic(suffix), payload: ByteBuffer(string: payload.text), qos: settings.qos,
            priority: priority)
    }

    // MARK: Values

    /// Up to 13 digits; what the queue numbers is never so far apart while it waits for replies.
    static func thingID(_ sequence: Int64) -> String { String(max(sequence, 0) % 10_000_000_000_000) }

    /// From 1 to the largest signed number of 32 bits.
    static func dataID(_ sequence: Int64) -> Int64 { 1 + max(sequence - 1, 0) % Int64(Int32.max) }

    private static func value(_ value: JSON, _ time: Timestamp) -> JSON {
        let members = [JSON.Member("value", value)]
        return .object(time.isPlausible ? members + [JSON.Member("time", .integer(time.milliseconds))] : members)
    }

    private static func point(_ value: JSON, _ time: Timestamp) -> JSON {
        let members = [JSON.Member("v", value)]
        return .object(time.isPlausible ? members + [JSON.Member("t", .integer(time.milliseconds / 1000))] : members)
    }
}

extension Reading.Value {
    /// A data point's value is a number, a string or an object.
    fileprivate var number: JSON {
        if case .boolean(let value) = self { .integer(value ? 1 : 0) } else { json }
    }
}
