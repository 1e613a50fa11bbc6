public import Settings
public import Units

/// `driver = "exec"`: what a program prints that is run now and then.
///
///     [[sensor]]
///     name = "gpu"
///     driver = "exec"
///     command = ["vcgencmd", "measure_temp"]
///     pattern = "temp=([0-9.]+)"
///     unit = "°C"
///     every = "1m"
///
///     [[sensor]]
///     name = "weather"
///     driver = "exec"
///     command = ["curl", "-s", "http://station.local/now.json"]
///     format = "json"
///     channels = { temperature = "main.temp", humidity = "main.humidity" }
///     units = { temperature = "°C", humidity = "%" }
///     every = "5m"
///     timeout = "20s"
///
/// Options:
/// - `command`, `environment`, `user`, `directory`, `memory` ("256MB"), `open_files`, `processes`: the program and what
///   it is allowed, see ``ProgramOptions``.
/// - `format`: "number" (default): the whole output is one; "json"; "influx": InfluxDB's line protocol; "key=value": lines
///   of that kind.
/// - `pattern`, for numbers: a POSIX extended regular expression; its first group (or all of it, if it has none) is the
///   number. `^` and `$` match at the ends of each line.
/// - `path`, for JSON: where to begin, as in "main.temp" or "list.0"; as a JSON pointer, as in "/+3.3V/in0_input", for
///   names that hold a point. Default: at the top. What stands there is the sensor's value; of an object or array all
///   values are, each a channel called after its way: "coretemp.temp1_input".
/// - `channels`, for JSON: a table of channels and each one's path from there, instead of all.
/// - `precision`, for line protocol: what its time stamps count, "ns" (default), "us", "ms" or "s".
/// - `unit`: goes with every value; `units`: a table of channels and theirs. Default none.
///
/// The program has no input and no terminal, and is not run by a shell. It may take as long as the sensor's `timeout` says,
/// less a fifth (at most a second) for its end: then it gets SIGTERM, and a moment later SIGKILL, as do all processes that
/// it started. What it leaves running when it ends is killed, too. What it writes on standard error goes to the agent's log.
///
/// Failure modes: it is not there, may not be run, ends with an exit code that is not 0 (the error tells its last line
/// on standard error), is killed, takes too long, prints more than 256 KiB, or what is not of the format; of several
/// lines or channels, the good ones are given. execve(2), setrlimit(2); RFC 8259; InfluxDB's line protocol reference.
public struct ExecDriver: SensorDriver {
    public static let name = "exec"

    private enum Format: String, CaseIterable {
        case number
        case json
        case influx
        case keyValue = "key=value"
    }

    private let context: DriverContext
    private let program: ProgramOptions
    private let patience: Patience
    private let format: Format
    private let pattern: ExtendedExpression?
    private let selection: JSONSelection
    private let precision: LineProtocol.Precision
    private let unit: String?
    private let units: [String: String]
    private var journal: Journal

    public init?(_ settings: SettingsReader, context: DriverContext) {
        let program = ProgramOptions(settings)
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
        patience = Patience(settings)

        for (key, owner) in [
            ("pattern", Format.number), ("path", .json), ("channels", .json), ("precision", .influx),
        ] where format != owner && settings.has(key) {
            settings.problem(
                at: key, message: "is for format = \"\(owner.rawValue)\" only",
                mend: "remove it, or write that format")
        }
        if format == .number, settings.has("units") {
            settings.problem(at: "units", message: "is for several channels", mend: "write unit = \"…\"")
        }
        guard let program else { return nil }
        self.program = program
        self.format = format
        self.selection = selection
        self.units = units
        self.context = context
        journal = Journal(context)
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let output = try ProgramRun.output(of: program, patience: patience, context: context, journal: &journal)
        do {
            return withUnits(try measurements(of: output))
        } catch {
            var error = error
            error.measured = withUnits(error.measured)
            throw error
        }
    }

    private func measurements(of output: [UInt8]) throws(SensorError) -> [Measurement] {
        let place = program.name
        switch format {
        case .number: return [Measurement(.number(try number(in: output)))]
        case .json:
            return try selection.measurements(of: json(output), from: place)
        case .influx:
            return try some(LineProtocol.measurements(of: output, precision: precision, from: place))
        case .keyValue:
            return try some(KeyValueLines.measurements(of: String(decoding: output, as: UTF8.self), from: place))
        }
    }

    /// The keys of a table of strings, each with the table's reader.
    private static func tables(_ key: String, _ settings: SettingsReader) -> [(key: String, table: SettingsReader)] {
        guard let entries = settings.dictionary(key), let table = settings.table(key) else { return [] }
        return entries.map { ($0.key, table) }
    }

    private func number(in output: [UInt8]) throws(SensorError) -> Double {
        var text = String(String(decoding: output, as: UTF8.self).trimmed)
        if let pattern {
            guard let match = pattern.firstMatch(in: text) else {
                throw SensorError(
                    .malformed, program.name, "printed \(KernelFile.quoted(text)), which the pattern does not match",
                    mend: "try the pattern with grep -E")
            }
            text = match
        }
        guard !text.isEmpty else { throw SensorError(.unavailable, program.name, "printed nothing") }
        guard let number = Double(text), number.isFinite else {
            throw SensorError(
                .malformed, program.name, "printed \(KernelFile.quoted(text)), which is not a finite number",
                mend: "pick the number with a pattern, or set format")
        }
        return number
    }

    private func json(_ output: [UInt8]) throws(SensorError) -> JSONValue {
        do {
            return try JSONReader.value(output[...])
        } catch {
            let text = KernelFile.quoted(String(String(decoding: output.prefix(200), as: UTF8.self).trimmed))
            throw SensorError(.malformed, program.name, "printed \(text), which \(error)")
        }
    }

    /// The good ones, or the first trouble and the good ones.
    private func some(_ channels: [Result<Measurement, SensorError>]) throws(SensorError) -> [Measurement] {
        guard !channels.isEmpty else { throw SensorError(.unavailable, program.name, "printed nothing") }
        let limit = JSONSelection.channelLimit
        guard channels.count <= limit else {
            throw SensorError(.malformed, program.name, "printed \(channels.count) values, more than \(limit)")
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
