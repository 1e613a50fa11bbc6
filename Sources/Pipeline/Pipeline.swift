public import Sensing
public import Units

/// What a pipeline makes of what it was told.
public struct PipelineOutput: Sendable, Hashable {
    /// For uplinks: what is news.
    public var reports: [Report] = []
    /// For alarms: every value behind the filters, before windows and report by exception took any away.
    public var values: [Reading] = []
    /// For alarms: who has begun to have no value, also where uplinks heard of it before a restart.
    public var failures: [Failure] = []

    public struct Failure: Sendable, Hashable {
        public var sensor: String
        /// Nil for the whole sensor.
        public var channel: String?
        public var reason: String
        public var time: Timestamp

        public init(sensor: String, channel: String? = nil, reason: String, time: Timestamp) {
            self.sensor = sensor
            self.channel = channel
            self.reason = reason
            self.time = time
        }
    }

    public init(reports: [Report] = [], values: [Reading] = [], failures: [Failure] = []) {
        self.reports = reports
        self.values = values
        self.failures = failures
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
        /// Why it failed when the last run ended, which uplinks need not hear twice; nil as soon as it is known what it
        /// does in this one.
        var formerFailure: String?
        /// Why some of its channels do, while others have values.
        var failing: [String: String] = [:]

        func isFailed(_ channel: String?) -> Bool { failure != nil || channel.map { failing[$0] != nil } ?? false }
    }

    struct Input: Sendable {
        var sensor: Int
        var channel: String?
    }

    /// Which channels have new values, or begin to have none.
    private struct Changes {
        /// By sensor; nil for all of its channels.
        private var channels: [Int: Set<Int>?] = [:]

        var sensors: Dictionary<Int, Set<Int>?>.Keys { channels.keys }

        mutating func add(_ changed: Set<Int>?, of sensor: Int) {
            guard let changed else { return channels[sensor] = .some(nil) }
            guard !changed.isEmpty else { return }
            switch channels[sensor] {
            case nil: channels[sensor] = changed
            case .some(nil): break
            case let others??: channels[sensor] = others.union(changed)
            }
        }

        /// - Parameter channel: nil for one that the sensor does not have.
        func include(_ channel: Int?, of sensor: Int) -> Bool {
            guard let changed = channels[sensor] else { return false }
            guard let changed, let channel else { return true }
            return changed.contains(channel)
        }
    }

    var sensors: [Sensor]
    let indices: [String: Int]
    /// The newest time that was told.
    var clock: Timestamp?
    /// Since when inputs have had the chance to say something: nothing of an earlier run counts as an input.
    private var began: Timestamp?
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
        // A window may have ended since the state was saved.
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
            var changes = Changes()
            changes.add(take(group, of: index, now: now, &output), of: index)
            deriveAll(from: changes, now: now, &output)
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
            output.failures.append(.init(sensor: sensor, channel: channel, reason: reason, time: now))
            return output
        }
        if let channel {
            // Each time: after a restart an alarm has to hear that it still is so.
            output.failures.append(.init(sensor: sensor, channel: channel, reason: reason, time: now))
            let isKnown = sensors[index].failing[channel] != nil
            guard isKnown || sensors[index].failing.count < Self.maximumChannels else { return output }
            guard sensors[index].failing.updateValue(reason, forKey: channel) != reason else { return output }
            output.reports.append(.failure(sensor: sensor, channel: channel, reason: reason, time: now))
            var changes = Changes()
            if let position = sensors[index].channels.firstIndex(where: { $0.channel == channel }) {
                changes.add([position], of: index)
            } else {
                // One that has never had a value.
                for dependent in sensors[index].dependents
                where sensors[dependent].inputs.contains(where: { $0?.sensor == index && $0?.channel == channel }) {
                    derive(dependent, now: now, &changes, &output)
                }
            }
            deriveAll(from: changes, now: now, &output)
            return output
        }
        if begin(failure: reason, of: index, now: now, &output) {
            var changes = Changes()
            changes.add(nil, of: index)
            deriveAll(from: changes, now: now, &output)
        }
        return output
    }

    /// Time has passed: windows end, booleans settle, silences have been long enough, inputs have become too old.
    public mutating func advance(to now: Timestamp) -> PipelineOutput {
        var output = PipelineOutput()
        notice(now)
        guard let due, due <= now else { return output }
        var changes = Changes()
        for index in sensors.indices where !sensors[index].isPlain {
            var told: [Reading] = []
            for channel in sensors[index].channels.indices {
                let isFailed = sensors[index].isFailed(sensors[index].channels[channel].channel)
                if let settled = sensors[index].channels[channel].settle(at: now) {
                    output.values.append(settled)
                    told += sensors[index].channels[channel].report(settled, now: now)
                    changes.add([channel], of: index)
                }
                told += sensors[index].channels[channel].advance(to: now, isFailed: isFailed)
            }
            if !told.isEmpty { output.reports.append(.readings(told)) }
        }
        for index in sensors.indices where !sensors[index].isPlain {
            if let expiry = expiry(of: index), expiry <= now { derive(index, now: now, &changes, &output) }
        }
        deriveAll(from: changes, now: now, &output)
        self.due = nextDue()
        return output
    }

    private mutating func notice(_ now: Timestamp) {
        defer { clock = now }
        // Set back, or set for the first time: what was before cannot be compared.
        if began.map({ $0 > now || !$0.isPlausible && now.isPlausible }) ?? true {
            began = now
            due = earliest(due, nextDue())
        }
        guard let clock, clock.elapsed(since: now) > 1000 else { return }
        for index in sensors.indices {
            for channel in sensors[index].channels.indices { sensors[index].channels[channel].rebase(to: now) }
        }
        // Windows of a time to come end at once.
        due = now
    }

    // MARK: One sensor

    /// - Returns: which of its channels have new values; nil for all, where it had failed as a whole.
    private mutating func take(
        _ readings: ArraySlice<Reading>, of index: Int, now: Timestamp, _ output: inout PipelineOutput
    ) -> Set<Int>? {
        let hadFailed = sensors[index].failure != nil
        if sensors[index].failure ?? sensors[index].formerFailure != nil {
            (sensors[index].failure, sensors[index].formerFailure) = (nil, nil)
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
            return []
        }
        var told: [Reading] = []
        var changed: Set<Int> = []
        let isInput = !sensors[index].dependents.isEmpty
        var hint = 0
        for reading in readings {
            guard let channel = channel(reading.channel, of: index, hint: hint) else {
                dropped += 1
                continue
            }
            hint = channel + 1
            let filters = sensors[index].settings.filters
            let refusal = sensors[index].channels[channel].refusal
            guard let value = sensors[index].channels[channel].filter(reading, filters, now: now) else {
                if let reason = sensors[index].channels[channel].refusal, reason != refusal {
                    output.reports.append(
                        .failure(
                            sensor: reading.sensor, channel: reading.channel, reason: reason, time: reading.time))
                    if isInput { changed.insert(channel) }
                }
                continue
            }
            if isInput { changed.insert(channel) }
            output.values.append(value)
            told += sensors[index].channels[channel].report(value, now: now)
        }
        if !told.isEmpty { output.reports.append(.readings(told)) }
        due = earliest(due, nextDue(of: index))
        return hadFailed ? nil : changed
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
        guard sensors[index].failure != reason else { return false }
        let isKnown = sensors[index].failure == nil && sensors[index].formerFailure == reason
        (sensors[index].failure, sensors[index].formerFailure) = (reason, nil)
        sensors[index].failing = [:]
        let name = sensors[index].settings.name
        if !isKnown { output.reports.append(.failure(sensor: name, reason: reason, time: now)) }
        output.failures.append(.init(sensor: name, reason: reason, time: now))
        return true
    }

    // MARK: Derived sensors

    private mutating func deriveAll(from origins: Changes, now: Timestamp, _ output: inout PipelineOutput) {
        guard let origin = origins.sensors.first(where: { !sensors[$0].dependents.isEmpty }) else { return }
        var changes = origins
        var affected = sensors[origin].dependents
        if origins.sensors.count > 1 {
            let all = Set(origins.sensors.flatMap { sensors[$0].dependents })
            // Behind its inputs is who has fewer dependents than each of them.
            affected = all.sorted {
                (sensors[$1].dependents.count, $0) < (sensors[$0].dependents.count, $1)
            }
        }
        for index in affected {
            let isConcerned = sensors[index].inputs.contains { input in
                input.map { changes.include(position(of: $0), of: $0.sensor) } ?? false
            }
            if isConcerned { derive(index, now: now, &changes, &output) }
        }
    }

    private mutating func derive(
        _ index: Int, now: Timestamp, _ changes: inout Changes, _ output: inout PipelineOutput
    ) {
        switch evaluation(of: index, now: now) {
        case .waits: break
        case .fails(let reason):
            if begin(failure: reason, of: index, now: now, &output) { changes.add(nil, of: index) }
        case .gives(let reading): changes.add(take([reading], of: index, now: now, &output), of: index)
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
        var waits = false
        for (input, reference) in zip(sensor.inputs, derived.expression.references) {
            guard let input else { return .waits }
            let name = reference.text
            if let failure = sensors[input.sensor].failure { return .fails("input \(name) fails: \(failure)") }
            if let failure = input.channel.flatMap({ sensors[input.sensor].failing[$0] }) {
                return .fails("input \(name) fails: \(failure)")
            }
            if let refusal = position(of: input).flatMap({ sensors[input.sensor].channels[$0].refusal }) {
                return .fails("input \(name) has no value: \(refusal)")
            }
            let reading = newest(of: input)
            if reading == nil, let problem = missing(input) {
                return .fails("input \(name) has no value: \(problem)")
            }
            // As far ahead of the clock, it is from before the clock was set back.
            if let limit = derived.maximumAge, let since = reading?.time ?? began,
                now.elapsed(since: since).magnitude > limit.milliseconds.magnitude
            {
                return .fails("input \(name) has had no new value for \(limit.compact)")
            }
            guard let reading else {
                waits = true
                continue
            }
            switch (quality, reading.quality) {
            case (.outOfRange, _), (_, .good): break
            case (_, .outOfRange(let reason)): quality = .outOfRange("input \(name): \(reason)")
            case (.stale, _): break
            case (_, .stale(let reason)): quality = .stale("input \(name): \(reason)")
            case (.undated, _): break
            case (.good, .undated(let reason)): quality = .undated("input \(name): \(reason)")
            }
            values.append(reading.value)
            time = max(time ?? reading.time, reading.time)
        }
        if waits { return .waits }
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
        position(of: input).flatMap { sensors[input.sensor].channels[$0].newest }
    }

    /// Which of its sensor's channels an input is; nil if there is none such yet.
    private func position(of input: Input) -> Int? {
        let channels = sensors[input.sensor].channels
        if let exact = channels.firstIndex(where: { $0.channel == input.channel }) { return exact }
        return input.channel == nil && channels.count == 1 ? 0 : nil
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

    /// When the oldest input of a derived sensor is too old. One that has said nothing is as old as this run.
    private func expiry(of index: Int) -> Timestamp? {
        guard sensors[index].failure == nil, let limit = sensors[index].settings.derived?.maximumAge else { return nil }
        var oldest: Timestamp?
        for input in sensors[index].inputs {
            guard let input, let since = newest(of: input)?.time ?? began else { return nil }
            oldest = earliest(oldest, since)
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
