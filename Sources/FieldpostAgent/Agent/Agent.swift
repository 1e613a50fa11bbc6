public import Logging
internal import MQTT
internal import MQTTServer
internal import NIOCore
internal import NIOPosix
internal import Pipeline
internal import Sensing
internal import StoreForward
internal import Units
internal import Uplink

/// A running agent: sensors are read, what they say is made into readings and alarms and put into queues, the queues are
/// emptied to their brokers, commands are done, and the fleet is told how the board fares.
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
    /// Asks whoever runs the agent to read the configuration again.
    private let reload: Reload?

    public init(_ configuration: AgentConfiguration, logger: Logger) {
        self.init(configuration, host: nil, manager: nil, reload: nil, logger: logger)
    }

    init(
        _ configuration: AgentConfiguration, host: BridgeHost?, manager: ServiceManager?,
        reload: Reload?, logger: Logger
    ) {
        self.configuration = configuration
        self.host = host
        self.manager = manager
        self.reload = reload
        self.logger = logger
    }

    /// Runs until `stopped` returns, and then stops cleanly: what was read is on disk, and sent if that takes no more
    /// than a second; the status says `offline` and why, and the broker was told goodbye. A broker that does not
    /// answer delays this by no more than three seconds.
    ///
    /// - Throws: ``AgentError`` if it could not begin.
    public func run(until stopped: @escaping @Sendable () async -> StopReason) async throws(AgentError) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let state = StateFile(path: configuration.queue.statePath, logger: logger)
        let assembly: Assembly
        do {
            assembly = try await Assembly(
                configuration, host: host, manager: manager, state: state, eventLoop: group.next(), logger: logger)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        logger.info(
            "started",
            metadata: [
                "device": "\(configuration.device.id)", "boot": "\(assembly.boot)",
                "sensors": "\(configuration.sensors.count)", "queue": "\(configuration.queue.path)",
                "version": "\(FieldpostVersion.string)",
            ])

        await assembly.begin()
        let runner = SensorRunner(configuration.sensors.compactMap(\.source), board: configuration.device.id)
        let processing = await Processing(
            configuration.sensors.map(\.processing), configuration.alarms, state: state, logger: logger)
        let center = await serveCommands(assembly, runner, processing, state)
        await center?.begin()
        await assembly.watch(runner)

        let links = assembly.links
        let connecting = links.map { link in Task { await link.client.run() } }
        let linking = links.map { link in Task { await link.run() } }
        let listening = links.map { link in Task { await link.listen() } }
        let gate = gate(of: assembly, behind: processing)
        await gate.begin()
        let delivering = Task { await processing.run { reports in await gate.accept(reports) } }
        let waiting = Task { await gate.run() }
        await processing.begin()
        let reading = Task { await read(runner, into: processing, assembly) }
        let guarding = Task { [configuration, logger] in
            await OutputGuard(configuration.sensors, logger: logger) { _ = try await runner.makeSafe($0) }
                .run(assembly.reach.changes)
        }
        let following = Task { if let manager, let server = host?.server { await manager.follow(server) } }
        await manager?.ready(await vitalParts(group.next(), assembly.links[0].outbox, runner))
        let reason = await stopped()

        logger.info("stopping", metadata: ["reason": "\(reason.rawValue)"])
        await drainInlets()
        let working: [Task<Void, Never>] = [reading, guarding, following]
        center?.queue.close()
        for task in working { task.cancel() }
        for task in working { await task.value }
        // Who has asked is answered.
        await center?.queue.settle(within: Grace.commands)
        // What was read last is still under way.
        delivering.cancel()
        await delivering.value
        waiting.cancel()
        await waiting.value
        await gate.close()
        for task in linking { task.cancel() }
        for task in linking { await task.value }
        await withDiscardingTaskGroup { tasks in
            for link in links { tasks.addTask { await link.leave(reason) } }
        }
        for task in listening + connecting { task.cancel() }
        for task in listening + connecting { await task.value }
        for link in links { await link.outbox.close() }
        await state.finish()
        await manager?.pause()
        try? await group.shutdownGracefully()
    }

    /// Through which reports come to the links.
    private func gate(of assembly: Assembly, behind processing: Processing) -> ClockGate {
        let links = assembly.links
        let clock = BoardClock()
        let world = ClockGate.World(
            moment: { clock.moment() }, isKnown: { clock.isKnown($0) }, boot: clock.boot,
            isConnected: {
                for link in links where await link.client.isConnected { return true }
                return false
            },
            deliver: { await Self.hand($0, to: links) },
            count: { try? await links[0].outbox.count($0) },
            clockWasSet: { judge in
                await processing.retime { judge.corrected($0) }
                await assembly.retime(judge)
            })
        return ClockGate(
            path: configuration.queue.heldPath, options: configuration.queue.options,
            patience: configuration.device.clockWait, world: world, logger: logger)
    }

    private static func hand(_ reports: [Report], to links: [Link]) async {
        if links.count == 1 { return await links[0].accept(reports) }
        await withDiscardingTaskGroup { tasks in
            for link in links { tasks.addTask { await link.accept(reports) } }
        }
    }

    private func serveCommands(
        _ assembly: Assembly, _ runner: SensorRunner, _ processing: Processing, _ state: StateFile
    ) async -> CommandCenter? {
        guard let settings = configuration.commands else { return nil }
        let sensors = Dictionary(
            configuration.sensors.map { sensor in
                (
                    sensor.name,
                    CommandCenter.SensorFacts(
                        isDerived: sensor.source == nil, isOutput: sensor.isOutput,
                        isRate: sensor.processing.isRate)
                )
            }, uniquingKeysWith: { first, _ in first })
        let world = CommandCenter.World(
            runner: runner, processing: processing, sensors: sensors, status: { await assembly.status() },
            reload: reload)
        let center = await CommandCenter(settings, world, state: state, logger: logger)
        assembly.serve(center, settings)
        return center
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

    // MARK: Reading

    /// What devices have said over MQTT was acknowledged, and goes into the queue; what they say from now on is left to
    /// the broker.
    private func drainInlets() async {
        let inlets = configuration.sensors.compactMap { ($0.source?.driver as? MQTTDriver)?.inlet }
        guard !inlets.isEmpty else { return }
        for inlet in inlets { inlet.seal() }
        let left = await withTaskGroup(of: Int.self) { tasks in
            for inlet in inlets { tasks.addTask { await inlet.drain(within: Grace.messages) } }
            return await tasks.reduce(0, +)
        }
        guard left > 0 else { return }
        logger.warning(
            "messages for sensors are lost: stopping may not wait for them", metadata: ["messages": "\(left)"])
    }

    private func read(_ runner: SensorRunner, into processing: Processing, _ assembly: Assembly) async {
        let units = Dictionary(
            configuration.sensors.compactMap { sensor in sensor.unit.map { (sensor.name, $0) } },
            uniquingKeysWith: { first, _ in first })
        let log = SensorLog(logger)
        await runner.run { event in
            switch event {
            case .readings(var readings):
                guard let sensor = readings.first?.sensor else { return }
                if let unit = units[sensor] {
                    for index in readings.indices { readings[index].unit = unit }
                }
                await processing.accept(readings)
            case .failed(let sensor, let error, let failures, let retry):
                log.failed(sensor, error, failures, retry)
                await assembly.set(sensor, failing: "\(error)")
                // Where some channels fail the others go on to say what they measure.
                if error.measured.isEmpty { await processing.fail(sensor, reason: "\(error)") }
            case .channelsFailed(let sensor, let reasons):
                for (channel, reason) in reasons.sorted(by: { $0.key < $1.key }) {
                    await processing.fail(sensor, channel: channel, reason: reason)
                }
            case .recovered(let sensor, let failures, let time):
                log.recovered(sensor, failures, time)
                await assembly.set(sensor, failing: nil)
            }
        }
    }
}
