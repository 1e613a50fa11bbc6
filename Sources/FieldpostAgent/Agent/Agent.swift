public import Logging
internal import MQTT
internal import MQTTServer
internal import MQTTWire
internal import NIOCore
internal import NIOPosix
internal import Sensing
internal import StoreForward
internal import Synchronization
internal import Units
internal import Uplink

/// A running agent: sensors are read into the queue, the queue is emptied to the broker, and the fleet is told how the
/// board fares.
///
///     let agent = Agent(configuration, logger: logger)
///     try await agent.run { await firstSignal() }
public actor Agent {
    private let configuration: AgentConfiguration
    private let logger: Logger
    /// The broker inside, if there is one.
    private let host: BridgeHost?
    /// Who started the process, if it wants to know how the agent fares.
    private let manager: ServiceManager?

    public init(_ configuration: AgentConfiguration, logger: Logger) {
        self.init(configuration, host: nil, manager: nil, logger: logger)
    }

    init(_ configuration: AgentConfiguration, host: BridgeHost?, manager: ServiceManager?, logger: Logger) {
        self.configuration = configuration
        self.host = host
        self.manager = manager
        self.logger = logger
    }

    /// How long each part of stopping may take; together they stay well below the five seconds that a service
    /// manager or an impatient owner grants.
    private enum Grace {
        static let queue = Duration.milliseconds(1000)
        static let status = Duration.milliseconds(1500)
        static let goodbye = Duration.milliseconds(500)
    }

    /// Runs until `stopped` returns, and then stops cleanly: what was read is on disk, and sent if that takes no more
    /// than a second; the status says `offline` and why, and the broker was told goodbye. A broker that does not
    /// answer delays this by no more than three seconds.
    ///
    /// - Throws: ``AgentError`` if it could not begin.
    public func run(until stopped: @escaping @Sendable () async -> StopReason) async throws(AgentError) {
        let outbox: Outbox
        let boot: Int64
        do {
            outbox = try await Outbox.open(
                path: configuration.queue.path, options: configuration.queue.options, logger: logger)
            boot = try await outbox.increment(counter: "boot")
        } catch {
            throw .queue("\(error)")
        }
        let bridge = await makeBridge(outbox)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let board = Board(
            Presence(configuration, boot: boot), outbox: outbox, bridge: bridge?.counters,
            sensors: configuration.sensors.count, manager: manager)
        let client = MQTTClient(
            configuration.client(board), store: bridge?.store ?? outbox, eventLoop: group.next(), logger: logger)
        logger.info(
            "started",
            metadata: [
                "device": "\(configuration.device.id)", "boot": "\(boot)", "sensors": "\(configuration.sensors.count)",
                "queue": "\(configuration.queue.path)", "version": "\(FieldpostVersion.string)",
            ])

        await board.begin()
        let connecting = Task { await client.run() }
        let subscriptions = SensorSubscriptions(
            configuration, server: host?.server, eventLoop: group.next(), logger: logger)
        let reporting = Task { await report(from: board, through: client, to: subscriptions) }
        let watching = Task { await watchOwnStatus(client) }
        let receiving = Task { await receive(from: client, board, bridge, subscriptions) }
        let subscribing = Task { await subscriptions.run(client) }
        let bridging = Task { if let bridge { await bridge.run(client) } }
        let runner = SensorRunner(configuration.sensors.map(\.source), board: configuration.device.id)
        await board.watch(runner)
        let reading = Task { await read(runner, into: outbox, client, board) }
        await manager?.ready(await vitalParts(group.next(), outbox, runner))
        let reason = await stopped()

        logger.info("stopping", metadata: ["reason": "\(reason.rawValue)"])
        let tasks = [reading, reporting, watching, receiving, bridging, subscribing]
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        try? await outbox.flush()
        await sendTheRest(client)
        await sayGoodbye(reason, board, client)
        connecting.cancel()
        await connecting.value
        await outbox.close()
        await manager?.pause()
        try? await group.shutdownGracefully()
    }

    /// The last readings go out while there is a broker to take them; a backlog stays for the next start.
    private func sendTheRest(_ client: MQTTClient) async {
        guard await client.isConnected else { return }
        try? await client.waitUntilDelivered(timeout: Grace.queue)
    }

    /// P1: after a clean stop the status reads `offline` with the reason. If the broker does not take that message it
    /// must not be told to forget the will, which then says as much.
    private func sayGoodbye(_ reason: StopReason, _ board: Board, _ client: MQTTClient) async {
        var isTold = false
        if await client.isConnected {
            do {
                try await client.publishNow(await board.presence.offline(reason, at: .now()), timeout: Grace.status)
                isTold = true
            } catch {
                logger.warning("the broker was not told", metadata: ["reason": "\(error)"])
            }
        }
        await client.disconnect(within: Grace.goodbye, keepingWill: !isTold)
    }

    private func vitalParts(
        _ eventLoop: any EventLoop, _ outbox: Outbox, _ runner: SensorRunner
    ) async -> [ServiceManager.VitalPart] {
        var parts = [
            ServiceManager.VitalPart("event loop") { answer in eventLoop.execute { answer(true) } },
            ServiceManager.VitalPart("queue") { answer in outbox.ask { answer(true) } },
        ]
        if !configuration.sensors.isEmpty {
            parts.append(
                ServiceManager.VitalPart("sensors") { answer in
                    Task {
                        let isAble: Void? = try? await runner.waitUntilAbleToRead()
                        answer(isAble != nil)
                    }
                })
        }
        if let server = host?.server { parts += await server.vitalParts.map { part in .init(part) } }
        return parts
    }

    private func makeBridge(_ outbox: Outbox) async -> Bridge? {
        guard let host else { return nil }
        if let bridge = Bridge(configuration, host, outbox: outbox, logger: logger) { return bridge }
        await Bridge.forget(on: host.server)
        return nil
    }

    // MARK: Reading

    private func read(_ runner: SensorRunner, into outbox: Outbox, _ client: MQTTClient, _ board: Board) async {
        let profile = PlainProfile(device: configuration.device.id)
        let sequence = configuration.uplink.sequence
        let routes = Dictionary(
            configuration.sensors.map { ($0.source.name, ($0.route(sequence: sequence), $0.unit)) },
            uniquingKeysWith: { first, _ in first })
        let logger = logger
        let allowances = Mutex<[String: LogAllowance]>([:])
        // One that comes and goes must not fill the log.
        let tell = { @Sendable (level: Logger.Level, message: Logger.Message, sensor: String, more: Logger.Metadata) in
            guard let omitted = allowances.withLock({ $0[sensor, default: LogAllowance()].admit(at: .now) }) else {
                return
            }
            var metadata = more
            metadata["sensor"] = "\(sensor)"
            if omitted > 0 { metadata["left-out"] = "\(omitted)" }
            logger.log(level: level, message, metadata: metadata)
        }
        let accept = { @Sendable (sensor: String, messages: @Sendable (Int64) throws -> [Message]) async in
            do {
                _ = try await outbox.append(messages)
                client.storeDidChange()
            } catch {
                logger.error("a reading was not accepted", metadata: ["sensor": "\(sensor)", "error": "\(error)"])
            }
        }
        await runner.run { event in
            switch event {
            case .readings(let readings):
                guard let sensor = readings.first?.sensor, let (route, unit) = routes[sensor] else { return }
                await accept(sensor) { first in
                    try readings.enumerated().map { index, reading in
                        var reading = reading
                        reading.unit = unit ?? reading.unit
                        return try profile.message(for: reading, by: route, sequence: first + Int64(index))
                    }
                }
            case .failed(let sensor, let error, let failures, let retry):
                var metadata: Logger.Metadata = ["error": "\(error)", "failures": "\(failures)"]
                // What speaks for itself may have no next read.
                if retry < .seconds(365 * 86_400) { metadata["retry-in"] = "\(retry.compact)" }
                tell(.warning, "sensor failed", sensor, metadata)
                await board.set(sensor, failing: "\(error)")
                // Where some channels fail the others go on to say what they measure.
                guard error.measured.isEmpty, let (route, _) = routes[sensor] else { return }
                let time = Timestamp.now()
                await accept(sensor) { first in
                    [
                        try profile.message(
                            forFailureOf: sensor, reason: "\(error)", at: time, by: route, sequence: first)
                    ]
                }
            case .recovered(let sensor, let failures, let time):
                tell(
                    .info, "sensor recovered", sensor, ["failures": "\(failures)", "after": "\(time.compact)"])
                await board.set(sensor, failing: nil)
            }
        }
    }

    // MARK: Reporting

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

    /// Gives each message that arrives to those whom it concerns.
    private func receive(
        from client: MQTTClient, _ board: Board, _ bridge: Bridge?, _ subscriptions: SensorSubscriptions
    ) async {
        let topic = configuration.status.topic
        for await message in client.messages {
            if message.topic == topic, board.isContradicted(by: String(buffer: message.payload)) {
                logger.notice("the status said that we are offline: contradicted", metadata: ["topic": "\(topic)"])
                await board.announce()
            }
            subscriptions.take(message)
            if await bridge?.take(message, from: client) != true { await client.acknowledge(message) }
        }
    }

    /// Repeats the status: now and then, when a sensor began or ceased to fail, also while there was no connection, and
    /// when a backlog that the last one told of is gone, or more messages may have arrived twice.
    private func report(
        from board: Board, through client: MQTTClient, to subscriptions: SensorSubscriptions
    ) async {
        let every = configuration.status.every
        let bell = board.bell
        let logger = logger
        await withDiscardingTaskGroup { tasks in
            tasks.addTask {
                while (try? await Task.sleep(for: every)) != nil { await board.announce() }
            }
            tasks.addTask {
                for await event in client.events {
                    if case .connected = event { board.ring() }
                    await board.tell(event)
                    subscriptions.upstreamIs(event)
                    await board.set(possibleDuplicates: client.statistics.possibleDuplicates)
                }
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
            if let manager, let server = host?.server { tasks.addTask { await manager.follow(server) } }
            tasks.addTask {
                for await _ in bell {
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
