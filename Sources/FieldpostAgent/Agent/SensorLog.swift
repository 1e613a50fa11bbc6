internal import Logging
internal import Sensing
internal import Synchronization
internal import Units

/// What the log tells of sensors; one that comes and goes must not fill it.
final class SensorLog: Sendable {
    private let logger: Logger
    private let allowances = Mutex<[String: LogAllowance]>([:])

    init(_ logger: Logger) { self.logger = logger }

    func failed(_ sensor: String, _ error: SensorError, _ failures: Int, _ retry: Duration) {
        var metadata: Logger.Metadata = ["error": "\(error)", "failures": "\(failures)"]
        // What speaks for itself may have no next read.
        if retry < .seconds(365 * 86_400) { metadata["retry-in"] = "\(retry.compact)" }
        tell(.warning, "sensor failed", sensor, metadata)
    }

    func recovered(_ sensor: String, _ failures: Int, _ time: Duration) {
        tell(.info, "sensor recovered", sensor, ["failures": "\(failures)", "after": "\(time.compact)"])
    }

    private func tell(_ level: Logger.Level, _ message: Logger.Message, _ sensor: String, _ more: Logger.Metadata) {
        let admission = allowances.withLock { $0[sensor, default: LogAllowance()].admit(at: .now) }
        guard let omitted = admission else { return }
        var metadata = more
        metadata["sensor"] = "\(sensor)"
        if omitted > 0 { metadata["left-out"] = "\(omitted)" }
        logger.log(level: level, message, metadata: metadata)
    }
}
