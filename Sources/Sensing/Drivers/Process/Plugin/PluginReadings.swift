internal import Units

/// The readings of one of a plugin's messages: those that are, and what is wrong with the others.
struct PluginReadings: Sendable, Hashable {
    static let limit = 1000
    /// In bytes of UTF-8.
    static let nameLimit = 256
    static let textLimit = 16 * 1024

    var measured: [Measurement] = []
    /// The first trouble.
    private(set) var failure: SensorError?
    private var failures = 0
    private var failing: [String: String] = [:]

    /// A message's `readings`, or the message itself, if it has a `value` instead.
    init(_ message: JSON, place: String) {
        guard let readings = message["readings"] ?? (message["value"] == nil ? nil : .array([message])) else { return }
        guard case .array(let readings) = readings else {
            fail(SensorError(.malformed, place, "has no array of readings"))
            return
        }
        if readings.count > Self.limit {
            fail(SensorError(.lost, place, "gave \(readings.count) readings at once, more than \(Self.limit)"))
        }
        for reading in readings.prefix(Self.limit) {
            do throws(SensorError) {
                let measurement = try Self.measurement(reading, place: place)
                if let channel = measurement.channel { failing[channel] = nil }
                measured.append(measurement)
            } catch {
                var error = error
                error.channel = reading["channel"]?.string
                fail(error)
            }
        }
    }

    private mutating func fail(_ error: SensorError) {
        failure = failure ?? error
        failures += 1
        failing.merge(error.failing(in: error.channel)) { _, last in last }
    }

    /// As a read gives them: of each channel one, the last.
    mutating func keepLastOfEachChannel() {
        var seen: Set<String?> = []
        measured = measured.reversed().filter { seen.insert($0.channel).inserted }.reversed()
    }

    /// The readings, or the first trouble and the readings.
    func get() throws(SensorError) -> [Measurement] {
        guard var error = failure else { return measured }
        if failures > 1 { error.problem += " (and \(failures - 1) more readings fail)" }
        error.measured = measured
        error.failing = failing
        throw error
    }

    private static func measurement(_ reading: JSON, place: String) throws(SensorError) -> Measurement {
        let channel = try name("channel", of: reading, place: place)
        let place = channel.map { "\(place) channel \"\(LogLimiter.printable($0))\"" } ?? place
        let reason = reading["reason"]?.string.map(LogLimiter.printable)
        let value: Reading.Value
        switch reading["value"] {
        case .number(let number): value = .number(number)
        case .boolean(let boolean): value = .boolean(boolean)
        case .string(let text) where text.utf8.count <= textLimit: value = .text(text)
        case .string: throw SensorError(.malformed, place, "gave a text of more than \(textLimit) bytes")
        case .null: throw SensorError(.unavailable, place, "has no value: \(reason ?? "no reason given")")
        case let other: throw SensorError(.malformed, place, "gave \(other?.kind ?? "nothing") as its value")
        }
        let quality: Quality
        switch reading["quality"] ?? "good" {
        case "good": quality = .good
        case "stale": quality = .stale(reason ?? "no reason given")
        case "out of range": quality = .outOfRange(reason ?? "no reason given")
        default:
            throw SensorError(
                .malformed, place, "gave an unknown quality", mend: "possible are good, stale, out of range")
        }
        return Measurement(
            channel: channel, value, unit: try name("unit", of: reading, place: place),
            time: try time(reading["time"], place: place), quality: quality)
    }

    private static func name(_ member: String, of reading: JSON, place: String) throws(SensorError) -> String? {
        switch reading[member] ?? .null {
        case .null: return nil
        case .string(let text) where !text.isEmpty && text.utf8.count <= nameLimit: return text
        default: throw SensorError(.malformed, place, "gave a \(member) that is no text of 1 to \(nameLimit) bytes")
        }
    }

    /// Milliseconds since 1970, or ISO 8601 in UTC.
    private static func time(_ value: JSON?, place: String) throws(SensorError) -> Timestamp? {
        switch value ?? .null {
        case .null: return nil
        case .number(let number):
            if let count = Int64(exactly: number.rounded()), let time = Timestamp(reasonable: count) { return time }
        case .string(let text): if let time = Timestamp(iso8601: text) { return time }
        default: break
        }
        throw SensorError(
            .malformed, place, "gave a time that is none", mend: "write milliseconds, or as 2026-11-20T21:00:00Z")
    }
}
