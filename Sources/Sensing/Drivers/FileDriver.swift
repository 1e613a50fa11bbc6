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
///
/// Failure modes: the file is missing or closed to us; its device does not answer (EIO, ETIMEDOUT), is off (ENODATA)
/// or not ready (EAGAIN); it is empty, longer than 64 KiB or no plain file; its text is not of the kind, or not what
/// the pattern describes. sysfs: Documentation/filesystems/sysfs.rst; /proc: `proc(5)`.
public struct FileDriver: SensorDriver {
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
        guard let path else { return nil }

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
        guard path.hasWildcard else { return [try measure(context.path(path), channel: nil)] }

        let matches = context.matches(path)
        let place = context.path(path)
        guard let first = matches.first else {
            throw SensorError(
                .missing, place, "matches no file", mend: "is the device connected, and its kernel driver loaded?")
        }
        guard all else {
            if matches.count == 1 { return [try measure(first, channel: nil)] }
            let some = matches.prefix(3).joined(separator: ", ") + (matches.count > 3 ? ", …" : "")
            throw SensorError(
                .ambiguous, place, "matches \(matches.count) files (\(some))",
                mend: "name one of them, or write all = true for a channel each")
        }
        guard matches.count <= Self.matchLimit else {
            throw SensorError(
                .ambiguous, place, "matches \(matches.count) files, more than \(Self.matchLimit)",
                mend: "narrow the path")
        }
        return try SensorError.collect(
            matches.map { match in
                Result { () throws(SensorError) in try measure(match, channel: channel(of: match)) }
            })
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
