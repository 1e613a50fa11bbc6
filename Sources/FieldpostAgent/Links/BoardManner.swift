internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import Pipeline
internal import Synchronization
internal import Units
internal import Uplink

/// The manner of Fieldpost's own topics: a retained status with a will that contradicts it (P1 to P3), and commands.
final class BoardManner: LinkManner {
    private let configuration: AgentConfiguration
    private let broker: AgentConfiguration.Broker
    private let board: Board
    /// Of the first link, who carries messages between it and the broker inside.
    private let bridge: Bridge?
    /// Of the first link, sensors that speak through its broker.
    private let subscriptions: SensorSubscriptions?
    /// One for each of its uplinks.
    private let homeAssistants: [HomeAssistantDesk]
    private let logger: Logger
    /// Made when there is something that commands can act on.
    private let desk = Mutex<CommandDesk?>(nil)

    init(
        _ configuration: AgentConfiguration, _ broker: AgentConfiguration.Broker, _ board: Board, bridge: Bridge?,
        subscriptions: SensorSubscriptions?, homeAssistants: [HomeAssistantDesk], logger: Logger
    ) {
        self.configuration = configuration
        self.broker = broker
        self.board = board
        self.bridge = bridge
        self.subscriptions = subscriptions
        self.homeAssistants = homeAssistants
        self.logger = logger
    }

    func serve(_ desk: CommandDesk) { self.desk.withLock { $0 = desk } }

    func parameters(connection: Int) async throws -> ConnectParameters {
        let (will, birth) = await board.introduce(connection: connection)
        var parameters = broker.credentials
        (parameters.will, parameters.birth) = (will, birth)
        return parameters
    }

    func run(_ client: MQTTClient) async {
        let desk = desk.withLock { $0 }
        await withDiscardingTaskGroup { tasks in
            tasks.addTask { await self.watchOwnStatus(client) }
            tasks.addTask { await self.report(through: client) }
            if let bridge { tasks.addTask { await bridge.run(client) } }
            if let subscriptions { tasks.addTask { await subscriptions.run(client) } }
            if let desk { tasks.addTask { await self.subscribe(client, desk.subscriptions, for: "commands") } }
            for homeAssistant in homeAssistants {
                tasks.addTask {
                    await self.subscribe(client, homeAssistant.subscriptions, for: "Home Assistant's messages")
                }
                tasks.addTask { await homeAssistant.run(client) }
            }
        }
    }

    private func subscribe(_ client: MQTTClient, _ wanted: [Subscription], for what: String) async {
        guard !wanted.isEmpty else { return }
        do {
            let codes = try await client.subscribe(wanted, timeout: .seconds(365 * 86_400))
            for (subscription, code) in zip(wanted, codes) where code.isError {
                logger.warning(
                    "the broker refuses a subscription: \(what) do not come",
                    metadata: ["topic": "\(subscription.filter)", "reason": "\(code)"])
            }
        } catch {
            logger.debug("not subscribed", metadata: ["for": "\(what)", "reason": "\(error)"])
        }
    }

    func notice(_ event: ClientEvent, _ client: MQTTClient) async {
        if case .connected = event {
            board.ring()
            for homeAssistant in homeAssistants { await homeAssistant.connected(client) }
        }
        await board.tell(event)
        subscriptions?.upstreamIs(event)
        await board.set(possibleDuplicates: client.statistics.possibleDuplicates)
    }

    func take(_ message: ReceivedMessage, _ client: MQTTClient) async -> Bool {
        let topic = configuration.status.topic
        if message.topic == topic, board.isContradicted(by: String(buffer: message.payload)) {
            logger.notice("the status said that we are offline: contradicted", metadata: ["topic": "\(topic)"])
            await board.announce()
        }
        if let subscriptions, !subscriptions.take(message) { return true }
        if let desk = desk.withLock({ $0 }), await desk.take(message, from: client) { return true }
        for homeAssistant in homeAssistants { await homeAssistant.take(message, client) }
        return await bridge?.take(message, from: client) ?? false
    }

    func observe(_ report: Report) async -> [Message] {
        var messages: [Message] = []
        for homeAssistant in homeAssistants { messages += await homeAssistant.observe(report) }
        return messages
    }

    /// P1: after a clean stop the status reads `offline` with the reason. If the broker does not take that message it
    /// must not be told to forget the will, which then says as much.
    func sayGoodbye(_ reason: StopReason, _ client: MQTTClient) async -> Bool {
        do {
            try await client.publishNow(await board.presence.offline(reason, at: .now()), timeout: Grace.status)
            return true
        } catch {
            logger.warning("the broker was not told", metadata: ["reason": "\(error)"])
            return false
        }
    }

    // MARK: The status

    /// P2: a will may come late, when a broker has held on to a dead connection while we were back on another one, and
    /// then the fleet would believe us dead. So we listen to our own status, and contradict.
    private func watchOwnStatus(_ client: MQTTClient) async {
        let topic = configuration.status.topic
        do {
            let filter = try TopicFilter(topic.string)
            let codes = try await client.subscribe(
                [Subscription(filter: filter, qos: .atLeastOnce, noLocal: await client.version == .v5)],
                timeout: .seconds(365 * 86_400))
            if let code = codes.first, code.isError {
                logger.warning(
                    "the broker does not let us watch our own status: a late will goes unnoticed",
                    metadata: ["topic": "\(topic)", "reason": "\(code)"])
            }
        } catch {
            logger.debug("own status not watched", metadata: ["reason": "\(error)"])
        }
    }

    /// Repeats the status: now and then, when a sensor began or ceased to fail, also while there was no connection, and
    /// when a backlog that the last one told of is gone, or more messages may have arrived twice.
    private func report(through client: MQTTClient) async {
        let every = configuration.status.every
        let (board, logger) = (board, logger)
        await withDiscardingTaskGroup { tasks in
            tasks.addTask {
                while (try? await Task.sleep(for: every)) != nil { await board.announce() }
            }
            tasks.addTask {
                // One timer for all that has to be looked for: each wakes a processor that could sleep.
                while (try? await Task.sleep(for: board.patience, tolerance: .seconds(1))) != nil {
                    await board.noticeEmptyQueue()
                    // Those of an earlier run are counted while they are sent, behind the first status, and slowly if paced.
                    await board.set(possibleDuplicates: client.statistics.possibleDuplicates)
                }
            }
            tasks.addTask { await board.tellOfQueue() }
            tasks.addTask {
                for await _ in board.bell {
                    // What cannot be told now is told with the next connection.
                    guard await client.isConnected, await board.hasNews else { continue }
                    do {
                        try await client.publishNow(await board.online())
                    } catch {
                        await board.notTold()
                        logger.debug("status not published", metadata: ["error": "\(error)"])
                    }
                    // A sensor that comes and goes must not make a flood of statuses.
                    try? await Task.sleep(for: .seconds(1))
                }
            }
        }
    }
}
