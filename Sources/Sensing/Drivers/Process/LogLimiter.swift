internal import Units

/// What a program writes on its standard error, on its way to the log: so many lines a minute, each of a bounded length
/// and without what could move a terminal's cursor. A value: time is a parameter.
struct LogLimiter: Sendable {
    static let linesPerMinute = 30
    static let lengthLimit = 300

    private var minuteBegan: ContinuousClock.Instant?
    private var lines = 0
    private var omitted = 0

    /// The lines to log in its place: none, itself, or itself behind a word on those that were left out.
    mutating func admit(_ line: String, at now: ContinuousClock.Instant) -> [String] {
        var result: [String] = []
        if minuteBegan.map({ $0.duration(to: now) >= .seconds(60) }) ?? true {
            if omitted > 0 { result.append("\(omitted) lines were left out") }
            minuteBegan = now
            lines = 0
            omitted = 0
        }
        guard lines < Self.linesPerMinute else {
            omitted += 1
            return result
        }
        lines += 1
        return result + [Self.printable(line)]
    }

    static func printable(_ line: String) -> String {
        var text = ""
        var count = 0
        for scalar in line.unicodeScalars {
            guard count < lengthLimit else { return text + "…" }
            count += 1
            if scalar == "\t" {
                text += " "
            } else if scalar.properties.generalCategory == .control {
                text += scalar.escaped(asASCII: true)
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

/// A sensor's way to the log.
struct Journal: Sendable {
    private let log: @Sendable (String) -> Void
    private var limiter = LogLimiter()

    init(_ context: DriverContext) { log = context.log }

    mutating func note(_ line: String) {
        for line in limiter.admit(line, at: .now) { log(line) }
    }
}
