internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import Pipeline
internal import Sensing
internal import StoreForward
internal import Units
internal import Uplink

/// The links that a configuration asks for, put together: queues, clients, manners and profiles.
struct Assembly: Sendable {
    /// At least one; the first is the agent's own.
    let links: [Link]
    /// How often the agent was started, this time counted.
    let boot: Int64
    let reach = Reach()
    /// Of the links that go by Fieldpost's own manners.
    private let boards: [(board: Board, link: Int)]
    private let configuration: AgentConfiguration
    private let manager: ServiceManager?
    private let logger: Logger

    /// - Throws: ``AgentError`` if a queue cannot be opened.
    init(
        _ configuration: AgentConfiguration, host: BridgeHost?, manager: ServiceManager?, state: StateFile,
        eventLoop: any EventLoop, logger: Logger
    ) async throws(AgentError) {
        self.configuration = configuration
        self.manager = manager
        self.logger = logger
        var (links, boards): ([Link], [(board: Board, link: Int)]) = ([], [])
        var boot: Int64 = 0
        let plans = configuration.linkPlans
        let commanding = Set(plans.filter(configuration.takesCommands).map(\.name))
        for plan in plans {
            let isFirst = links.isEmpty
            let outbox: Outbox
            var opened: Outbox?
            do {
                outbox = try await Outbox.open(path: plan.queue.path, options: plan.queue.options, logger: logger)
                opened = outbox
                if isFirst { boot = try await outbox.increment(counter: "boot") }
            } catch {
                for link in links { await link.outbox.close() }
                await opened?.close()
                throw .queue("\(error)")
            }
            let link = await Self.link(
                plan, configuration, outbox, isFirst ? host : nil, isFirst ? manager : nil, state, boot: boot,
                eventLoop,
                isFirst: isFirst, logger)
            if let board = link.board { boards.append((board, links.count)) }
            var reachable = link.link
            if commanding.contains(plan.name) || (commanding.isEmpty && isFirst) { reachable.reach = reach }
            links.append(reachable)
        }
        await HomeAssistantDesk.forgetOthers(than: configuration.uplinks, outbox: links[0].outbox, state: state)
        (self.links, self.boards, self.boot) = (links, boards, boot)
    }

    private static func link(
        _ plan: LinkPlan, _ configuration: AgentConfiguration, _ outbox: Outbox, _ host: BridgeHost?,
        _ manager: ServiceManager?, _ state: StateFile, boot: Int64, _ eventLoop: any EventLoop, isFirst: Bool,
        _ logger: Logger
    ) async -> (link: Link, board: Board?) {
        let profiles = plan.uplinks.map { configuration.profile($0) }
        for uplink in plan.uplinks {
            switch uplink.profile {
            case .plain, .senml, .homeAssistant: continue
            case .oneNET(let settings):
                let store = OneNETStore(outbox, settings: settings, logger: logger)
                let manner = OneNETManner(settings, store: store, logger: logger)
                var client = configuration.client(plan, manner)
                settings.configure(&client)
                let link = Link(
                    name: plan.name, outbox: outbox,
                    client: MQTTClient(client, store: store, eventLoop: eventLoop, logger: logger), manner: manner,
                    profiles: profiles, logger: logger)
                return (link, nil)
            case .sparkplug(let settings):
                // As long as it can take to notice a dead line (see the store).
                let proof = plan.broker.keepAlive + plan.broker.responseTimeout * 5
                let mayBeSet = configuration.commands.map { commands in
                    commands.allowed.contains(.set)
                        ? configuration.sensors.filter { $0.isOutput && commands.outputs?.contains($0.name) ?? true }
                        : []
                }
                let store = SparkplugStore(
                    outbox, settings: settings, outputs: Set((mayBeSet ?? []).map(\.name)), proof: proof)
                for alarm in configuration.alarms { store.declare(SparkplugStore.metrics(ofAlarm: alarm.name)) }
                let manner = SparkplugManner(plan.broker, outbox: outbox, store: store, logger: logger)
                var client = configuration.client(plan, manner)
                (client.sessionExpiry, client.returnAfter, client.markBacklog) = (.zero, nil, nil)
                let link = Link(
                    name: plan.name, outbox: outbox, store: store,
                    client: MQTTClient(client, store: store, eventLoop: eventLoop, logger: logger), manner: manner,
                    profiles: profiles, logger: logger)
                return (link, nil)
            }
        }
        let bridge = await Self.bridge(configuration, host, outbox, logger)
        let subscriptions =
            isFirst
            ? SensorSubscriptions(configuration, server: host?.server, eventLoop: eventLoop, logger: logger) : nil
        let board = Board(
            Presence(configuration, boot: boot), outbox: outbox, bridge: bridge?.counters,
            sensors: configuration.sensors.count, manager: manager)
        var desks: [HomeAssistantDesk] = []
        for uplink in plan.uplinks {
            guard case .homeAssistant(let settings) = uplink.profile else { continue }
            desks.append(await HomeAssistantDesk(configuration, uplink, settings, outbox: outbox, state: state))
        }
        let manner = BoardManner(
            configuration, plan.broker, board, bridge: bridge, subscriptions: subscriptions, homeAssistants: desks,
            logger: logger)
        let client = MQTTClient(
            configuration.client(plan, manner), store: bridge?.store ?? outbox, eventLoop: eventLoop, logger: logger)
        return (
            Link(
                name: plan.name, outbox: outbox, client: client, manner: manner, profiles: profiles, logger: logger),
            board
        )
    }

    private static func bridge(
        _ configuration: AgentConfiguration, _ host: BridgeHost?, _ outbox: Outbox, _ logger: Logger
    ) async -> Bridge? {
        guard let host else { return nil }
        if let bridge = Bridge(configuration, host, outbox: outbox, logger: logger) { return bridge }
        await Bridge.forget(on: host.server)
        return nil
    }

    // MARK: The boards

    func begin() async { for entry in boards { await entry.board.begin() } }

    func watch(_ runner: SensorRunner) async { for entry in boards { await entry.board.watch(runner) } }

    func set(_ sensor: String, failing reason: String?) async {
        for entry in boards { await entry.board.set(sensor, failing: reason) }
    }

    func retime(_ judge: ClockJudge) async { for entry in boards { await entry.board.retime { judge.corrected($0) } } }

    /// What the agent says of itself.
    func status() async -> JSON {
        guard let board = boards.first?.board else { return .null }
        let bytes = await board.answer().payload.readableBytesView
        return (try? JSONReader.value(Array(bytes)[...])) ?? .null
    }

    func serve(_ center: CommandCenter, _ settings: CommandSettings) {
        let commanding = Set(configuration.linkPlans.filter(configuration.takesCommands).map(\.name))
        for link in links where commanding.contains(link.name) {
            switch link.manner {
            case let manner as BoardManner:
                manner.serve(
                    CommandDesk(
                        settings: settings, center: center, link: link.name, outbox: link.outbox,
                        reserved: configuration.ownTopics, allowance: CommandDesk.Allowance(), logger: logger))
            case let manner as OneNETManner: manner.serve(center)
            case let manner as SparkplugManner: manner.serve(center)
            default: break
            }
        }
    }
}
