internal import Sensing
internal import Units

/// `window = { every = "1m", values = ["min", "max", "mean"] }`: what became of all values of each minute of the wall
/// clock, told at its end.
///
/// Booleans have a mean too, the share of readings that are true; their minimum is whether all were, their maximum
/// whether any was. A text has only a last one, and counts. What is not good does not enter; where nothing else came,
/// the last of it stands for each value, with its quality. A reading that comes when its window is over counts in the
/// next. Windows in which nothing came are told only with `empty = true`, as a count of 0, and of several that were
/// passed over at once only one.
struct Window: Sendable {
    enum Value: String, Sendable, Hashable, CaseIterable { case min, max, mean, last, count }

    struct Options: Sendable, Hashable {
        /// Milliseconds.
        var every: Int64
        var values: [Value]
        var tellsEmpty: Bool
    }

    let options: Options
    private var start: Timestamp?
    /// The end of the last one that was told.
    private var closed: Timestamp?
    private var count = 0
    /// How many of the values are numbers or booleans.
    private var numbers = 0
    private var minimum = 0.0
    private var maximum = 0.0
    private var mean = 0.0
    /// The last good one, or the last bad one if there is no good one.
    private var last: Reading?

    init(_ options: Options) { self.options = options }

    /// When the window ends.
    var due: Timestamp? { start.map { $0.later(by: options.every) } }

    /// - Returns: the values of a window that was over, if this one is behind it.
    mutating func take(_ reading: Reading) -> [Reading] {
        var told: [Reading] = []
        if let start, isOutside(reading.time, start) { told = close() }
        if start == nil {
            start = reading.time.floored(to: options.every)
            if let closed, closed > reading.time, closed.elapsed(since: reading.time) <= options.every {
                start = closed
            }
        }
        add(reading)
        return told
    }

    mutating func advance(to now: Timestamp) -> [Reading] {
        guard let start, isOutside(now, start) else { return [] }
        let told = close()
        if options.tellsEmpty {
            self.start = now.floored(to: options.every)
            if self.last == nil { last = template }
        }
        return told
    }

    /// Behind it, or so much before it that the clock must have been set back.
    private func isOutside(_ time: Timestamp, _ start: Timestamp) -> Bool {
        time >= start.later(by: options.every) || time < start.later(by: -options.every)
    }

    /// Whose window it is, for those in which nothing comes.
    private var template: Reading?

    private mutating func add(_ reading: Reading) {
        template = reading
        template?.quality = .good
        guard reading.quality == .good else {
            if count == 0 { last = reading }
            return
        }
        count += 1
        last = reading
        let number: Double
        switch reading.value {
        case .number(let value): number = value
        case .boolean(let value): number = value ? 1 : 0
        case .text: return
        }
        numbers += 1
        minimum = numbers == 1 ? number : Swift.min(minimum, number)
        maximum = numbers == 1 ? number : Swift.max(maximum, number)
        // Halved, the difference of the two largest doubles is still one.
        mean += (number / 2 - mean / 2) / Double(numbers) * 2
    }

    private mutating func close() -> [Reading] {
        guard let start, let last else { return [] }
        let end = start.later(by: options.every)
        defer {
            closed = end
            self.start = nil
            self.last = nil
            (count, numbers, mean) = (0, 0, 0)
        }
        let isEmpty = count == 0 && last.quality == .good
        return options.values.compactMap { kind in
            if isEmpty, kind != .count { return nil }
            guard let value = value(kind, last) else { return nil }
            var reading = last
            reading.channel = last.channel.map { "\($0).\(kind.rawValue)" } ?? kind.rawValue
            reading.value = value
            reading.time = end
            if kind == .count {
                reading.unit = nil
                reading.quality = .good
            } else if kind == .mean, case .boolean = last.value {
                reading.unit = nil
            }
            return reading
        }
    }

    private func value(_ kind: Value, _ last: Reading) -> Reading.Value? {
        if kind == .count { return .number(Double(count)) }
        if kind == .last || count == 0 { return last.value }
        guard numbers > 0 else { return nil }
        let isBoolean = if case .boolean = last.value { true } else { false }
        return switch kind {
        case .min: isBoolean ? .boolean(minimum == 1) : .number(minimum)
        case .max: isBoolean ? .boolean(maximum == 1) : .number(maximum)
        default: .number(mean)
        }
    }

    var state: JSON? {
        .members([
            "start": start.map { JSON($0) }, "closed": closed.map { JSON($0) },
            "count": start.map { _ in .integer(Int64(count)) }, "numbers": start.map { _ in .integer(Int64(numbers)) },
            "min": start.map { _ in .number(minimum) }, "max": start.map { _ in .number(maximum) },
            "mean": start.map { _ in .number(mean) }, "last": last?.stored, "template": template?.stored,
        ])
    }

    mutating func restore(_ state: JSON?, sensor: String, channel: String?) {
        guard let state else { return }
        closed = state["closed"]?.time
        template = Reading(state["template"], sensor: sensor, channel: channel)
        guard let start = state["start"]?.time, start == start.floored(to: options.every),
            let count = state["count"]?.count, let numbers = state["numbers"]?.count, numbers <= count,
            let minimum = state["min"]?.finite, let maximum = state["max"]?.finite, let mean = state["mean"]?.finite,
            let last = Reading(state["last"], sensor: sensor, channel: channel)
        else { return }
        (self.start, self.count, self.numbers) = (start, count, numbers)
        (self.minimum, self.maximum, self.mean, self.last) = (minimum, maximum, mean, last)
    }
}
