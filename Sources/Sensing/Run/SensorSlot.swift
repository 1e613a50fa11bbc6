import Synchronization
internal import Units

/// A sensor's driver, which one call at a time takes out and puts back.
final class SensorSlot: Sendable {
    /// What a driver is to do.
    enum Work: Sendable {
        case read
        case receive
        case perform(SensorRequest)
    }

    /// What came of it.
    struct Report: Sendable {
        var result: SensorResult
        /// What to wait for.
        var descriptor: Int32?
        /// The sensor should be listened to, and there is nothing to listen to.
        var isDeaf = false
    }

    let name: String
    let every: Duration?
    let phase: Duration
    let mailbox = SensorMailbox()

    private enum Driver {
        case here(any SensorDriver)
        /// A call is under way, within its time or not.
        case away(isLate: Bool)
        /// The same, and its driver is to be stopped when it returns.
        case wanted(Outcome<Void>)
        case stopped
    }

    private let timeout: Duration
    private let driver: Mutex<Driver>
    /// How often it is to be read from now on; set and not seen yet.
    private let wish = Mutex<Duration??>(nil)
    /// Whether the last call took its time.
    private let isSlow = Atomic(false)

    /// - Parameter board: among boards of different names the grids' phases differ.
    init(_ sensor: ConfiguredSensor, board: String) {
        name = sensor.name
        every = sensor.every
        timeout = sensor.timeout
        driver = Mutex(.here(sensor.driver))
        phase = sensor.phase(on: board)
    }

    /// The phase of another grid: the boards of a fleet stay apart.
    func phase(for every: Duration?) -> Duration {
        every == self.every ? phase : every.map { min(phase, $0 / 10) } ?? .zero
    }

    /// - Parameter every: nil: as configured.
    func wish(for every: Duration?) { wish.withLock { $0 = .some(every ?? self.every) } }

    /// - Returns: what was wished for, once; the inner nil is a sensor that is not read by the clock.
    func takeWish() -> Duration?? {
        wish.withLock { wish in
            defer { wish = nil }
            return wish
        }
    }

    /// Does it on the pool; `isListening`: and sees to it that there is a descriptor, if the driver has one. Of a
    /// cancelled task nothing is known: nil.
    func report(
        of work: Work, isListening: Bool = true, on pool: BlockingPool, wallClock: @escaping @Sendable () -> Timestamp
    ) async -> Report? {
        var report = Report(result: SensorResult(sensor: name))
        do {
            let call = try await pool.run(timeout: timeout, isSlow: isSlow.load(ordering: .relaxed)) { [self] in
                let start = ContinuousClock.now
                defer { isSlow.store(start.duration(to: .now) >= BlockingPool.patience, ordering: .relaxed) }
                return try perform(work, isListening: isListening, wallClock)
            }
            report.descriptor = call.descriptor
            report.isDeaf = call.isDeaf
            report.result.take(call.error?.measured ?? call.measured, at: call.time)
            report.result.error?.failing.merge(call.error?.failing ?? [:]) { first, _ in first }
            report.result.error = report.result.error ?? call.error
        } catch let error as SensorError {
            report.result.error = error
            report.isDeaf = true
        } catch let error as BlockingPoolError {
            let place = "sensor \"\(name)\""
            report.isDeaf = true
            if case .timedOut = error { noteLate() }
            report.result.error =
                switch error {
                case .timedOut:
                    SensorError(
                        .timedOut, place, "\(error)", mend: "check its device; a slow one needs a longer timeout")
                case .refused: SensorError(.refused, place, "\(error)", mend: "mend the sensors that hang")
                }
        } catch {
            return nil
        }
        return report
    }

    /// The sensor is no longer needed. A driver that is in a call is stopped when that returns, which is waited for; but
    /// not for a call that is late already.
    func stop(on pool: BlockingPool, within time: Duration, _ wallClock: @escaping @Sendable () -> Timestamp) async {
        mailbox.close()
        let returned = Outcome<Void>()
        let present: (any SensorDriver)? = driver.withLock { state in
            switch state {
            case .here(let driver):
                state = .stopped
                return driver
            case .away(let isLate):
                state = .wanted(returned)
                if isLate { returned.settle(.success(())) }
            case .wanted, .stopped: returned.settle(.success(()))
            }
            return nil
        }
        if let present {
            // It may well be slow, and others wait for their stop.
            _ = try? await pool.run(timeout: time, isSlow: isSlow.load(ordering: .relaxed)) {
                var driver = present
                driver.stop(at: wallClock())
            }
            return
        }
        let timer = Task {
            try await Task.sleep(for: time)
            returned.settle(.success(()))
        }
        defer { timer.cancel() }
        try? await returned.value()
    }

    /// The driver, to be put back; nil if somebody has it.
    private func take() -> (any SensorDriver)? {
        driver.withLock { state in
            guard case .here(let driver) = state else { return nil }
            state = .away(isLate: false)
            return driver
        }
    }

    private func noteLate() {
        driver.withLock { if case .away = $0 { $0 = .away(isLate: true) } }
    }

    private func putBack(_ returning: any SensorDriver, _ wallClock: @Sendable () -> Timestamp) {
        let stopped: Outcome<Void>? = driver.withLock { state in
            guard case .wanted(let outcome) = state else {
                state = .here(returning)
                return nil
            }
            state = .stopped
            return outcome
        }
        guard let stopped else { return }
        var driver = returning
        driver.stop(at: wallClock())
        stopped.settle(.success(()))
    }

    private struct Call: Sendable {
        var measured: [Measurement] = []
        var time: Timestamp
        var error: SensorError?
        var descriptor: Int32?
        var isDeaf = false
    }

    private func perform(
        _ work: Work, isListening: Bool, _ wallClock: @Sendable () -> Timestamp
    ) throws(SensorError) -> Call {
        guard var taken = take() else { throw stillReading }
        defer { putBack(taken, wallClock) }
        var call = Call(time: wallClock())
        do throws(SensorError) {
            switch work {
            case .read: call.measured = try taken.read(at: call.time)
            case .receive:
                guard var listener = taken as? any EventDriver else { break }
                defer { taken = listener }
                call.measured = try listener.receive(at: call.time)
            case .perform(let request): call.measured = try request.perform(&taken, call.time)
            }
        } catch {
            call.error = error
        }
        guard isListening, var listener = taken as? any EventDriver, listener.listens else { return call }
        defer { taken = listener }
        do throws(SensorError) {
            call.descriptor = try listener.open(at: call.time)
        } catch {
            call.isDeaf = true
            if call.error == nil {
                call.error = error
                call.error?.measured = call.measured
            }
        }
        return call
    }

    /// The same trouble as running out of time, so that it is told only once.
    private var stillReading: SensorError {
        SensorError(
            .timedOut, "sensor \"\(name)\"", "has not returned from an earlier read",
            mend: "check its device; a read that never returns often means a hung bus or driver")
    }
}
