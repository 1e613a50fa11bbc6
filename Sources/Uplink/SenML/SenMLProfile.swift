public import MQTT
internal import MQTTWire
internal import NIOCore
public import Pipeline
internal import Sensing
public import Settings
internal import Units

/// Readings as Sensor Measurement Lists (RFC 8428), one pack for what was taken together:
///
///     fieldpost/shed-3/senml   [{"bn":"shed-3/","bt":1795208400.123,"n":"climate/temperature","u":"Cel","v":21.4},
///                               {"n":"climate/humidity","u":"%RH","v":48.2}]
///
/// Settings of the uplink:
///
///     encoding = "cbor"                      # or "json", which is the default
///     topic = "fieldpost/{device}/senml"     # the default; {sensor} may stand in it too
///     base_name = "urn:dev:ow:10e2073a01080063:"   # default: "{device}/"
///     qos = 1
///
/// Names are the sensor's and the channel's, with a slash between them; characters that SenML has no place for become
/// `_` (§4.5.1). Units are the registry's primary ones, and values are converted to them: hPa to Pa, mm to m, Wh to J, %
/// to a ratio (but %RH for what is called humidity). Times are absolute, exact to the millisecond.
///
/// **A board whose clock was never set** knows no time, and its seconds since 1970 would be read as seconds from now
/// (§4.5.3). Its records have none, which means "about now" to their reader, and beside them stands
/// `{"n":"clock","vs":"unsynced"}`: so that who keeps readings can tell those that came late from a backlog.
///
/// SenML has no word for quality. A value that is not simply good is followed by a text `NAME/quality`, and one with the
/// `NAME/reason`; a sensor, or a channel of one, that fails has these alone. An alarm's records
/// are named `alarm/NAME/…`: `state` and `severity`
/// as texts, `active` as a boolean, and, if it was one, the `value` that brought it about.
public struct SenMLProfile: Profile {
    public enum Encoding: String, Sendable, Hashable, CaseIterable {
        case json, cbor
    }

    public var device: String
    public var encoding: Encoding
    /// Its topic may have the places `{device}` and `{sensor}`; an alarm's sensor is the one that it watches.
    public var route: Route
    /// In front of all names.
    public var baseName: String

    /// `fieldpost/{device}/senml`
    public static let defaultTopic = "fieldpost/{device}/senml"

    /// - Parameter baseName: nil: the device's name and a slash.
    public init(device: String, encoding: Encoding = .json, route: Route, baseName: String? = nil) {
        self.device = device
        self.encoding = encoding
        self.route = route
        self.baseName = baseName ?? Self.deviceName(device) + "/"
    }

    /// Reads the keys of an uplink's table.
    /// - Returns: nil after a problem.
    public init?(_ settings: SettingsReader, device: String) {
        let encoding = settings.choice("encoding", of: Encoding.self)
        let baseName = settings.parsed("base_name") { text throws(InvalidText) in
            try Self.baseName(text, device: device)
        }
        let topic = settings.parsed("topic", Self.topic) ?? (try? Self.topic(Self.defaultTopic))
        let qos = settings.integer("qos", in: 0...2).flatMap { QoS(rawValue: UInt8($0)) } ?? .atLeastOnce
        guard let topic else { return nil }
        self.init(
            device: device, encoding: encoding ?? .json, route: Route(topic: topic, qos: qos), baseName: baseName)
    }

    private static func topic(_ text: String) throws(InvalidText) -> TopicTemplate {
        try TopicTemplate(parsing: text, allowed: [.device, .sensor])
    }

    /// - Throws: when the names that begin with it would be none.
    private static func baseName(_ text: String, device: String) throws(InvalidText) -> String {
        let name = text.replacing(each: "{device}", with: Self.deviceName(device))
        guard name.utf8.allSatisfy(Self.isAllowed) else {
            throw InvalidText(
                "\"\(text)\" has characters that no SenML name has",
                mend: "allowed are A-Z a-z 0-9 - : . / _ and {device}")
        }
        guard let first = name.utf8.first, Self.isLetterOrDigit(first) else {
            throw InvalidText(
                "\"\(text)\" begins no SenML name",
                mend: #"begin with a letter or a digit, as in "urn:dev:…:" or "{device}/""#)
        }
        return name
    }

    // MARK: Messages

    /// - Throws: ``TopicError`` when a sensor's name makes a topic that is too long.
    public func messages(for report: Report, sequence: Int64) throws -> [Message] {
        switch report {
        case .readings(let readings):
            guard let first = readings.first else { return [] }
            return [try message(pack(of: readings, first), sensor: first.sensor)]
        case .failure(let sensor, let channel, let reason, let time):
            let records = Self.quality("sensor error", reason, of: Self.name(sensor, channel))
            return [try message(pack(records, at: time), sensor: sensor)]
        case .alarm(let alarm):
            var message = try message(pack(records(of: alarm), at: alarm.time), sensor: alarm.sensor)
            message.priority = .high
            return [message]
        }
    }

    private func pack(of readings: [Reading], _ first: Reading) -> SenMLPack {
        // One that knows no time takes it from all.
        let isTimed = readings.allSatisfy(\.time.isPlausible)
        let records = readings.flatMap { reading in
            let name = Self.name(reading.sensor, reading.channel)
            let records =
                [Self.record(name, reading.value, reading.unit, of: reading.sensor, reading.channel)]
                + (reading.quality.reason.map { Self.quality(reading.quality.name, $0, of: name) } ?? [])
            return records.map { record in
                var record = record
                let (offset, overflow) = reading.time.milliseconds.subtractingReportingOverflow(first.time.milliseconds)
                record.offset = isTimed && !overflow ? offset : 0
                return record
            }
        }
        return pack(records, at: isTimed ? first.time : nil)
    }

    private func pack(_ records: [SenMLPack.Record], at time: Timestamp?) -> SenMLPack {
        guard let time, time.isPlausible else {
            let mark = SenMLPack.Record(name: "clock", value: .text("unsynced"))
            return SenMLPack(baseName: baseName, baseTime: nil, records: records + [mark])
        }
        return SenMLPack(baseName: baseName, baseTime: time, records: records)
    }

    private func records(of alarm: AlarmReport) -> [SenMLPack.Record] {
        let name = "alarm/\(Self.name(alarm.alarm))"
        var records = [
            SenMLPack.Record(name: "\(name)/state", value: .text(alarm.state.rawValue)),
            SenMLPack.Record(name: "\(name)/active", value: .boolean(alarm.isActive)),
            SenMLPack.Record(name: "\(name)/severity", value: .text(alarm.severity.rawValue)),
        ]
        if let value = alarm.value {
            records.append(Self.record("\(name)/value", value, alarm.unit, of: alarm.sensor, alarm.channel))
        }
        if let person = alarm.acknowledgedBy {
            records.append(SenMLPack.Record(name: "\(name)/by", value: .text(person)))
        }
        return records
    }

    private static func record(
        _ name: String, _ value: Reading.Value, _ unit: String?, of sensor: String, _ channel: String?
    ) -> SenMLPack.Record {
        switch value {
        case .boolean(let boolean): return SenMLPack.Record(name: name, value: .boolean(boolean))
        case .text(let text): return SenMLPack.Record(name: name, value: .text(text))
        case .number(let number):
            let unit = unit.flatMap { SenMLUnit($0, sensor: sensor, channel: channel) }
            let converted = unit?.value(number) ?? Reading.Value.rounded(number)
            return SenMLPack.Record(name: name, unit: unit?.symbol, value: .number(converted))
        }
    }

    private static func quality(_ quality: String, _ reason: String, of name: String) -> [SenMLPack.Record] {
        [
            SenMLPack.Record(name: "\(name)/quality", value: .text(quality)),
            SenMLPack.Record(name: "\(name)/reason", value: .text(reason)),
        ]
    }

    private func message(_ pack: SenMLPack, sensor: String) throws(TopicError) -> Message {
        let payload =
            switch encoding {
            case .json: ByteBuffer(string: pack.json)
            case .cbor: ByteBuffer(bytes: pack.cbor)
            }
        return Message(
            topic: try route.topic.topic(device: device, sensor: sensor), payload: payload, qos: route.qos,
            retain: route.retain, priority: route.priority, expiry: route.expiry)
    }

    // MARK: Names

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool { isLetterOrDigit(byte) || "-:./_".utf8.contains(byte) }

    /// What a name may begin with (§4.5.1).
    private static func deviceName(_ device: String) -> String {
        let name = name(device)
        return name.utf8.first.map(isLetterOrDigit) == true ? name : "d\(name)"
    }

    /// The name of a sensor's records, without the base name and the channel.
    public static func recordName(of sensor: String) -> String { name(sensor) }

    private static func name(_ sensor: String, _ channel: String?) -> String {
        ([sensor] + (channel.map { [$0] } ?? [])).map { name($0) }.joined(separator: "/")
    }

    /// `text` with what no name may hold replaced (§4.5.1).
    private static func name(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.isASCII && isAllowed(UInt8(ascii: $0)) && $0 != "/" ? $0 : "_" }))
    }
}
