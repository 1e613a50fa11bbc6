public import MQTT
public import MQTTWire
internal import NIOCore
public import Pipeline
public import Sensing
public import Units

/// Readings as small JSON objects, one message each:
///
///     fieldpost/bin-0427/fill   {"time":"2026-11-20T21:00:00.123Z","value":83.2,"unit":"%"}
///
/// or in the ``PlainFormat`` that their route names.
///
/// `channel` stands in the payload when the topic does not tell channels apart. `"clock":"unsynced"` marks a time
/// that the board cannot have known, because its clock was never set (T2). A value that is not simply good says so:
///
///     {"time":"…","value":4.1,"unit":"m","quality":"out of range","reason":"…"}
///
/// and a sensor, or a channel of one, that has begun to fail says, under its topic, that it has no value and why:
///
///     {"time":"…","value":null,"quality":"sensor error","reason":"/sys/… gave no answer from its device …"}
///
/// Alarms have a topic each, and are always JSON:
///
///     fieldpost/bin-0427/alarm/full   {"state":"raised","active":true,"severity":"warning","sensor":"fill","value":91.2,…}
public struct PlainProfile: Profile {
    public let device: String
    /// By sensor, how its readings travel.
    public var routes: [String: Route]
    /// For sensors that have none of their own.
    public var defaultRoute: Route
    public var alarmRoute: Route
    /// By alarm, what its owner wants to be told when it is raised.
    public var alarmMessages: [String: String]
    /// Where the board stands; an alarm tells it, so that a dispatcher knows where to send somebody.
    public var position: Position?

    public init(
        device: String, routes: [String: Route] = [:], defaultRoute: Route = Route(topic: .reading),
        alarmRoute: Route = .alarm, alarmMessages: [String: String] = [:], position: Position? = nil
    ) {
        self.device = device
        self.routes = routes
        self.defaultRoute = defaultRoute
        self.alarmRoute = alarmRoute
        self.alarmMessages = alarmMessages
        self.position = position
    }

    /// One message for each reading; none for a failure that its format cannot say.
    /// - Throws: ``TopicError`` when a name makes a topic that is too long.
    public func messages(for report: Report, sequence: Int64) throws -> [Message] {
        switch report {
        case .readings(let readings):
            try readings.enumerated().map { index, reading in
                try message(for: reading, by: route(of: reading.sensor), sequence: sequence + Int64(index))
            }
        case .failure(let sensor, let channel, let reason, let time):
            try failure(of: sensor, channel, reason: reason, at: time, by: route(of: sensor), sequence: sequence)
                .map { [$0] } ?? []
        case .alarm(let alarm): [try message(for: alarm, sequence: sequence)]
        }
    }

    private func route(of sensor: String) -> Route { routes[sensor] ?? defaultRoute }

    // MARK: Readings

    /// - Parameter sequence: the number that the queue gives the message.
    /// - Throws: ``TopicError`` when the sensor's names make a topic that is too long.
    public func message(for reading: Reading, by route: Route, sequence: Int64) throws(TopicError) -> Message {
        let text =
            switch route.format {
            case .json: JSON.object(members(of: reading, by: route, sequence)).text
            case .number: reading.value.plainText
            case .template(let template): template.text(for: reading, device: device)
            }
        return try message(text, reading.sensor, reading.channel, by: route)
    }

    private func members(of reading: Reading, by route: Route, _ sequence: Int64) -> [JSON.Member] {
        var members = Self.members(reading.time) + Self.channel(reading.channel, by: route)
        members.append(JSON.Member("value", reading.value.json))
        if let unit = reading.unit { members.append(JSON.Member("unit", .string(unit))) }
        if let reason = reading.quality.reason {
            members.append(JSON.Member("quality", .string(reading.quality.name)))
            members.append(JSON.Member("reason", .string(reason)))
        }
        return members + Self.sequence(sequence, by: route)
    }

    // MARK: Failures

    /// That a sensor has no value, as JSON whatever the route's format is.
    /// - Parameters:
    ///   - reason: why.
    ///   - sequence: the number that the queue gives the message.
    /// - Throws: ``TopicError`` when the sensor's name makes a topic that is too long.
    public func message(
        forFailureOf sensor: String, channel: String? = nil, reason: String, at time: Timestamp, by route: Route,
        sequence: Int64
    ) throws(TopicError) -> Message {
        let members =
            Self.members(time) + Self.channel(channel, by: route) + [
                JSON.Member("value", .null), JSON.Member("quality", .string(Self.failing)),
                JSON.Member("reason", .string(reason)),
            ]
        let text = JSON.object(members + Self.sequence(sequence, by: route)).text
        return try message(text, sensor, channel, by: route)
    }

    /// Who reads bare numbers would take an empty payload for one, and a broker for the wish to forget what it retains:
    /// so those are told nothing. The status names sensors that fail whatever their format is.
    private func failure(
        of sensor: String, _ channel: String?, reason: String, at time: Timestamp, by route: Route, sequence: Int64
    ) throws(TopicError) -> Message? {
        switch route.format {
        case .json:
            return try message(
                forFailureOf: sensor, channel: channel, reason: reason, at: time, by: route, sequence: sequence)
        case .number: return nil
        case .template(let template):
            guard
                let text = template.textForFailure(
                    of: sensor, channel: channel, at: time, device: device, quality: Self.failing)
            else { return nil }
            return try message(text, sensor, channel, by: route)
        }
    }

    private static let failing = "sensor error"

    // MARK: Alarms

    private func message(for alarm: AlarmReport, sequence: Int64) throws(TopicError) -> Message {
        var members = [
            JSON.Member("state", .string(alarm.state.rawValue)), JSON.Member("active", .boolean(alarm.isActive)),
            JSON.Member("severity", .string(alarm.severity.rawValue)), JSON.Member("sensor", .string(alarm.sensor)),
        ]
        func add(_ name: String, _ value: JSON?) {
            if let value { members.append(JSON.Member(name, value)) }
        }
        add("channel", alarm.channel.map(JSON.string))
        add("value", alarm.value?.json)
        add("unit", alarm.unit.map(JSON.string))
        members += Self.members(alarm.time)
        add("raised", alarm.raisedAt.map { .string($0.iso8601) })
        add("by", alarm.acknowledgedBy.map(JSON.string))
        add("message", alarmMessages[alarm.alarm].map(JSON.string))
        add("position", position.map { ["latitude": .number($0.latitude), "longitude": .number($0.longitude)] })
        members += Self.sequence(sequence, by: alarmRoute)
        let topic = try alarmRoute.topic.topic(device: device, sensor: alarm.sensor, alarm: alarm.alarm)
        return message(JSON.object(members).text, topic, by: alarmRoute)
    }

    // MARK: Parts

    private static func members(_ time: Timestamp) -> [JSON.Member] {
        let members = [JSON.Member("time", .string(time.iso8601))]
        return time.isPlausible ? members : members + [JSON.Member("clock", "unsynced")]
    }

    /// Nothing where the topic tells channels apart.
    private static func channel(_ channel: String?, by route: Route) -> [JSON.Member] {
        guard let channel, !route.topic.contains(.channel) else { return [] }
        return [JSON.Member("channel", .string(channel))]
    }

    private static func sequence(_ sequence: Int64, by route: Route) -> [JSON.Member] {
        route.includesSequence ? [JSON.Member("seq", .integer(sequence))] : []
    }

    private func message(
        _ text: String, _ sensor: String, _ channel: String?, by route: Route
    ) throws(TopicError) -> Message {
        message(text, try route.topic.topic(device: device, sensor: sensor, channel: channel), by: route)
    }

    private func message(_ text: String, _ topic: TopicName, by route: Route) -> Message {
        Message(
            topic: topic, payload: ByteBuffer(string: text), qos: route.qos, retain: route.retain,
            priority: route.priority, expiry: route.expiry)
    }
}
