internal import Logging
internal import Pipeline
internal import Sensing
internal import Units
internal import Uplink

/// The way of a reading from its sensor to the uplinks: filters, derived sensors, alarms; and all of it in order.
///
/// Whoever brings readings waits until they are in the queues, so that sensors are read no faster than that. What comes
/// meanwhile goes there together.
actor Processing {
    private static let pipelineName = "pipeline"
    private static let alarmsName = "alarms"
    /// State that may be lost is written so often.
    private static let saveInterval = Duration.seconds(300)
    private static let longestRest = Duration.seconds(10)

    private var pipeline: Pipeline
    private var alarms: AlarmBoard
    private var alarmChanges: Int
    private let state: StateFile
    private let logger: Logger
    /// The last value of each sensor and channel, for those who ask.
    private var last: [String: [Reading]] = [:]

    private var gathered: [Report] = []
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private let bell = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    private let timer = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    private var isOver = false
    /// Until when ``watchTime()`` rests, if it does.
    private var rest: Timestamp?
    /// Alarms of an earlier run that were not clear, and are no more, or watch something else now.
    private var forgotten: [AlarmReport]

    init(_ sensors: [PipelineSensor], _ rules: [AlarmRule], state: StateFile, logger: Logger) async {
        let (filters, raised) = (await state[Self.pipelineName], await state[Self.alarmsName])
        pipeline = Pipeline(sensors: sensors, state: filters)
        alarms = AlarmBoard(rules, state: raised)
        alarmChanges = alarms.stateChanges
        let known = Set(alarms.reports.map(\.alarm))
        forgotten = (raised?.object ?? []).compactMap { member in
            let state = member.value["state"]?.string.flatMap(AlarmState.init)
            guard let state, state != .cleared, !known.contains(member.name) else { return nil }
            let rule = rules.first { $0.name == member.name }
            return AlarmReport(
                alarm: member.name, sensor: rule?.sensor ?? "", channel: rule?.channel, state: .cleared,
                isActive: false,
                severity: rule?.severity ?? .info, time: .now())
        }
        self.state = state
        self.logger = logger
        for calibration in pipeline.forgotten {
            logger.notice(
                "a calibration is forgotten: the sensor is not configured as it was then; calibrate it again",
                metadata: [
                    "sensor": "\(calibration.sensor)", "channel": "\(calibration.channel ?? "")",
                    "offset": "\(calibration.offset)",
                ])
        }
    }

    /// Tells the alarms' states that an earlier run has left, so that what is retained of them is right, and clears those
    /// that the configuration has no more, or has with another condition.
    func begin() async {
        let known = Set(alarms.reports.map(\.alarm))
        let gone = forgotten.filter { !known.contains($0.alarm) }
        forgotten = []
        let retold = alarms.reports.map { report in
            var report = report
            report.isRetold = true
            return report
        }
        await hand(over: (retold + gone).map(Report.alarm))
    }

    // MARK: What comes

    func accept(_ readings: [Reading], at now: Timestamp = .now()) async {
        await hand(over: judged(pipeline.accept(readings, at: now), at: now))
    }

    /// - Parameter channel: nil: the whole sensor has no value.
    func fail(_ sensor: String, channel: String? = nil, reason: String, at now: Timestamp = .now()) async {
        await hand(over: judged(pipeline.fail(sensor, channel: channel, reason: reason, at: now), at: now))
    }

    /// What the pipeline tells, and what alarms make of it.
    private func judged(_ output: PipelineOutput, at now: Timestamp) -> [Report] {
        for value in output.values { remember(value) }
        var reports = output.reports
        for failure in output.failures {
            reports += alarms.fail(
                sensor: failure.sensor, channel: failure.channel, reason: failure.reason, at: failure.time
            ).map(Report.alarm)
        }
        return reports + alarms.accept(output.values, at: now).map(Report.alarm)
    }

    private func remember(_ reading: Reading) {
        let index = last[reading.sensor]?.firstIndex { $0.channel == reading.channel }
        if let index {
            last[reading.sensor]?[index] = reading
        } else if last[reading.sensor]?.count ?? 0 < Pipeline.maximumChannels {
            last[reading.sensor, default: []].append(reading)
        }
    }

    private func hand(over reports: [Report]) async {
        if let rest, let due, due < rest { timer.continuation.yield() }
        guard !isOver else {
            if alarms.stateChanges != alarmChanges { await save() }
            return
        }
        guard !reports.isEmpty else { return }
        gathered += reports
        bell.continuation.yield()
        await withCheckedContinuation { waiters.append($0) }
    }

    /// Takes that the clock was not set, and is now: what is kept of alarms is told again after a restart, when nobody can put
    /// it right any more, and delays that are running have not leapt.
    func retime(_ corrected: (Timestamp) -> Timestamp) async {
        alarms.retime(corrected)
        if alarms.stateChanges != alarmChanges { await save() }
    }

    // MARK: What is asked

    /// The last values of these sensors.
    func values(of sensors: [String]) -> [Reading] { sensors.flatMap { last[$0] ?? [] } }

    /// The alarms' states, as far as they are known.
    var alarmReports: [AlarmReport] { alarms.reports }

    func acknowledge(_ alarm: String, by: String?) async throws(CommandError) -> [AlarmReport] {
        let reports: [AlarmReport]
        do throws(InvalidText) {
            reports = try alarms.acknowledge(alarm, by: by, at: .now())
        } catch {
            throw CommandError(.unknown, "\(error)")
        }
        await hand(over: reports.map(Report.alarm))
        return reports
    }

    /// - Parameter target: what the sensor's value should be now; nil: as configured.
    /// - Returns: by how much it is corrected from now on.
    func calibrate(_ sensor: String, channel: String?, to target: Double?) async throws(CommandError) -> Double? {
        guard let target else {
            _ = pipeline.calibrate(sensor, channel: channel, by: nil)
            // What is known was corrected: it is nothing to go by any more.
            last[sensor]?.removeAll { $0.channel == channel }
            await save()
            return nil
        }
        guard let index = last[sensor]?.firstIndex(where: { $0.channel == channel }),
            let present = last[sensor]?[index]
        else {
            let channels = (last[sensor] ?? []).compactMap(\.channel)
            throw CommandError(
                .failed,
                "sensor \"\(sensor)\" has no value to be corrected"
                    + (channels.isEmpty ? " yet" : "; name one of its channels: \(channels.joined(separator: ", "))"))
        }
        guard case .number(let value) = present.value, present.quality == .good else {
            throw CommandError(.failed, "sensor \"\(sensor)\" has no good number that could be corrected")
        }
        let former = pipeline.calibrations.first { $0.sensor == sensor && $0.channel == channel }?.offset ?? 0
        let offset = former + target - value
        guard pipeline.calibrate(sensor, channel: channel, by: offset) else {
            throw CommandError(.malformed, "\(target) is too far off")
        }
        // Who corrects it twice before it is read again does not correct it by twice as much.
        last[sensor]?[index].value = .number(target)
        await save()
        return offset
    }

    // MARK: What goes

    /// Hands reports over in order, until cancelled; and then what is left.
    ///
    /// - Parameter deliver: comes back when the queues have them.
    func run(_ deliver: @escaping @Sendable ([Report]) async -> Void) async {
        await withDiscardingTaskGroup { tasks in
            tasks.addTask { await self.watchTime() }
            tasks.addTask {
                while (try? await Task.sleep(for: Self.saveInterval)) != nil { await self.save() }
            }
            for await _ in bell.stream { await deliverGathered(deliver) }
            // Whoever waits for a delivery waits for this one, the tasks above among them.
            isOver = true
            await deliverGathered(deliver)
            tasks.cancelAll()
        }
        await save()
    }

    private func deliverGathered(_ deliver: @Sendable ([Report]) async -> Void) async {
        let (reports, waiters) = (gathered, waiters)
        gathered = []
        self.waiters = []
        // What the world is told has to hold after a restart too.
        if alarms.stateChanges != alarmChanges { await save() }
        if !reports.isEmpty { await deliver(reports) }
        for waiter in waiters { waiter.resume() }
    }

    /// When time alone changes something.
    private var due: Timestamp? { [pipeline.due, alarms.due].compactMap(\.self).min() }

    /// Windows that end, silences, alarms whose time has come.
    private func watchTime() async {
        while !Task.isCancelled {
            let now = Timestamp.now()
            guard let due, due <= now else {
                await rest(at: now)
                continue
            }
            let reports = judged(pipeline.advance(to: now), at: now) + alarms.advance(to: now).map(Report.alarm)
            if reports.isEmpty, self.due.map({ $0 <= now }) ?? false {
                // Never in a loop without a breath.
                try? await Task.sleep(for: .milliseconds(100))
            }
            await hand(over: reports)
        }
    }

    /// Until something is due, or will be earlier than it seemed.
    private func rest(at now: Timestamp) async {
        // The clock may be set meanwhile.
        let pause = due.map { min($0 - now, Self.longestRest) }
        rest = due ?? Timestamp(milliseconds: .max)
        let alarm = pause.map { pause in
            Task { [timer] in
                try await Task.sleep(for: pause)
                timer.continuation.yield()
            }
        }
        var rings = timer.stream.makeAsyncIterator()
        await rings.next(isolation: self)
        rest = nil
        alarm?.cancel()
    }

    // MARK: Over a restart

    private func save() async {
        alarmChanges = alarms.stateChanges
        let (raised, filters) = (alarms.state, pipeline.state)
        await state.set(Self.alarmsName, raised)
        // It tells the time too, which alone is not worth a write.
        if await state[Self.pipelineName]?["sensors"] != filters["sensors"] {
            await state.set(Self.pipelineName, filters)
        }
        await state.save()
    }
}
