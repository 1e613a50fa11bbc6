internal import Logging
internal import Sensing
internal import Units

/// Brings outputs into their safe state when nobody can command them any more: `safe_after`.
struct OutputGuard: Sendable {
    private let outputs: [(name: String, patience: Duration)]
    private let makeSafe: @Sendable (String) async throws -> Void
    private let logger: Logger
    /// After a failure it is tried again so soon at first, then more and more rarely.
    private static let retry = Duration.seconds(1)...Duration.seconds(30)

    /// - Parameter makeSafe: does it.
    init(
        _ sensors: [AgentConfiguration.Sensor], logger: Logger,
        makeSafe: @escaping @Sendable (String) async throws -> Void
    ) {
        outputs = sensors.compactMap { sensor in sensor.safeAfter.map { (sensor.name, $0) } }
        self.makeSafe = makeSafe
        self.logger = logger
    }

    /// Goes on until cancelled, and sleeps while there is a connection.
    ///
    /// - Parameter changes: whether there is one.
    func run(_ changes: AsyncStream<Bool>) async {
        guard !outputs.isEmpty else { return }
        var vigil: Task<Void, Never>?
        for await isConnected in changes {
            if isConnected {
                vigil?.cancel()
                await vigil?.value
                vigil = nil
            } else if vigil == nil {
                vigil = Task { await keepVigil() }
            }
        }
        vigil?.cancel()
        await vigil?.value
    }

    /// The connection is gone: waits for each output as long as its owner bears, until cancelled.
    private func keepVigil() async {
        await withDiscardingTaskGroup { tasks in
            for (name, patience) in outputs {
                tasks.addTask {
                    var wait = patience
                    var retry = Self.retry.lowerBound
                    while (try? await Task.sleep(for: wait)) != nil {
                        do {
                            try await makeSafe(name)
                            return logger.notice(
                                "an output is in its safe state: there is no connection",
                                metadata: ["sensor": "\(name)", "for": "\(patience.compact)"])
                        } catch {
                            // Who is called away has not failed.
                            if Task.isCancelled { return }
                            logger.warning(
                                "an output is not in its safe state",
                                metadata: [
                                    "sensor": "\(name)", "reason": "\(error)", "retry-in": "\(retry.compact)",
                                ])
                        }
                        (wait, retry) = (retry, min(retry * 2, Self.retry.upperBound))
                    }
                }
            }
        }
    }
}
