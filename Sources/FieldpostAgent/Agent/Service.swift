internal import Logging
internal import Sensing
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

    public init(_ configuration: AgentConfiguration, file: String) {
        self.configuration = configuration
        self.file = file
    }

    /// - Throws: ``AgentError`` if the agent could not begin, ``BrokerError`` if the broker inside it could not.
    public func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        let wishes = Wishes()
        let listening = Task {
            await wishes.follow(signals) {
                Console.mention("fieldpost: stopping takes too long: leaving; what was accepted is on disk")
                RunningPrograms.kill()
                _exit(0)
            }
        }
        defer {
            listening.cancel()
            RunningPrograms.kill()
        }

        var present = configuration
        /// What ran before a reload, to be gone back to.
        var former: AgentConfiguration?
        var broker = InnerBroker()
        let manager = ServiceManager.start(logger: Self.logger(present.log.level))
        while true {
            let logger = Self.logger(present.log.level)
            let next = Reloaded()
            do {
                let isOwnBroker = present.broker.servers.isEmpty
                await manager?.update { $0.isOwnBroker = isOwnBroker }
                let connected = try await broker.adapt(to: present, logger: logger)
                let agent = Agent(
                    connected, host: broker.host, manager: manager, reload: reload(wishes),
                    logger: logger)
                try await agent.run {
                    await stopOrReload(wishes, into: next, manager, logger)
                }
                former = nil
            } catch {
                // The file is good, but what it names is not: a queue in a folder that is not there.
                guard let last = former else {
                    await broker.stop()
                    throw error
                }
                logger.error("back to the configuration before", metadata: ["reason": "\(error)"])
                await manager?.update { $0.refusal = "\(error)" }
                (present, former) = (last, nil)
                continue
            }
            guard let reloaded = await next.configuration else { return await broker.stop() }
            (present, former) = (reloaded, present)
        }
    }

    private func reload(_ wishes: Wishes) -> Reload {
        Reload(
            problem: {
                do {
                    _ = try AgentConfiguration.read(file: file)
                    return nil
                } catch {
                    return "\(error)".split(separator: "\n").first.map(String.init)
                }
            },
            go: { await wishes.wishReload() })
    }

    private func stopOrReload(
        _ wishes: Wishes, into next: Reloaded, _ manager: ServiceManager?, _ logger: Logger
    ) async -> StopReason {
        while true {
            if let reason = await wishes.next() {
                await manager?.stop(within: Wishes.patience)
                return reason
            }
            await manager?.reload()
            do {
                let (configuration, warnings) = try AgentConfiguration.read(file: file)
                for warning in warnings { Console.warning(warning) }
                await next.set(configuration)
                return .reloading
            } catch {
                Console.error("\(error)")
                logger.error("not reloaded: going on with the old configuration", metadata: ["file": "\(file)"])
                await manager?.ready(refusing: error.place)
            }
        }
    }

    private actor Reloaded {
        private(set) var configuration: AgentConfiguration?
        func set(_ configuration: AgentConfiguration) { self.configuration = configuration }
    }

    static func logger(_ level: Logger.Level) -> Logger {
        var logger = Logger(label: "fieldpost", factory: { _ in TextLogHandler() })
        logger.logLevel = level
        return logger
    }
}
