public import Settings
public import Units

/// `driver = "file"`: any value that the kernel shows as a text file in /sys or /proc.
///
///     [[sensor]]
///     name = "memory"
///     driver = "file"
///     path = "/proc/meminfo"
///     pattern = "^MemAvailable: +([0-9]+) kB"
///     scale = 0.001024
///     unit = "MB"
///
/// Options:
/// - `path`: an absolute path; may hold the wildcards of `glob(7)`: `*`, `?`, `[…]`. One match is wanted.
/// - `all = true`: any number of matches (up to 256), a channel each, called after the path's components that hold
///   the wildcards: `/sys/class/net/*/statistics/rx_bytes` gives "eth0", "wlan0"; several are joined by ".".
/// - `pattern`: a POSIX extended regular expression; its first group (or all of it, if it has none) is the value.
///   `^` and `$` match at the ends of each line.
/// - `kind`: "number" (default), "boolean" (default if `on` or `off` is given) or "text".
/// - `scale`, `offset`: the value is `number * scale + offset`; defaults 1 and 0.
/// - `unit`: goes with the value as it is; default none.
/// - `on`, `off`: the texts that mean true and false, upper or lower case. With only one of them given every other
///   text means the opposite; with both, or neither, any other text is an error. Defaults: 1, y, yes, on, true, high,
///   up, enabled; 0, n, no, off, false, low, down, disabled.
/// - `writable = true`: the file may be set, from the value backwards: a number becomes `(value - offset) / scale`, true
///   and false become the first of `on` and `off`, or 1 and 0. Wants one file, not `all`.
/// - `safe` (only if it is writable): what is written when the agent stops; default nothing.
///
/// Failure modes: the file is missing or closed to us; its device does not answer (EIO, ETIMEDOUT), is off (ENODATA)
/// or not ready (EAGAIN); it is empty, longer than 64 KiB or no plain file; its text is not of the kind, or not what
/// the pattern describes. sysfs: Documentation/filesystems/sysfs.rst; /proc: `proc(5)`.
public struct FileDriver: OutputDriver {
    public static let name = "file"

    private enum Conversion {
        case number(LinearScale)
        case boolean(on: [String]?, off: [String]?)
        case text
    }

    private enum Kind: String, CaseIterable { case number, boolean, text }

    private static let onByDefault = ["1", "y", "yes", "on", "true", "high", "up", "enabled"]
    private static let offByDefault = ["0", "n", "no", "off", "false", "low", "down", "disabled"]
    private static let matchLimit = 256

    private let context: DriverContext
    private let path: String
    private let all: Bool
    private let pattern: ExtendedExpression?
    private let conversion: Conversion
    private let unit: String?
    private let isWritable: Bool
    private let safe: Reading.Value?

    public init?(_ settings: SettingsReader, context: DriverContext) {
        let path = settings.requiredString("path")
        let all = settings.boolean("all") ?? false
        let pattern = settings.parsed("pattern", ExtendedExpression.init)
        let unit = settings.string("unit")
        let scale = settings.number("scale")
        let offset = settings.number("offset")
        let on = settings.strings("on")?.map { $0.lowercased() }
        let off = settings.strings("off")?.map { $0.lowercased() }
        let kind = settings.choice("kind", of: Kind.self) ?? (on == nil && off == nil ? .number : .boolean)
        let isWritable = settings.boolean("writable") ?? false
        let safe: Reading.Value? =
            switch kind {
            case .number: settings.number("safe").map(Reading.Value.number)
            case .boolean: settings.boolean("safe").map(Reading.Value.boolean)
            case .text: settings.string("safe").map(Reading.Value.text)
            }

        if let path, !path.hasPrefix("/") {
            settings.problem(at: "path", message: "\"\(path)\" is not absolute", mend: "begin it with /")
        }
        if let path, all, !path.hasWildcard {
            settings.problem(
                at: "all", message: "needs a path with a wildcard",
                mend: "write one like \"/sys/class/net/*/statistics/rx_bytes\"")
        }
        if scale == 0 { settings.problem(at: "scale", message: "0 would make every value the same") }
        if kind != .number {
            for key in ["scale", "offset"] where settings.has(key) {
                settings.problem(at: key, message: "is for numbers only", mend: "remove it, or write kind = \"number\"")
            }
        }
        if kind != .boolean {
            for key in ["on", "off"] where settings.has(key) {
                settings.problem(
                    at: key, message: "is for booleans only", mend: "remove it, or write kind = \"boolean\"")
            }
        }
        if let both = on?.first(where: { off?.contains($0) ?? false }) {
            settings.problem(at: "off", message: "\"\(both)\" stands in \"on\" too", mend: "keep it in one of them")
        }
        if isWritable, all {
            settings.problem(
                at: "writable", message: "is for one file", mend: "remove \"all\", or write a sensor for each")
        }
        if settings.has("safe"), !isWritable {
            settings.problem(at: "safe", message: "is for what may be set", mend: "write writable = true, or remove it")
        }
        guard let path else { return nil }

        self.isWritable = isWritable
        self.safe = safe
        self.context = context
        self.path = path
        self.all = all
        self.pattern = pattern
        self.unit = unit
        conversion =
            switch kind {
            case .number: .number(LinearScale(factor: scale ?? 1, offset: offset ?? 0))
            case .boolean where on == nil && off == nil: .boolean(on: Self.onByDefault, off: Self.offByDefault)
            case .boolean: .boolean(on: on, off: off)
            case .text: .text
            }
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        guard all else { return [try measure(try onlyFile(), channel: nil)] }
        let matches = context.matches(path)
        let place = context.path(path)
        guard !matches.isEmpty else { throw noMatch }
        guard matches.count <= Self.matchLimit else {
            throw SensorError(
                .ambiguous, place, "matches \(matches.count) files, more than \(Self.matchLimit)",
                mend: "narrow the path")
        }
        return try SensorError.collect(
            matches.map { match in
                Result { () throws(SensorError) in try measure(match, channel: channel(of: match)) }.of(
                    channel(of: match))
            })
    }

    public var isSettable: Bool { isWritable }

    public mutating func set(
        _ value: Reading.Value, channel: String?, at now: Timestamp
    ) throws(SensorError) -> [Measurement] {
        let file = try write(value, channel: channel)
        // What can only be written says nothing of itself.
        return [(try? measure(file, channel: nil)) ?? Measurement(value, unit: unit)]
    }

    public mutating func makeSafe(at now: Timestamp) throws(SensorError) {
        if let safe { _ = try write(safe, channel: nil) }
    }

    /// - Returns: the file that was written.
    private func write(_ value: Reading.Value, channel: String?) throws(SensorError) -> String {
        guard isWritable else {
            throw SensorError(
                .rejected, context.path(path), "is not to be set", mend: "write writable = true to allow it")
        }
        guard channel == nil else {
            throw SensorError(.rejected, context.path(path), "has no channels", mend: "set it without one")
        }
        let text: String
        switch (conversion, value) {
        case (.number(let scale), .number(let number)): text = Self.plain(scale.inverse(number).roundedToTwelveDigits)
        case (.boolean(let on, let off), .boolean(let isOn)):
            // The words that are understood by default begin with those that every attribute takes.
            guard let word = (isOn ? on : off)?.first else {
                throw SensorError(
                    .rejected, context.path(path), "has no word for \(isOn)",
                    mend: "name it with \(isOn ? "on" : "off")")
            }
            text = word
        case (.text, .text(let words)): text = words
        default:
            throw SensorError(.rejected, context.path(path), "takes another kind of value", mend: "see its kind")
        }
        let file = try onlyFile()
        try KernelFile.write(text, to: file)
        return file
    }

    /// Whole numbers without a point.
    private static func plain(_ number: Double) -> String { Int64(exactly: number).map(String.init) ?? "\(number)" }

    private func onlyFile() throws(SensorError) -> String {
        guard path.hasWildcard else { return context.path(path) }
        let matches = context.matches(path)
        switch matches.count {
        case 0: throw noMatch
        case 1: return matches[0]
        default:
            let some = matches.prefix(3).joined(separator: ", ") + (matches.count > 3 ? ", …" : "")
            throw SensorError(
                .ambiguous, context.path(path), "matches \(matches.count) files (\(some))",
                mend: "name one of them, or write all = true for a channel each")
        }
    }

    private var noMatch: SensorError {
        SensorError(
            .missing, context.path(path), "matches no file",
            mend: "is the device connected, and its kernel driver loaded?")
    }

    /// What the wildcards matched.
    private func channel(of match: String) -> String {
        let actual = match.split(separator: "/")
        let pattern = path.split(separator: "/")
        return zip(pattern, actual.suffix(pattern.count)).filter { $0.0.hasWildcard }.map(\.1)
            .joined(separator: ".")
    }

    private func measure(_ path: String, channel: String?) throws(SensorError) -> Measurement {
        Measurement(channel: channel, try value(KernelFile.text(path), from: path), unit: unit)
    }

    private func value(_ content: String, from path: String) throws(SensorError) -> Reading.Value {
        var text = content
        if let pattern {
            guard let match = pattern.firstMatch(in: content) else {
                throw SensorError(
                    .malformed, path, "says \(KernelFile.quoted(content)), which the pattern does not match",
                    mend: "try the pattern with grep -E")
            }
            text = match
        }
        switch conversion {
        case .number(let scale):
            let number = scale(try KernelFile.number(text, from: path))
            guard number.isFinite else {
                throw SensorError(.malformed, path, "says \(text), which scaled is not a finite number")
            }
            return .number(number)
        case .boolean(let on, let off):
            let word = text.lowercased()
            if let on, on.contains(word) { return .boolean(true) }
            if let off, off.contains(word) { return .boolean(false) }
            if on == nil { return .boolean(true) }
            if off == nil { return .boolean(false) }
            throw SensorError(
                .malformed, path, "says \(KernelFile.quoted(text)), which means neither on nor off",
                mend: "say with on = [\"…\"] and off = [\"…\"] what its texts mean")
        case .text:
            return .text(text)
        }
    }
}
