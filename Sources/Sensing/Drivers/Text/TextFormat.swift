public import Settings
internal import Units

/// What a text holds that a program, a line or a message brings: the options of every driver that reads such, and how
/// values are found by them.
///
/// - `format`: "number" (default): the whole text is one; "boolean": it is "on", "true", "1", "yes" or "open", or one of
///   their opposites, in capitals or not; "text": it is taken as it is, without the white space around it; "json";
///   "influx": InfluxDB's line protocol; "key=value": lines of that kind.
/// - `pattern`, for the first three: a POSIX extended regular expression; its first group (or all of it, if it has none)
///   is the value. `^` and `$` match at the ends of each line.
/// - `path`, for JSON: where to begin, as in "main.temp" or "list.0"; as a JSON pointer, as in "/+3.3V/in0_input", for
///   names that hold a point. Default: at the top. What stands there is the sensor's value; of an object or array all
///   values are, each a channel called after its way: "coretemp.temp1_input".
/// - `channels`, for JSON: a table of channels and each one's path from there, instead of all.
/// - `precision`, for line protocol: what its time stamps count, "ns" (default), "us", "ms" or "s".
/// - `unit`: goes with every value; `units`: a table of channels and theirs. Default none.
///
/// RFC 8259, RFC 6901; InfluxDB's line protocol reference.
public struct TextFormat: Sendable {
    private enum Format: String, CaseIterable {
        case number
        case boolean
        case text
        case json
        case influx
        case keyValue = "key=value"
    }

    private static let plain: [Format] = [.number, .boolean, .text]

    private let format: Format
    private let pattern: ExtendedExpression?
    private let selection: JSONSelection
    private let precision: LineProtocol.Precision
    private let unit: String?
    private let units: [String: String]

    /// Reads the options; what is wrong with them goes to `settings`.
    /// Whether what is read is one value without a channel of its own.
    public var isPlain: Bool { Self.plain.contains(format) }

    public init(_ settings: SettingsReader) {
        let format = settings.choice("format", of: Format.self) ?? .number
        pattern = settings.parsed("pattern", ExtendedExpression.init)
        var selection = JSONSelection()
        selection.path = settings.parsed("path", JSONSelection.Path.init(parsing:))
        for (channel, table) in Self.tables("channels", settings) {
            if let path = table.parsed(channel, JSONSelection.Path.init(parsing:)) {
                selection.channels.append((channel, path))
            }
        }
        precision = settings.choice("precision", of: LineProtocol.Precision.self) ?? .nanoseconds
        unit = settings.string("unit")
        var units: [String: String] = [:]
        for (channel, table) in Self.tables("units", settings) { units[channel] = table.string(channel) }
        for (key, owner) in [
            ("path", Format.json), ("channels", .json), ("precision", .influx),
        ] where format != owner && settings.has(key) {
            settings.problem(
                at: key, message: "is for format = \"\(owner.rawValue)\" only",
                mend: "remove it, or write that format")
        }
        if !Self.plain.contains(format), settings.has("pattern") {
            settings.problem(
                at: "pattern", message: "is for a single value",
                mend: "remove it; path or channels choose among several")
        }
        if Self.plain.contains(format), settings.has("units") {
            settings.problem(at: "units", message: "is for several channels", mend: "write unit = \"…\"")
        }
        self.format = format
        self.selection = selection
        self.units = units
    }

    /// The values in a text.
    ///
    /// - Parameter place: where it comes from, for errors: a program, a topic.
    /// - Throws: what is wrong with it; ``SensorError/measured`` holds what is not.
    public func measurements(of text: [UInt8], from place: String) throws(SensorError) -> [Measurement] {
        do {
            return withUnits(try all(of: text, place))
        } catch {
            var error = error
            error.measured = withUnits(error.measured)
            throw error
        }
    }

    private func all(of output: [UInt8], _ place: String) throws(SensorError) -> [Measurement] {
        switch format {
        case .number: return [Measurement(.number(try number(in: output, place)))]
        case .boolean: return [Measurement(.boolean(try boolean(in: output, place)))]
        case .text: return [Measurement(.text(try word(in: output, place)))]
        case .json:
            return try selection.measurements(of: json(output, place), from: place)
        case .influx:
            return try some(LineProtocol.measurements(of: output, precision: precision, from: place), place)
        case .keyValue:
            return try some(KeyValueLines.measurements(of: String(decoding: output, as: UTF8.self), from: place), place)
        }
    }

    /// The keys of a table of strings, each with the table's reader.
    private static func tables(_ key: String, _ settings: SettingsReader) -> [(key: String, table: SettingsReader)] {
        guard let entries = settings.dictionary(key), let table = settings.table(key) else { return [] }
        return entries.map { ($0.key, table) }
    }

    /// What the pattern picks.
    private func word(in output: [UInt8], _ place: String) throws(SensorError) -> String {
        let text = String(String(decoding: output, as: UTF8.self).trimmed)
        guard let pattern else { return text }
        guard let match = pattern.firstMatch(in: text) else {
            throw SensorError(
                .malformed, place, "said \(KernelFile.quoted(text)), which the pattern does not match",
                mend: "try the pattern with grep -E")
        }
        return match
    }

    private func number(in output: [UInt8], _ place: String) throws(SensorError) -> Double {
        let text = try word(in: output, place)
        guard !text.isEmpty else { throw SensorError(.unavailable, place, "said nothing") }
        guard let number = Double(text), number.isFinite else {
            throw SensorError(
                .malformed, place, "said \(KernelFile.quoted(text)), which is not a finite number",
                mend: "pick the number with a pattern, or set format")
        }
        return number
    }

    private func boolean(in output: [UInt8], _ place: String) throws(SensorError) -> Bool {
        let text = try word(in: output, place)
        switch text.lowercased() {
        case "on", "true", "1", "yes", "open": return true
        case "off", "false", "0", "no", "closed": return false
        case "": throw SensorError(.unavailable, place, "said nothing")
        default:
            throw SensorError(
                .malformed, place, "said \(KernelFile.quoted(text)), which is neither on nor off",
                mend: "pick the word with a pattern, or set format")
        }
    }

    private func json(_ output: [UInt8], _ place: String) throws(SensorError) -> JSON {
        do {
            return try JSONReader.value(output[...])
        } catch {
            let text = KernelFile.quoted(String(String(decoding: output.prefix(200), as: UTF8.self).trimmed))
            throw SensorError(.malformed, place, "said \(text), which \(error)")
        }
    }

    /// The good ones, or the first trouble and the good ones.
    private func some(
        _ channels: [Result<Measurement, SensorError>], _ place: String
    ) throws(SensorError) -> [Measurement] {
        guard !channels.isEmpty else { throw SensorError(.unavailable, place, "said nothing") }
        let limit = JSONSelection.channelLimit
        guard channels.count <= limit else {
            throw SensorError(.malformed, place, "said \(channels.count) values, more than \(limit)")
        }
        return try SensorError.collect(channels)
    }

    private func withUnits(_ measured: [Measurement]) -> [Measurement] {
        measured.map { measurement in
            var measurement = measurement
            measurement.unit = measurement.channel.flatMap { units[$0] } ?? unit
            return measurement
        }
    }
}
