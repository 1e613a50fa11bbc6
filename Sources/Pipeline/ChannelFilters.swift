internal import Sensing
internal import Units

/// The filters of one channel of one sensor, with all that they remember.
struct ChannelFilters: Sendable {
    let sensor: String
    let channel: String?
    /// In the unit of the values that are told.
    var calibration = 0.0 { didSet { if calibration != oldValue { forgetNumbers() } } }
    /// The newest one that alarms saw in this run.
    private(set) var newest: Reading?
    /// Why there is no rate: its reading is not good, and has another unit. Nil while there is one, and before.
    private var refused: Quality?

    private var median: MovingMedian?
    private var average: MovingAverage?
    private var rate: RateOfChange?
    private var settling: Settling?
    private var window: Window?
    /// One for the values as they are, or one for each of the window's, in their order.
    private var reports: [ReportByException]

    init(_ settings: FilterSettings, sensor: String, channel: String?) {
        self.sensor = sensor
        self.channel = channel
        median = settings.median.map(MovingMedian.init(length:))
        average = settings.average.map(MovingAverage.init(_:))
        rate = settings.rate.map(RateOfChange.init(_:))
        settling = settings.settle.map(Settling.init(_:))
        window = settings.window.map(Window.init(_:))
        reports =
            settings.report.map {
                Array(repeating: ReportByException($0), count: settings.window?.values.count ?? 1)
            } ?? []
    }

    /// - Returns: the value as alarms see it; nil if there is none.
    mutating func filter(_ reading: Reading, _ settings: FilterSettings, now: Timestamp) -> Reading? {
        guard let reading = changed(reading, settings, now: now) else { return nil }
        if rate != nil, case .number = reading.value, reading.quality != .good {
            // One reason of a kind is enough: others differ by the number.
            if refused.map({ !$0.isSameKind(as: reading.quality) }) ?? true { refused = reading.quality }
            return nil
        }
        // What uplinks heard last is that there is none.
        if refused != nil { forgetReports() }
        refused = nil
        newest = reading
        return reading
    }

    /// Why there is no rate.
    var refusal: String? { refused?.reason }

    private mutating func changed(_ reading: Reading, _ settings: FilterSettings, now: Timestamp) -> Reading? {
        var reading = reading
        switch reading.value {
        case .text: break
        case .boolean(let value):
            if reading.quality == .good, settling != nil { return settling?(reading, value, now: now) }
        case .number(let raw):
            var number = settings.scale(raw)
            let unit = reading.unit
            if !settings.convert.isEmpty { convert(&number, &reading, settings.convert) }
            number += calibration
            guard number.isFinite else {
                if settings.dropsImplausible { return nil }
                // It stays what the driver said, which a scale may have made another unit of.
                reading.unit = settings.scale.isIdentity ? unit : nil
                reading.quality = .outOfRange("\(raw) becomes no finite number")
                return reading
            }
            reading.value = .number(number)
            if let range = settings.range, !range.contains(number) {
                if settings.dropsImplausible { return nil }
                let (low, high) = (JSON.text(of: range.lowerBound), JSON.text(of: range.upperBound))
                reading.quality = .outOfRange("\(JSON.text(of: number)) is not within \(low) to \(high)")
            }
            guard reading.quality == .good else { return reading }
            if let middle = median?(number) { number = middle }
            if let mean = average?(number, at: reading.time) { number = mean }
            if rate != nil {
                guard let change = rate?(number, at: reading.time) else { return nil }
                number = change
                reading.unit = rate?.unit(of: reading.unit)
            }
            reading.value = .number(number)
        }
        return reading
    }

    private func convert(_ number: inout Double, _ reading: inout Reading, _ targets: [MeasurementUnit]) {
        let unit = reading.unit.flatMap(MeasurementUnit.named)
        for target in targets {
            guard let unit, let converted = target.convert(number, from: unit) else { continue }
            number = converted
            reading.unit = target.name
            return
        }
        // Of a sensor with several, not every channel is meant.
        guard channel == nil, reading.quality == .good else { return }
        reading.quality = .outOfRange(MeasurementUnit.refusal(of: reading.unit, targets))
    }

    /// - Returns: what uplinks are told of a value that ``filter(_:_:now:)`` or ``settle(at:)`` gave.
    mutating func report(_ reading: Reading, now: Timestamp) -> [Reading] {
        if window != nil { return toldOfWindow(window?.take(reading) ?? [], now: now) }
        guard !reports.isEmpty else { return [reading] }
        return reports[0].tells(reading, now: now) ? [reading] : []
    }

    private mutating func toldOfWindow(_ readings: [Reading], now: Timestamp) -> [Reading] {
        guard !readings.isEmpty, !reports.isEmpty, let values = window?.options.values else { return readings }
        func index(_ reading: Reading) -> Int? {
            values.firstIndex { reading.channel == name(of: $0) }
        }
        let isNews = readings.contains { reading in
            guard let index = index(reading) else { return true }
            let isDue = reports[index].due.map { $0 <= now } ?? false
            return isDue || (values.count == 1 || values[index] != .count) && reports[index].isNews(reading)
        }
        guard isNews else { return [] }
        for reading in readings {
            if let index = index(reading) { reports[index].tell(reading, now: now) }
        }
        return readings
    }

    private func name(of value: Window.Value) -> String { channel.map { "\($0).\(value.rawValue)" } ?? value.rawValue }

    // MARK: Time

    /// When time alone makes something of it.
    func due(isFailed: Bool) -> Timestamp? {
        let silence = window == nil && !isFailed && refused == nil && newest != nil ? reports.first?.due : nil
        return earliest(earliest(settling?.due, window?.due), silence)
    }

    /// A boolean that has lasted long enough.
    mutating func settle(at now: Timestamp) -> Reading? {
        guard let reading = settling?.advance(to: now) else { return nil }
        newest = reading
        return reading
    }

    /// What uplinks are told because time has passed.
    mutating func advance(to now: Timestamp, isFailed: Bool) -> [Reading] {
        if window != nil { return toldOfWindow(window?.advance(to: now) ?? [], now: now) }
        guard !isFailed, refused == nil, let newest, let due = reports.first?.due, due <= now else { return [] }
        reports[0].tell(newest, now: now)
        return [newest]
    }

    /// The clock went back to `now`.
    mutating func rebase(to now: Timestamp) {
        settling?.rebase(to: now)
        for index in reports.indices { reports[index].rebase(to: now) }
    }

    /// What uplinks heard last is that the sensor fails.
    mutating func forgetReports() {
        for index in reports.indices { reports[index].reset() }
    }

    /// Numbers from before cannot be compared with those to come.
    private mutating func forgetNumbers() {
        median?.reset()
        average?.reset()
        rate?.reset()
    }

    // MARK: State

    var state: JSON {
        let reports = reports.map { $0.state ?? .null }
        return .members([
            "channel": channel.map(JSON.string), "median": median?.state,
            "average": average?.state, "rate": rate?.state, "settle": settling?.state, "window": window?.state,
            "report": reports.isEmpty ? nil : .array(reports),
        ]) ?? .object([])
    }

    mutating func restore(_ state: JSON) {
        median?.restore(state["median"])
        average?.restore(state["average"])
        rate?.restore(state["rate"])
        settling?.restore(state["settle"], sensor: sensor, channel: channel)
        window?.restore(state["window"], sensor: sensor, channel: channel)
        // Of another number of values, nobody knows which is which.
        guard state["report"]?.array?.count == reports.count else { return }
        for index in reports.indices { reports[index].restore(state["report"]?[index]) }
    }
}
