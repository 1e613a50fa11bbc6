public import Settings
internal import Units

/// What becomes of a sensor's values before anybody is told of them.
///
///     [[sensor]]
///     name = "level"
///     driver = "iio"
///     …
///     convert = "mm"
///     range = [0, 4000]
///     median = 5
///     report = { change = 5, silence = "15m" }
///
/// They apply in this order, whatever the order of the lines, and to each of a sensor's channels by itself:
///
/// 1. `scale`, `offset`: a number becomes `number * scale + offset`. Where the driver has these keys too, they are its.
/// 2. `convert`: to another unit of the same dimension; an array of units where a sensor's channels have several
///    dimensions. A channel of another dimension stays as it is; a value that is the sensor's only one, and is of another
///    dimension or without a unit, is marked as out of range, so that no alarm takes °C for °F.
/// 3. The offset by which somebody calibrated the sensor while it ran, in the unit that step 2 leaves.
/// 4. `range = [0, 400]`: what is outside is implausible, and marked as out of range; or left out, with
///    `implausible = "drop"`. What is not good, by the range or by the driver's word, passes the next three by.
/// 5. `median = 5`: the middle one of the last so many numbers; odd, 3 to 99.
/// 6. `average = 10`, `average = "1m"`: the mean of the last 2 to 1000 numbers, or of those of so much time.
/// 7. `rate = "1m"`: how much the number changes in that time, 1 s to 30 days; with `counter = true` one that went back
///    has begun anew, and did not shrink. What is not good, and so no rate, is told as a failure is, which raises no alarm.
/// 8. `settle = "500ms"`: a boolean counts when it has lasted so long, 1 ms to a day.
///
/// Alarms and derived sensors see what has come so far. Uplinks are told what these leave of it:
///
/// 9. `window = { every = "1m", values = ["min", "max", "mean", "last", "count"], empty = false }`: what became of each
///    minute of the wall clock (UTC); 1 s to 30 days. Channels are named "min", or "humidity.min".
/// 10. `report = { change = 2, percent = 5, silence = "15m" }`: only what changed by so much, or by so many percent of the
///    last told value; without either, by anything. All the same when so much time (1 s to 30 days) has passed. Of a
///    window all is told if one of its values is news; its count is none.
public struct FilterSettings: Sendable, Hashable {
    var scale = LinearScale()
    var convert: [MeasurementUnit] = []
    var range: ClosedRange<Double>?
    var dropsImplausible = false
    var median: Int?
    var average: MovingAverage.Span?
    var rate: RateOfChange.Options?
    /// Milliseconds.
    var settle: Int64?
    var window: Window.Options?
    var report: ReportByException.Options?

    /// No filters: every value is told as it is.
    public init() {}

    private static let long = Duration.seconds(30 * 86400)

    /// Reads the filters' keys of a `[[sensor]]` table. To be called when the driver, or ``DerivedSensor``, has
    /// read its own. Nil after a problem.
    public init?(_ settings: SettingsReader) {
        let errors = settings.problems.errors.count
        if !settings.isAsked("scale") {
            scale.factor = settings.number("scale") ?? 1
            if scale.factor == 0 { settings.problem(at: "scale", message: "0 would make every value the same") }
        }
        if !settings.isAsked("offset") { scale.offset = settings.number("offset") ?? 0 }
        readConvert(settings)
        readRange(settings)
        median = settings.integer("median", in: MovingMedian.lengths)
        if let median, median.isMultiple(of: 2) {
            settings.problem(
                at: "median", message: "\(median) values have no middle one",
                mend: "write \(median - 1) or \(median + 1)")
        }
        if settings.isInteger("average") {
            average = settings.integer("average", in: MovingAverage.counts).map { .count($0) }
        } else {
            average = settings.duration("average", in: .milliseconds(10)...Self.long).map { .time($0.milliseconds) }
        }
        rate = settings.duration("rate", in: .seconds(1)...Self.long).map {
            RateOfChange.Options(per: $0.milliseconds, isCounter: false)
        }
        let isCounter = settings.boolean("counter")
        rate?.isCounter = isCounter ?? false
        if isCounter != nil, !settings.has("rate") {
            settings.problem(at: "counter", message: "is for a rate of change", mend: #"add rate = "1m""#)
        }
        settle = settings.duration("settle", in: .milliseconds(1) ... .seconds(86400))?.milliseconds
        if let window = settings.table("window") { readWindow(window) }
        if let report = settings.table("report") { readReport(report) }
        if settings.problems.errors.count > errors { return nil }
    }

    private mutating func readConvert(_ settings: SettingsReader) {
        convert = settings.parsedAll("convert", MeasurementUnit.init(parsing:)) ?? []
        for (index, unit) in convert.enumerated() {
            if let other = convert[..<index].first(where: { $0.dimension == unit.dimension }) {
                settings.problem(
                    at: "convert",
                    message: "\"\(other.name)\" and \"\(unit.name)\" are both units of \(unit.dimension)",
                    mend: "keep one of them")
            }
        }
        // Most units are known only when the sensor is read; one that the table names is known now.
        guard !convert.isEmpty, settings.isAsked("unit"), let name = settings.string("unit") else { return }
        if let unit = MeasurementUnit.named(name), convert.contains(where: { $0.dimension == unit.dimension }) {
            return
        }
        settings.problem(at: "convert", message: MeasurementUnit.refusal(of: name, convert))
    }

    private mutating func readRange(_ settings: SettingsReader) {
        if let numbers = settings.numbers("range") {
            if numbers.count == 2, numbers[0] < numbers[1] {
                range = numbers[0]...numbers[1]
            } else {
                settings.problem(
                    at: "range", message: "is not a lower and an upper end", mend: "write them as in [0, 400]")
            }
        }
        let dropped: Bool? = settings.choice("implausible", of: ["mark": false, "drop": true])
        dropsImplausible = dropped ?? false
        if dropped != nil, !settings.has("range") {
            settings.problem(
                at: "implausible", message: "nothing says what is plausible", mend: "add range = [lowest, highest]")
        }
    }

    private mutating func readWindow(_ table: SettingsReader) {
        table.require("every", mend: #"write it as in { every = "1m", values = ["mean"] }"#)
        let every = table.duration("every", in: .seconds(1)...Self.long)
        let words = Window.Value.allCases.map(\.rawValue)
        table.require("values", mend: "possible are \(words.joined(separator: ", "))")
        let values = table.parsedAll("values") { text throws(InvalidText) in
            guard let value = Window.Value(rawValue: text) else {
                throw InvalidText("\"\(text)\" is not possible", mend: words.suggest(for: text))
            }
            return value
        }
        if values?.isEmpty == true {
            table.problem(at: "values", message: "is empty", mend: "possible are \(words.joined(separator: ", "))")
        }
        let tellsEmpty = table.boolean("empty") ?? false
        guard let every, var values else { return }
        var seen: Set<Window.Value> = []
        values.removeAll { !seen.insert($0).inserted }
        if tellsEmpty, !values.contains(.count) {
            table.problem(
                at: "empty", message: "an empty window has a count only", mend: #"add "count" to its values"#)
        }
        window = Window.Options(every: every.milliseconds, values: values, tellsEmpty: tellsEmpty)
    }

    private mutating func readReport(_ table: SettingsReader) {
        report = ReportByException.Options(
            change: table.number("change", in: 0...), percent: table.number("percent", in: 0...),
            silence: table.duration("silence", in: .seconds(1)...Self.long)?.milliseconds)
    }

    /// Whether values go through as they are.
    var isEmpty: Bool { self == FilterSettings() }

    /// What values are of which kind by; buffers from before a change of it are of no use. Not a hash of the standard
    /// library's, which is another one in each process.
    var fingerprint: String {
        let range = range.map { "\($0.lowerBound)…\($0.upperBound)" } ?? ""
        let rate = rate.map { "\($0.per) \($0.isCounter)" } ?? ""
        let average =
            switch average {
            case .count(let count)?: "\(count)"
            case .time(let time)?: "\(time)ms"
            case nil: ""
            }
        return "\(scale.factor) \(scale.offset) \(convert.map(\.name)) \(range) \(median ?? 0) \(average) \(rate)"
    }
}

extension FilterSettings {
    /// The longest time between two reports of a sensor that is well; nil where there is none.
    ///
    /// - Parameter every: how often it is read; nil: when it likes.
    public func longestSilence(every: Duration?) -> Duration? {
        if let report { return report.silence.map { .milliseconds($0) } }
        if let window { return .milliseconds(window.every) }
        return every
    }
}
