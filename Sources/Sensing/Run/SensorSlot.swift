import Synchronization
internal import Units

/// A sensor's driver, which one read at a time takes out and puts back.
final class SensorSlot: Sendable {
    let name: String
    let every: Duration

    private let timeout: Duration
    /// Empty while a read is under way, stuck or not.
    private let driver: Mutex<(any SensorDriver)?>

    init(_ sensor: ConfiguredSensor) {
        name = sensor.name
        every = sensor.every
        timeout = sensor.timeout
        driver = Mutex(sensor.driver)
    }

    /// Reads once on the pool. Of a cancelled task nothing is known: nil.
    func read(on pool: BlockingPool, wallClock: @escaping @Sendable () -> Timestamp) async -> SensorResult? {
        var result = SensorResult(sensor: name)
        do {
            guard driver.withLock({ $0 != nil }) else { throw stillReading }
            let (measured, time) = try await pool.run(timeout: timeout) { [self] in
                let time = wallClock()
                return (try readNow(at: time), time)
            }
            result.take(measured, at: time)
        } catch let error as SensorError {
            result.take(error.measured, at: wallClock())
            result.error = result.error ?? error
        } catch let error as BlockingPoolError {
            let place = "sensor \"\(name)\""
            result.error =
                switch error {
                case .timedOut:
                    SensorError(
                        .timedOut, place, "\(error)", mend: "check its device; a slow one needs a longer timeout")
                case .refused: SensorError(.refused, place, "\(error)", mend: "mend the sensors that hang")
                }
        } catch {
            return nil
        }
        return result
    }

    private func readNow(at time: Timestamp) throws(SensorError) -> [Measurement] {
        guard var taken = driver.withLock({ $0.take() }) else { throw stillReading }
        defer { driver.withLock { $0 = taken } }
        return try taken.read(at: time)
    }

    /// The same trouble as running out of time, so that it is told only once.
    private var stillReading: SensorError {
        SensorError(
            .timedOut, "sensor \"\(name)\"", "has not returned from an earlier read",
            mend: "check its device; a read that never returns often means a hung bus or driver")
    }
}
