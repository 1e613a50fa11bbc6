internal import Logging
internal import Settings
internal import UnixSignals

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The agent as a process: runs it, and does what signals say.
///
/// SIGTERM and SIGINT stop it, SIGHUP reads the configuration again. After the first of SIGTERM and SIGINT the process
/// ends within five seconds, come what may: a disk that hangs must not keep a service manager waiting.
public struct Service: Sendable {
    private let configuration: AgentConfiguration
    private let file: String

    /// How long a clean stop may take.
    private static let patience = Duration.milliseconds(4500)

    public init(_ configuration: AgentConfiguration, file: String) {
        self.configuration = configuration
        self.file = file
    }

    /// - Throws: ``AgentError`` if the agent could not begin.
    public func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        let (wishes, wish) = AsyncStream<Wish>.makeStream(bufferingPolicy: .bufferingOldest(8))
        let file = file
        let listening = Task {
            for await signal in signals {
                switch signal {
                case .sighup: wish.yield(.reload)
                case .sigint: wish.yield(.stop(.interrupted))
                default: wish.yield(.stop(.stopped))
                }
                if signal != .sighup {
                    // In a task of its own: the one that stops the agent may be what hangs.
                    Task.detached {
                        try await Task.sleep(for: Self.patience)
                        Console.error("fieldpost: stopping takes too long: leaving; what was accepted is on disk")
                        _exit(0)
                    }
                }
            }
        }
        defer { listening.cancel() }

        var next: AgentConfiguration? = configuration
        let box = Reloaded()
        while let present = next {
            let logger = Self.logger(present.log.level)
            next = nil
            try await Agent(present, logger: logger).run {
                for await wish in wishes {
                    switch wish {
                    case .stop(let reason): return reason
                    case .reload:
                        do {
                            let (configuration, warnings) = try AgentConfiguration.load(path: file)
                            for warning in warnings { Console.error(warning.line(file: file)) }
                            await box.set(configuration)
                            return .reloading
                        } catch {
                            Console.error("\(error)")
                            logger.error(
                                "not reloaded: going on with the old configuration", metadata: ["file": "\(file)"])
                        }
                    }
                }
                return .stopped
            }
            next = await box.take()
        }
    }

    private enum Wish: Sendable { case stop(StopReason), reload }

    private actor Reloaded {
        private var configuration: AgentConfiguration?
        func set(_ configuration: AgentConfiguration) { self.configuration = configuration }
        func take() -> AgentConfiguration? {
            defer { configuration = nil }
            return configuration
        }
    }

    static func logger(_ level: Logger.Level) -> Logger {
        var logger = Logger(label: "fieldpost", factory: { _ in TextLogHandler() })
        logger.logLevel = level
        return logger
    }
}
