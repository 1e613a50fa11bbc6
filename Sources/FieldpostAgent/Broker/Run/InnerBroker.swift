internal import Logging
internal import MQTTServer

/// The broker inside an agent, from one configuration of the agent's to the next.
struct InnerBroker {
    private var broker: RunningBroker?
    private var door: AgentDoor?
    private let admission = BridgeAdmission()
    /// What it was started with.
    private var settings: Settings?

    private struct Settings: Equatable {
        var toml: [String]
        /// Nil: the agent has another broker.
        var client: String?
    }

    /// Makes it what the configuration wants: starts, replaces or stops it, or reads its files again.
    ///
    /// - Returns: the configuration for the agent, whose broker is this one if it names none.
    /// - Throws: ``BrokerError``; then there is none.
    mutating func adapt(
        to configuration: AgentConfiguration, logger: Logger
    ) async throws(BrokerError) -> AgentConfiguration {
        guard var wanted = configuration.server else {
            await stop()
            return configuration
        }
        let isOwn = configuration.broker.servers.isEmpty
        // To log more or less is no reason to lose clients.
        wanted.log = BrokerConfiguration.Log()
        let settings = Settings(toml: wanted.toml, client: isOwn ? configuration.broker.clientID : nil)
        admission.prepare(configuration.bridges, isStarting: settings != self.settings)
        if settings == self.settings {
            await broker?.reload()
        } else {
            await stop()
            if isOwn {
                let door = AgentDoor(clientID: configuration.broker.clientID)
                door.add(to: &wanted)
                self.door = door
            }
            admission.add(to: &wanted.server.hooks)
            let started = try await RunningBroker.start(wanted, logger: logger)
            broker = started
            self.settings = settings
            for line in await started.announcement() { logger.info("the broker listens", metadata: ["at": "\(line)"]) }
        }
        var configuration = configuration
        if let door, let port = await broker?.port(of: AgentDoor.name) {
            door.connect(&configuration.broker, port: port)
        }
        return configuration
    }

    /// Where a bridge is at home.
    var host: BridgeHost? { broker.map { BridgeHost(server: $0.server, admission: admission) } }

    mutating func stop() async {
        // With what the agent needs for its goodbye it stays below five seconds.
        await broker?.stop(within: .milliseconds(600))
        broker = nil
        door = nil
        settings = nil
    }
}
