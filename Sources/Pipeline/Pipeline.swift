public import Sensing
public import Units

/// What a pipeline makes of what it was told.
public struct PipelineOutput: Sendable, Hashable {
    /// For uplinks: what is news.
    public var reports: [Report] = []
    /// For alarms: every value behind the filters, before windows and report by exception took any away.
    public var values: [Reading] = []

    public init(reports: [Report] = [], values: [Reading] = []) {
        self.reports = reports
        self.values = values
    }
}

/// An offset that was set while the agent ran.
public struct Calibration: Sendable, Hashable {
    public var sensor: String
    public var channel: String?
    /// In the unit of the values that are told.
    public var offset: Double
}

/// The filters of all sensors (``FilterSettings``), and the sensors that are derived from others (``DerivedSensor``).
///
/// A value without clock, task or I/O: whoever has it tells it what sensors say, and lets time pass when ``due`` comes.
/// Where the clock goes back by more than a second, what waits begins to wait anew.
///
///     var pipeline = Pipeline(sensors: sensors, state: saved)
///     let output = pipeline.accept(readings, at: now)
///     if let due = pipeline.due, due <= now { let more = pipeline.advance(to: now) }
public struct Pipeline: Sendable {
    /// How many channels of one sensor have filters; more than that are dropped, and counted.
    public static let maximumChannels = 256

    struct Sensor: Sendable {
        let settings: PipelineSensor
        /// Whether values go through as they are.
        let isPlain: Bool
        /// What each of the expression's names stands for; nil where it stands for nothing.
        var inputs: [Input?] = []
        /// Those that are derived from it, directly or not, in an order in which each comes behind its inputs.
        var dependents: [Int] = []
        var channels: [ChannelFilters] = []
        var calibrations: [(channel: String?, offset: Double)] = []
        /// Why it fails.
        var failure: String?
        /// Why some of its channels do, while others have values.
        var failing: [String: String] = [:]

        func isFailed(_ channel: String?) -> Bool { failure != nil || channel.map { failing[$0] != nil } ?? false }
    }

    struct Input: Sendable {
        var sensor: Int
        var channel: String?
    }

    var sensors: [Sensor]
    let indices: [String: Int]
    /// The newest time that was told.
    var clock: Timestamp?
    /// Readings of channels beyond the limit.
    public private(set) var dropped: UInt64 = 0

    /// Offsets that were set for what the sensor was configured to be then.
    public internal(set) var forgotten: [Calibration] = []

    /// When ``advance(to:)`` may have something to do; nil if never. It may be earlier than needed.
    public private(set) var due: Timestamp?

    /// - Parameters:
    ///   - sensors: of two with one name, the first counts. What ``check(_:)`` finds fault with never has a value.
    ///   - state: what ``state`` gave before; what of it does not fit the sensors is ignored.
    public init(sensors: [PipelineSensor], state: JSON? = nil) {
        let graph = SensorGraph(sensors)
        indices = graph.indices
        self.sensors = sensors.enumerated().map { index, settings in
            let isPlain = settings.filters.isEmpty && settings.derived?.maximumAge == nil
            var sensor = Sensor(settings: settings, isPlain: isPlain)
            sensor.inputs = graph.inputs[index]
            sensor.dependents = graph.dependents[index]
            return sensor
        }
        if let state { restore(state) }
        // Something may have become due when the state was saved already.
        due = earliest(nextDue(), clock)
    }

    // MARK: Events

    /// - Parameter readings: of one sensor, taken together. Those of a sensor that is not known go through.
    public mutating func accept(_ readings: [Reading], at now: Timestamp) -> PipelineOutput {
        var output = PipelineOutput()
        notice(now)
        var rest = readings[...]
        while let name = rest.first?.sensor {
            let group = rest.prefix { $0.sensor == name }
            rest = rest[group.endIndex...]
            guard let index = indices[name] else {
                output.values += group
                output.reports.append(.readings(Array(group)))
                continue
            }
            if take(group, of: index, now: now, &output) { deriveAll(from: [index], now: now, &output) }
        }
        return output
    }

    /// A sensor has no value, or one of its channels has none. Told once for each reason, until it has one again.
    public mutating func fail(
        _ sensor: String, channel: String? = nil, reason: String, at now: Timestamp
    ) -> PipelineOutput {
        var output = PipelineOutput()
        notice(now)
        guard let index = indices[sensor] else {
            output.reports.append(.failure(sensor: sensor, channel: channel, reason: reason, time: now))
            return output
        }
        if let channel {
            let isKnown = sensors[index].failing[channel] != nil
            guard isKnown || sensors[index].failing.count < Self.maximumChannels else { return output }
            guard sensors[index].failing.updateValue(reason, forKey: channel) != reason else { return output }
            output.reports.append(.failure(sensor: sensor, channel: channel, reason: reason, time: now))
            var changed: [Int] = []
            for dependent in sensors[index].dependents
            where sensors[dependent].inputs.contains(where: { $0?.sensor == index && $0?.channel == channel }) {
                if derive(dependent, now: now, &output) { changed.append(dependent) }
            }
            deriveAll(from: changed, now: now, &output)
            return output
        }
        if begin(failure: reason, of: index, now: now, &output) { deriveAll(from: [index], now: now, &output) }
        return output
    }

    /// Time has passed: windows end, booleans settle, silences have been long enough, inputs have become too old.
    public mutating func advance(to now: Timestamp) -> PipelineOutput {
        var output = PipelineOutput()
        notice(now)
        guard let due, due <= now else { return output }
        var changed: [Int] = []
        for index in sensors.indices where !sensors[index].isPlain {
            var told: [Reading] = []
            for channel in sensors[index].channels.indices {
                let isFailed = sensors[index].isFailed(sensors[index].channels[channel].channel)
                if let settled = sensors[index].channels[channel].settle(at: now) {
                    output.values.append(settled)
                    told += sensors[index].channels[channel].report(settled, now: now)
                    if changed.last != index { changed.append(index) }
                }
                told += sensors[index].channels[channel].advance(to: now, isFailed: isFailed)
            }
            if !told.isEmpty { output.reports.append(.readings(told)) }
        }
        for index in sensors.indices where !sensors[index].isPlain {
            if let expiry = expiry(of: index), expiry <= now, derive(index, now: now, &output) { changed.append(index) }
        }
        deriveAll(from: changed, now: now, &output)
        self.due = nextDue()
        return output
    }

    private mutating func notice(_ now: Timestamp) {
        defer { clock = now }
        guard let clock, clock.elapsed(since: now) > 1000 else { return }
        for index in sensors.indices {
            for channel in sensors[index].channels.indices { sensors[index].channels[channel].rebase(to: now) }
        }
        // Windows of a time to come end at once.
        due = now
    }

    // MARK: One sensor

    /// - Returns: whether it has new values.
    private mutating func take(
        _ readings: ArraySlice<Reading>, of index: Int, now: Timestamp, _ output: inout PipelineOutput
    ) -> Bool {
        if sensors[index].failure != nil {
            sensors[index].failure = nil
            for channel in sensors[index].channels.indices { sensors[index].channels[channel].forgetReports() }
        }
        if !sensors[index].failing.isEmpty {
            for name in readings.compactMap(\.channel) where sensors[index].failing.removeValue(forKey: name) != nil {
                guard let channel = sensors[index].channels.firstIndex(where: { $0.channel == name }) else { continue }
                sensors[index].channels[channel].forgetReports()
            }
        }
        if sensors[index].isPlain, sensors[index].dependents.isEmpty, sensors[index].calibrations.isEmpty {
            output.values += readings
            output.reports.append(.readings(Array(readings)))
            return false
        }
        var told: [Reading] = []
        var isChanged = false
        var hint = 0
        for reading in readings {
            guard let channel = channel(reading.channel, of: index, hint: hint) else {
                dropped += 1
                continue
            }
            hint = channel + 1
            let filters = sensors[index].settings.filters
            guard let value = sensors[index].channels[channel].filter(reading, filters, now: now) else { continue }
            isChanged = true
            output.values.append(value)
            told += sensors[index].channels[channel].report(value, now: now)
        }
        if !told.isEmpty { output.reports.append(.readings(told)) }
        due = earliest(due, nextDue(of: index))
        return isChanged
    }

    /// - Parameter hint: where it probably is: a sensor's channels mostly come in the same order.
    mutating func channel(_ name: String?, of index: Int, hint: Int) -> Int? {
        if hint < sensors[index].channels.count, sensors[index].channels[hint].channel == name { return hint }
        if let found = sensors[index].channels.firstIndex(where: { $0.channel == name }) { return found }
        guard sensors[index].channels.count < Self.maximumChannels else { return nil }
        let settings = sensors[index].settings
        var filters = ChannelFilters(settings.filters, sensor: settings.name, channel: name)
        filters.calibration = sensors[index].calibrations.first { $0.channel == name }?.offset ?? 0
        sensors[index].channels.append(filters)
        return sensors[index].channels.count - 1
    }

    /// - Returns: whether it did not fail before, or for another reason.
    private mutating func begin(
        failure reason: String, of index: Int, now: Timestamp, _ output: inout PipelineOutput
    ) -> Bool {
        let isNew = sensors[index].failure != reason
        sensors[index].failure = reason
        sensors[index].failing = [:]
        if isNew {
            output.reports.append(.failure(sensor: sensors[index].settings.name, reason: reason, time: now))
        }
        return isNew
    }

    // MARK: Derived sensors

    private mutating func deriveAll(from origins: [Int], now: Timestamp, _ output: inout PipelineOutput) {
        guard origins.contains(where: { !sensors[$0].dependents.isEmpty }) else { return }
        var changed = Set(origins)
        var affected = sensors[origins[0]].dependents
        if origins.count > 1 {
            let all = Set(origins.flatMap { sensors[$0].dependents })
            // Behind its inputs is who has fewer dependents than each of them.
            affected = all.sorted {
                (sensors[$1].dependents.count, $0) < (sensors[$0].dependents.count, $1)
            }
        }
        for index in affected
        where sensors[index].inputs.contains(where: { $0.map { changed.contains($0.sensor) } ?? false }) {
            if derive(index, now: now, &output) { changed.insert(index) }
        }
    }

    /// - Returns: whether it has a new value, or has begun to fail.
    private mutating func derive(_ index: Int, now: Timestamp, _ output: inout PipelineOutput) -> Bool {
        switch evaluation(of: index, now: now) {
        case .waits: false
        case .fails(let reason): begin(failure: reason, of: index, now: now, &output)
        case .gives(let reading): take([reading], of: index, now: now, &output)
        }
    }

    private enum Evaluation {
        case gives(Reading)
        case fails(String)
        /// For the first values of its inputs.
        case waits
    }

    private func evaluation(of index: Int, now: Timestamp) -> Evaluation {
        let sensor = sensors[index]
        guard let derived = sensor.settings.derived else { return .waits }
        var values: [Reading.Value] = []
        values.reserveCapacity(sensor.inputs.count)
        var time: Timestamp?
        var quality = Quality.good
        for (input, reference) in zip(sensor.inputs, derived.expression.references) {
            guard let input else { return .waits }
            let name = reference.text
            if let failure = sensors[input.sensor].failure { return .fails("input \(name) fails: \(failure)") }
            if let failure = input.channel.flatMap({ sensors[input.sensor].failing[$0] }) {
                return .fails("input \(name) fails: \(failure)")
            }
            guard let reading = newest(of: input) else {
                guard let problem = missing(input) else { return .waits }
                return .fails("input \(name) has no value: \(problem)")
            }
            // As far ahead of the clock, it is from before the clock was set back.
            if let limit = derived.maximumAge, now.elapsed(since: reading.time).magnitude > limit.milliseconds.magnitude
            {
                return .fails("input \(name) has had no new value for \(limit.compact)")
            }
            switch (quality, reading.quality) {
            case (.outOfRange, _), (_, .good): break
            case (_, .outOfRange(let reason)): quality = .outOfRange("input \(name): \(reason)")
            case (.stale, .stale): break
            case (.good, .stale(let reason)): quality = .stale("input \(name): \(reason)")
            }
            values.append(reading.value)
            time = max(time ?? reading.time, reading.time)
        }
        do throws(Expression.Failure) {
            let value = try derived.expression.evaluate(values)
            return .gives(
                Reading(
                    sensor: sensor.settings.name, value: value, unit: derived.unit, time: time ?? now, quality: quality)
            )
        } catch {
            return .fails(error.description)
        }
    }

    private func newest(of input: Input) -> Reading? {
        let channels = sensors[input.sensor].channels
        if let exact = channels.first(where: { $0.channel == input.channel }) { return exact.newest }
        return input.channel == nil && channels.count == 1 ? channels[0].newest : nil
    }

    /// Why a sensor that has said something has not said that. Nil if it is too early to tell.
    private func missing(_ input: Input) -> String? {
        let channels = sensors[input.sensor].channels
        if channels.contains(where: { $0.channel == input.channel }) { return nil }
        let names = channels.filter { $0.newest != nil }.prefix(20).map {
            $0.channel.map(Expression.quotedIfNeeded) ?? "one without a name"
        }
        return names.isEmpty ? nil : "the sensor's channels are \(names.joined(separator: ", "))"
    }

    /// When the oldest input of a derived sensor is too old.
    private func expiry(of index: Int) -> Timestamp? {
        guard sensors[index].failure == nil, let limit = sensors[index].settings.derived?.maximumAge else { return nil }
        var oldest: Timestamp?
        for input in sensors[index].inputs {
            guard let reading = input.flatMap(newest) else { return nil }
            oldest = earliest(oldest, reading.time)
        }
        return oldest?.later(by: limit.milliseconds).later(by: 1)
    }

    // MARK: Time

    private func nextDue(of index: Int) -> Timestamp? {
        var due = expiry(of: index)
        for channel in sensors[index].channels {
            due = earliest(due, channel.due(isFailed: sensors[index].isFailed(channel.channel)))
        }
        return due
    }

    private func nextDue() -> Timestamp? {
        sensors.indices.reduce(nil) { due, index in
            sensors[index].isPlain ? due : earliest(due, nextDue(of: index))
        }
    }

    // MARK: Calibration

    /// Adds an offset to a number from now on; nil takes it back.
    /// - Parameter channel: nil for the value of a sensor that has only one.
    /// - Returns: false if there is no such sensor, the offset is no finite number, or there are too many.
    @discardableResult
    public mutating func calibrate(_ sensor: String, channel: String?, by offset: Double?) -> Bool {
        guard let index = indices[sensor], offset?.isFinite ?? true else { return false }
        sensors[index].calibrations.removeAll { $0.channel == channel }
        if let offset {
            guard sensors[index].calibrations.count < Self.maximumChannels else { return false }
            sensors[index].calibrations.append((channel, offset))
        }
        if let known = sensors[index].channels.firstIndex(where: { $0.channel == channel }) {
            sensors[index].channels[known].calibration = offset ?? 0
        }
        return true
    }

    public var calibrations: [Calibration] {
        sensors.flatMap { sensor in
            sensor.calibrations.map {
                Calibration(sensor: sensor.settings.name, channel: $0.channel, offset: $0.offset)
            }
        }
    }
}
