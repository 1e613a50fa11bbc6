internal import Sensing
internal import Units

/// `report = { change = 2, percent = 5, silence = "15m" }`: only what is news is told.
///
/// News is a number that differs from the last told one by `change` or more, or by `percent` of that one or more, where
/// they are given, else by anything; another boolean or text; another kind of quality, another unit; and the first one
/// after a start without a state, and after a failure. After `silence`, the newest is told all the same.
struct ReportByException: Sendable {
    struct Options: Sendable, Hashable {
        var change: Double?
        var percent: Double?
        /// Milliseconds.
        var silence: Int64?
    }

    private struct Told: Sendable {
        var value: Reading.Value
        var quality: Quality
        var unit: String?
        var at: Timestamp
    }

    let options: Options
    private var told: Told?

    init(_ options: Options) { self.options = options }

    /// Whether the reading is news. It counts as told then.
    mutating func tells(_ reading: Reading, now: Timestamp) -> Bool {
        guard isNews(reading) || due.map({ $0 <= now }) ?? false else { return false }
        tell(reading, now: now)
        return true
    }

    mutating func tell(_ reading: Reading, now: Timestamp) {
        told = Told(value: reading.value, quality: reading.quality, unit: reading.unit, at: now)
    }

    /// When the silence is long enough.
    var due: Timestamp? {
        guard let told, let silence = options.silence else { return nil }
        return told.at.later(by: silence)
    }

    func isNews(_ reading: Reading) -> Bool {
        guard let told, told.quality.isSameKind(as: reading.quality), told.unit == reading.unit else { return true }
        guard case (.number(let last), .number(let value)) = (told.value, reading.value) else {
            return told.value != reading.value
        }
        if last == value { return false }
        if options.change == nil, options.percent == nil { return true }
        let difference = abs(value - last)
        if let change = options.change, difference >= change { return true }
        if let percent = options.percent, difference >= abs(last) * (percent / 100) { return true }
        return false
    }

    /// The clock went back to `now`.
    mutating func rebase(to now: Timestamp) {
        if let told, told.at > now { self.told?.at = now }
    }

    /// The next one is news, whatever it is.
    mutating func reset() { told = nil }

    var state: JSON? {
        guard let told, let value = told.value.stored else { return nil }
        return .members([
            "value": value, "quality": told.quality.stored, "unit": told.unit.map(JSON.string), "at": JSON(told.at),
        ])
    }

    mutating func restore(_ state: JSON?) {
        guard let state, let value = Reading.Value(state["value"]), let at = state["at"]?.time else { return }
        told = Told(value: value, quality: Quality(state["quality"]), unit: state["unit"]?.string, at: at)
    }
}
