import Synchronization
public import Units

/// Reads sensors, each at its own pace.
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
        /// Reads of which all or some channels failed.
        public var failures: UInt64 = 0
        /// Reads that were left out because the one before, or the acceptance of its values, took too long.
        public var overruns: UInt64 = 0
    }

    private let slots: [SensorSlot]
    private let pool: BlockingPool
    private let wallClock: @Sendable () -> Timestamp
    private let counted: Mutex<[Counters]>

    /// - Parameter wallClock: what readings are stamped with.
    public init(
        _ sensors: [ConfiguredSensor], pool: BlockingPool = BlockingPool(),
        wallClock: @escaping @Sendable () -> Timestamp = { .now() }
    ) {
        slots = sensors.map(SensorSlot.init)
        self.pool = pool
        self.wallClock = wallClock
        counted = Mutex(sensors.map { _ in Counters() })
    }

    /// By sensor, in the order of the configuration.
    public var counters: [(sensor: String, counters: Counters)] {
        Array(zip(slots.map(\.name), counted.withLock { $0 }))
    }

    /// Reads until the task is cancelled; then it returns at once, also while reads are stuck.
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
    }

    /// Comes back when the pool could begin a read: at once, unless its threads are all at work.
    ///
    /// - Throws: ``BlockingPoolError`` when no thread is left that is not stuck; `CancellationError`.
    package func waitUntilAbleToRead() async throws { try await pool.run(timeout: SensorSchedule.retryLimit) {} }

    /// Reads every sensor once, all at the same time; results in the order of the configuration.
    public func readOnce() async -> [SensorResult] {
        await withTaskGroup { group in
            for (index, slot) in slots.enumerated() {
                group.addTask { [pool, wallClock] in (index, await slot.read(on: pool, wallClock: wallClock)) }
            }
            var results = [SensorResult?](repeating: nil, count: slots.count)
            for await (index, result) in group { results[index] = result }
            return results.compactMap { $0 }
        }
    }

    private func serve(
        _ index: Int, since start: ContinuousClock.Instant, _ clock: ContinuousClock,
        _ accept: @Sendable (SensorEvent) async -> Void
    ) async {
        let slot = slots[index]
        var schedule = SensorSchedule(every: slot.every, start: .zero)
        while true {
            guard (try? await clock.sleep(until: start + schedule.due)) != nil else { return }
            schedule.begin()
            guard let result = await slot.read(on: pool, wallClock: wallClock) else { return }

            var event: SensorEvent?
            let now = start.duration(to: clock.now)
            if let error = result.error {
                event = schedule.failed(error, partly: !result.readings.isEmpty, at: now).map {
                    .failed(sensor: slot.name, error: error, failures: $0.count, retryIn: $0.retryIn)
                }
            } else {
                event = schedule.succeeded(at: now).map {
                    .recovered(sensor: slot.name, failures: $0.failures, after: $0.after)
                }
            }
            if let event { await accept(event) }
            if !result.readings.isEmpty { await accept(.readings(result.readings)) }

            schedule.end(at: start.duration(to: clock.now))
            count(index, failed: result.error != nil, schedule.overruns)
        }
    }

    private func count(_ index: Int, failed: Bool, _ overruns: UInt64) {
        counted.withLock {
            $0[index].reads += 1
            $0[index].failures += failed ? 1 : 0
            $0[index].overruns = overruns
        }
    }
}
