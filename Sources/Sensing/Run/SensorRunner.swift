import Synchronization
public import Units

/// Reads sensors, each at its own pace, and listens to those that speak for themselves.
///
/// Each sensor has a task of its own, so that one that fails, hangs, or whose values are accepted slowly delays no
/// other. Reads run on the pool.
///
///     let runner = SensorRunner(sensors)
///     await runner.run { event in
///         switch event {
///         case .readings(let readings): await outbox.accept(readings)
///         case .failed(let sensor, let error, _, let retryIn): log("\(sensor): \(error); next try in \(retryIn)")
///         case .recovered(let sensor, let failures, _): log("\(sensor) is back after \(failures) failures")
///         }
///     }
public final class SensorRunner: Sendable {
    /// What was done since the runner was made.
    public struct Counters: Sendable, Hashable {
        public var reads: UInt64 = 0
        /// How often something was received from a sensor that speaks for itself.
        public var receptions: UInt64 = 0
        /// Reads and receptions of which all or some channels failed.
        public var failures: UInt64 = 0
        /// Reads that were left out because the one before, or the acceptance of its values, took too long.
        public var overruns: UInt64 = 0
    }

    /// How long a driver may take to stop.
    private static let stopLimit = Duration.seconds(1)

    private let slots: [SensorSlot]
    private let pool: BlockingPool
    private let watch = DescriptorWatch()
    private let wallClock: @Sendable () -> Timestamp
    private let counted: Mutex<[Counters]>

    /// - Parameters:
    ///   - board: its name: boards of different names read at slightly different times, so that a fleet's readings do not
    ///     all arrive at once.
    ///   - pool: where drivers are called. Default: one in which a read of each sensor may wait.
    ///   - wallClock: what readings are stamped with, and what the grid of reads follows.
    public init(
        _ sensors: [ConfiguredSensor], board: String = "", pool: BlockingPool? = nil,
        wallClock: @escaping @Sendable () -> Timestamp = { .now() }
    ) {
        slots = sensors.map { SensorSlot($0, board: board) }
        self.pool = pool ?? BlockingPool(queueLimit: max(256, 2 * sensors.count))
        self.wallClock = wallClock
        counted = Mutex(sensors.map { _ in Counters() })
    }

    /// By sensor, in the order of the configuration.
    public var counters: [(sensor: String, counters: Counters)] {
        Array(zip(slots.map(\.name), counted.withLock { $0 }))
    }

    /// Reads until the task is cancelled; then it stops the drivers, which takes a second at most, and returns, also
    /// while reads are stuck. To be called once.
    ///
    /// - Parameter accept: called for every event, from several tasks at once, but for one sensor never before the
    ///   call before has returned. The sensor's next read waits for it.
    public func run(_ accept: @escaping @Sendable (SensorEvent) async -> Void) async {
        let clock = ContinuousClock()
        let start = clock.now
        await withDiscardingTaskGroup { group in
            for index in slots.indices {
                group.addTask { await self.serve(index, since: start, clock, accept) }
            }
        }
        await stop()
    }

    /// Stopping has to be done although the task is cancelled.
    private func stop() async {
        await Task { [slots, pool, wallClock] in
            await withDiscardingTaskGroup { group in
                for slot in slots {
                    group.addTask { await slot.stop(on: pool, within: Self.stopLimit, wallClock) }
                }
            }
        }.value
    }

    /// Sets a sensor's output, between its reads, and passes on what this has brought about as it does with what is read.
    ///
    /// - Parameter timeout: how long it may take, with what the sensor does already.
    /// - Returns: the state that is there now.
    /// - Throws: ``SensorError`` if there is no such sensor, it cannot be set, or failed; ``BlockingPoolError`` when the
    ///   time is up: what has not begun by then is not done any more, but what has may be; `CancellationError` when the
    ///   runner has stopped.
    public func set(
        _ sensor: String, channel: String? = nil, to value: Reading.Value, timeout: Duration = .seconds(5)
    ) async throws -> [Reading] {
        try await ask(sensor, timeout: timeout) { driver, now throws(SensorError) in
            guard var output = driver as? any OutputDriver else {
                throw SensorError(.rejected, "sensor \"\(sensor)\"", "cannot be set: it is no output")
            }
            defer { driver = output }
            return try output.set(value, channel: channel, at: now)
        }
    }

    /// Brings a sensor's output into the state that its owner called safe, and passes on what is there then.
    ///
    /// - Throws: as ``set(_:channel:to:timeout:)``.
    public func makeSafe(_ sensor: String, timeout: Duration = .seconds(5)) async throws -> [Reading] {
        try await ask(sensor, timeout: timeout) { driver, now throws(SensorError) in
            guard var output = driver as? any OutputDriver else {
                throw SensorError(.rejected, "sensor \"\(sensor)\"", "has no safe state: it is no output")
            }
            defer { driver = output }
            try output.makeSafe(at: now)
            return try output.read(at: now)
        }
    }

    /// Reads a sensor now, between its other reads, and passes on what it says.
    ///
    /// - Throws: as ``set(_:channel:to:timeout:)``.
    public func read(_ sensor: String, timeout: Duration = .seconds(5)) async throws -> [Reading] {
        try await ask(sensor, timeout: timeout) { driver, now throws(SensorError) in try driver.read(at: now) }
    }

    /// Reads a sensor so often from now on, beginning at once.
    ///
    /// - Parameter every: 10 ms to 30 days; nil: as it was configured.
    /// - Throws: as ``set(_:channel:to:timeout:)``.
    public func setInterval(of sensor: String, to every: Duration?, timeout: Duration = .seconds(5)) async throws {
        let slot = try slot(sensor)
        // Who is asked wakes, and looks at the wish.
        _ = try await ask(sensor, timeout: timeout) { _, _ in
            slot.wish(for: every)
            return []
        }
    }

    /// Reads a sensor so often from the start on; to be called before ``run(_:)``.
    ///
    /// - Throws: ``SensorError`` if there is no such sensor.
    public func begin(_ sensor: String, every: Duration) throws(SensorError) { try slot(sensor).wish(for: every) }

    private func slot(_ sensor: String) throws(SensorError) -> SensorSlot {
        guard let slot = slots.first(where: { $0.name == sensor }) else {
            throw SensorError(.missing, "sensor \"\(sensor)\"", "is not configured")
        }
        return slot
    }

    private func ask(
        _ sensor: String, timeout: Duration,
        _ perform: @escaping @Sendable (inout any SensorDriver, Timestamp) throws(SensorError) -> [Measurement]
    ) async throws -> [Reading] {
        let slot = try slot(sensor)
        let outcome = Outcome<SensorResult>()
        let request = SensorRequest(
            perform: { driver, now throws(SensorError) in
                // An output must not move long after everybody has given up on it.
                guard !outcome.isSettled else {
                    throw SensorError(.timedOut, "sensor \"\(sensor)\"", "was asked for too long ago")
                }
                return try perform(&driver, now)
            }, outcome: outcome)
        guard slot.mailbox.put(request) else {
            throw SensorError(
                .refused, "sensor \"\(sensor)\"", "takes no requests now: it is stopped, or too many wait")
        }
        let timer = Task {
            try await Task.sleep(for: timeout)
            request.outcome.settle(.failure(BlockingPoolError.timedOut(after: timeout)))
        }
        defer { timer.cancel() }
        let result = try await withTaskCancellationHandler {
            try await request.outcome.value()
        } onCancel: {
            request.outcome.settle(.failure(CancellationError()))
        }
        if let error = result.error { throw error }
        return result.readings
    }

    /// Whether a driver is at work.
    package var isReading: Bool { pool.status.working > 0 }

    /// Comes back when the pool could begin a read: at once, unless its threads are all at work.
    ///
    /// - Throws: ``BlockingPoolError`` when no thread is left that is not stuck; `CancellationError`.
    package func waitUntilAbleToRead() async throws { try await pool.run(timeout: SensorSchedule.retryLimit) {} }

    /// Reads every sensor once, all at the same time, and stops the drivers; results in the order of the configuration.
    public func readOnce() async -> [SensorResult] {
        let results = await withTaskGroup { group in
            for (index, slot) in slots.enumerated() {
                group.addTask { [pool, wallClock] in
                    (index, await slot.report(of: .read, isListening: false, on: pool, wallClock: wallClock)?.result)
                }
            }
            var results = [SensorResult?](repeating: nil, count: slots.count)
            for await (index, result) in group { results[index] = result }
            return results.compactMap { $0 }
        }
        await stop()
        return results
    }

    private func serve(
        _ index: Int, since start: ContinuousClock.Instant, _ clock: ContinuousClock,
        _ accept: @Sendable (SensorEvent) async -> Void
    ) async {
        let slot = slots[index]
        let every = slot.takeWish() ?? slot.every
        var schedule = SensorSchedule(every: every, phase: slot.phase(for: every), start: .zero)
        var descriptor: Int32?
        var hasBeenDue = false
        slot.mailbox.open()
        while true {
            let wake = await slot.mailbox.wait(
                until: start + schedule.due, for: descriptor, of: watch, hasBeenDue: hasBeenDue)
            hasBeenDue = false
            var request: SensorRequest?
            var report: SensorSlot.Report?
            switch wake {
            case nil: return
            case .due:
                hasBeenDue = true
                schedule.begin()
                report = await slot.report(of: .read, on: pool, wallClock: wallClock)
            case .readable: report = await slot.report(of: .receive, on: pool, wallClock: wallClock)
            case .deaf(let error):
                report = SensorSlot.Report(result: SensorResult(sensor: slot.name, error: error), isDeaf: true)
            case .asked:
                request = slot.mailbox.take()
                guard let request else { continue }
                report = await slot.report(of: .perform(request), on: pool, wallClock: wallClock)
            }
            guard let report else {
                request?.outcome.settle(.failure(CancellationError()))
                return
            }
            descriptor = report.descriptor
            // That somebody asked for what cannot be done is not the sensor's failure.
            let isRead = schedule.isReading
            if let event = event(of: report, request != nil, &schedule, at: start.duration(to: clock.now), slot.name) {
                await accept(event)
            }
            if !report.result.readings.isEmpty {
                var failing = report.result.error?.failing ?? [:]
                for channel in report.result.readings.compactMap(\.channel) { failing[channel] = nil }
                if !failing.isEmpty { await accept(.channelsFailed(sensor: slot.name, reasons: failing)) }
                await accept(.readings(report.result.readings))
            }
            request?.outcome.settle(.success(report.result))

            if isRead { schedule.end(at: start.duration(to: clock.now), wall: wallClock()) }
            if let every = slot.takeWish() {
                schedule.change(every: every, phase: slot.phase(for: every), at: start.duration(to: clock.now))
            }
            // What somebody asks for is neither a read of its own nor something that it said by itself.
            if request != nil { continue }
            count(index, isRead: isRead, failed: report.result.error != nil, schedule.overruns)
        }
    }

    /// What there is to tell of a read, a reception or a request.
    private func event(
        of report: SensorSlot.Report, _ isRequest: Bool, _ schedule: inout SensorSchedule, at now: Duration,
        _ sensor: String
    ) -> SensorEvent? {
        let result = report.result
        guard let error = result.error else {
            let recovery =
                schedule.isReading
                ? schedule.succeeded(at: now) : isRequest ? nil : schedule.received(at: now)
            return recovery.map { .recovered(sensor: sensor, failures: $0.failures, after: $0.after) }
        }
        if isRequest, !report.isDeaf { return nil }
        let failure =
            schedule.isReading
            ? schedule.failed(error, partly: !result.readings.isEmpty && !report.isDeaf, at: now)
            : schedule.failedToReceive(error, isDeaf: report.isDeaf, at: now)
        return failure.map {
            .failed(sensor: sensor, error: error, failures: $0.count, retryIn: $0.retryIn)
        }
    }

    private func count(_ index: Int, isRead: Bool, failed: Bool, _ overruns: UInt64) {
        counted.withLock {
            $0[index].reads += isRead ? 1 : 0
            $0[index].receptions += isRead ? 0 : 1
            $0[index].failures += failed ? 1 : 0
            $0[index].overruns = overruns
        }
    }
}
