internal import NIOCore
internal import Pipeline
internal import Sensing
internal import Units

/// A report that waits for the clock to be set, as it is kept on disk: its times are milliseconds since the start of the
/// board that `boot` names.
struct HeldReport: Hashable {
    var boot: String
    var report: Report

    init(boot: String, report: Report) {
        self.boot = boot
        self.report = report
    }

    var text: String {
        var members = [JSON.Member("boot", .string(boot))]
        switch report {
        case .readings(let readings): members.append(JSON.Member("readings", .array(readings.map(Self.json))))
        case .failure(let sensor, let channel, let reason, let time):
            members.append(JSON.Member("failed", .string(sensor)))
            if let channel { members.append(JSON.Member("channel", .string(channel))) }
            members += [
                JSON.Member("reason", .string(reason)),
                JSON.Member("time", .integer(time.milliseconds)),
            ]
        case .alarm(let alarm): members.append(JSON.Member("alarm", Self.json(alarm)))
        }
        return JSON.object(members).text
    }

    /// Nil for what an agent of this version has not written.
    init?(_ payload: ByteBuffer) {
        guard let json = try? JSONReader.value(Array(payload.readableBytesView)[...]), let boot = json["boot"]?.string
        else { return nil }
        self.boot = boot
        if let readings = json["readings"]?.array {
            let read = readings.compactMap(Self.reading)
            guard !read.isEmpty else { return nil }
            report = .readings(read)
        } else if let sensor = json["failed"]?.string, let time = Self.time(json["time"]) {
            report =
                .failure(
                    sensor: sensor, channel: json["channel"]?.string, reason: json["reason"]?.string ?? "", time: time)
        } else if let alarm = json["alarm"].flatMap(Self.alarm) {
            report = .alarm(alarm)
        } else {
            return nil
        }
    }

    // MARK: Readings

    private static func json(_ reading: Reading) -> JSON {
        var members = [JSON.Member("sensor", .string(reading.sensor))]
        if let channel = reading.channel { members.append(JSON.Member("channel", .string(channel))) }
        members.append(JSON.Member("value", json(reading.value)))
        if let unit = reading.unit { members.append(JSON.Member("unit", .string(unit))) }
        members.append(JSON.Member("time", .integer(reading.time.milliseconds)))
        switch reading.quality {
        case .good: break
        case .stale(let reason), .undated(let reason): members.append(JSON.Member("stale", .string(reason)))
        case .outOfRange(let reason): members.append(JSON.Member("range", .string(reason)))
        }
        return .object(members)
    }

    private static func reading(_ json: JSON) -> Reading? {
        guard let sensor = json["sensor"]?.string, let value = json["value"].flatMap(value),
            let time = time(json["time"])
        else { return nil }
        let quality: Quality =
            json["stale"]?.string.map { .stale($0) } ?? json["range"]?.string.map { .outOfRange($0) } ?? .good
        return Reading(
            sensor: sensor, channel: json["channel"]?.string, value: value, unit: json["unit"]?.string, time: time,
            quality: quality)
    }

    private static func json(_ value: Reading.Value) -> JSON {
        switch value {
        case .number(let number): .number(number)
        case .boolean(let boolean): .boolean(boolean)
        case .text(let text): .string(text)
        }
    }

    private static func value(_ json: JSON) -> Reading.Value? {
        switch json {
        case .number(let number): .number(number)
        case .integer(let number): .number(Double(number))
        case .boolean(let boolean): .boolean(boolean)
        case .string(let text): .text(text)
        default: nil
        }
    }

    /// The life of a board, or a wall-clock time, fits into a double to the millisecond.
    private static func time(_ json: JSON?) -> Timestamp? {
        json?.number.flatMap { Int64(exactly: $0.rounded()) }.map(Timestamp.init(milliseconds:))
    }

    // MARK: Alarms

    private static func json(_ alarm: AlarmReport) -> JSON {
        var members = [
            JSON.Member("name", .string(alarm.alarm)), JSON.Member("sensor", .string(alarm.sensor)),
            JSON.Member("state", .string(alarm.state.rawValue)), JSON.Member("active", .boolean(alarm.isActive)),
            JSON.Member("severity", .string(alarm.severity.rawValue)),
            JSON.Member("time", .integer(alarm.time.milliseconds)),
        ]
        if let channel = alarm.channel { members.append(JSON.Member("channel", .string(channel))) }
        if let value = alarm.value { members.append(JSON.Member("value", json(value))) }
        if let unit = alarm.unit { members.append(JSON.Member("unit", .string(unit))) }
        if let raised = alarm.raisedAt { members.append(JSON.Member("raised", .integer(raised.milliseconds))) }
        if let by = alarm.acknowledgedBy { members.append(JSON.Member("by", .string(by))) }
        if alarm.isRetold { members.append(JSON.Member("retold", true)) }
        return .object(members)
    }

    private static func alarm(_ json: JSON) -> AlarmReport? {
        guard let name = json["name"]?.string, let sensor = json["sensor"]?.string,
            let state = json["state"]?.string.flatMap(AlarmState.init(rawValue:)),
            let isActive = json["active"]?.boolean,
            let severity = json["severity"]?.string.flatMap(AlarmSeverity.init(rawValue:)),
            let time = time(json["time"])
        else { return nil }
        var alarm = AlarmReport(
            alarm: name, sensor: sensor, channel: json["channel"]?.string, state: state, isActive: isActive,
            severity: severity, value: json["value"].flatMap(value), unit: json["unit"]?.string, time: time,
            raisedAt: Self.time(json["raised"]), acknowledgedBy: json["by"]?.string)
        alarm.isRetold = json["retold"]?.boolean ?? false
        return alarm
    }
}
