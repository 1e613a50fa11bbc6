internal import Logging
internal import MQTT
internal import MQTTServer
internal import MQTTWire
internal import NIOCore
internal import OpenSSLTransport
internal import Sensing
internal import Settings
internal import Units

/// Brings the messages of brokers to the `mqtt` sensors that want them.
struct SensorSubscriptions: Sendable {
    static let clientIdentifier = "$sensors"
    /// What devices say to the broker inside while the agent reads its configuration again waits so long. What has
    /// waited for longer would come with a time at which it was not measured.
    private static let sessionExpiry = Duration.seconds(60)
    private static let retryInterval = Duration.seconds(1)

    private struct Reader: Sendable {
        var sensor: String
        var filters: [TopicFilter]
        var inlet: MQTTInlet
    }

    private let inside: [Reader]
    private let upstream: [Reader]
    private let others: [(broker: MQTTDriver.Broker, readers: [Reader])]
    private let server: MQTTServer?
    private let device: String
    private let version: ProtocolVersion?
    private let eventLoop: any EventLoop
    private let logger: Logger

    init(_ configuration: AgentConfiguration, server: MQTTServer?, eventLoop: any EventLoop, logger: Logger) {
        var inside: [Reader] = []
        var upstream: [Reader] = []
        var others: [(broker: MQTTDriver.Broker, readers: [Reader])] = []
        for sensor in configuration.sensors {
            guard let driver = sensor.source?.driver as? MQTTDriver else { continue }
            // From now on silence is no trouble.
            driver.inlet.open()
            let reader = Reader(sensor: sensor.name, filters: driver.filters, inlet: driver.inlet)
            switch driver.source ?? (server == nil ? .upstream : .inside) {
            case .inside: inside.append(reader)
            case .upstream: upstream.append(reader)
            case .broker(let broker):
                if let index = others.firstIndex(where: { $0.broker == broker }) {
                    others[index].readers.append(reader)
                } else {
                    others.append((broker, [reader]))
                }
            }
        }
        (self.inside, self.upstream, self.others) = (inside, upstream, others)
        self.server = server
        device = configuration.device.id
        version = configuration.broker.version
        self.eventLoop = eventLoop
        self.logger = logger
    }

    /// Until the task is cancelled.
    ///
    /// - Parameter client: the agent's own.
    func run(_ client: MQTTClient) async {
        await withDiscardingTaskGroup { tasks in
            if !inside.isEmpty {
                tasks.addTask {
                    while !Task.isCancelled {
                        await readInside()
                        try? await Task.sleep(for: Self.retryInterval)
                    }
                }
            }
            if !upstream.isEmpty { tasks.addTask { await subscribe(client, upstream) } }
            for (index, other) in others.enumerated() {
                tasks.addTask { await read(other.broker, other.readers, number: index) }
            }
        }
    }

    /// Gives a message that the agent's own connection has received to those that want it.
    ///
    /// - Returns: false if one of them takes nothing any more: it is to come again.
    func take(_ message: ReceivedMessage) -> Bool { Self.give(message, to: upstream) }

    /// The agent's own connection is there, or is not.
    func upstreamIs(_ event: ClientEvent) { Self.tell(event, upstream) }

    // MARK: The broker inside

    private func readInside() async {
        guard let server else {
            let trouble = SensorError(
                .missing, "the broker inside", "does not exist", mend: #"write [server], or from = "upstream""#)
            for reader in inside { reader.inlet.set(trouble) }
            return
        }
        do {
            let held = await server.subscriptions(of: Self.clientIdentifier).map(\.subscription.filter)
            let local = try await server.connectLocal(
                identifier: Self.clientIdentifier, cleanStart: false, sessionExpiry: Self.sessionExpiry)
            let stale = held.filter { filter in !inside.contains { $0.filters.contains(filter) } }
            if !stale.isEmpty { try await local.unsubscribe(stale) }
            for reader in inside {
                let codes = try await local.subscribe(Self.subscriptions(reader.filters))
                reader.inlet.set(Self.refusal(codes, reader.filters))
            }
            for await message in local.messages {
                let received = message.message
                let incoming = MQTTInlet.Message(
                    topic: received.topic, payload: received.payload, time: .now(), isRetained: received.retain)
                // What is taken no more waits in the session.
                guard Self.give(incoming, to: inside) else { return }
                message.acknowledge()
            }
        } catch {
            logger.error("sensors have no place in the broker", metadata: ["reason": "\(error)"])
        }
        guard !Task.isCancelled else { return }
        for reader in inside { reader.inlet.set(Self.disconnected("the broker inside")) }
    }

    // MARK: Brokers elsewhere

    private func read(_ broker: MQTTDriver.Broker, _ readers: [Reader], number: Int) async {
        var configuration = ClientConfiguration(
            endpoints: [broker.endpoint], clientIdentifier: "\(device)-sensors-\(number + 1)")
        if let caFile = broker.caFile { configuration.tls.trustRoots = .file(caFile) }
        configuration.sessionExpiry = .zero
        let (username, password) = (broker.username, broker.password.map { ByteBuffer(bytes: $0.bytes) })
        configuration.parameters = { _ in ConnectParameters(username: username, password: password) }
        let client = MQTTClient(configuration, store: MemoryStore(), eventLoop: eventLoop, logger: logger)
        await withTaskGroup { tasks in
            tasks.addTask { await client.run() }
            tasks.addTask { for await event in client.events { Self.tell(event, readers) } }
            tasks.addTask { await subscribe(client, readers) }
            tasks.addTask {
                for await message in client.messages {
                    guard Self.give(message, to: readers) else { return }
                }
            }
            await tasks.waitForAll()
        }
    }

    private func subscribe(_ client: MQTTClient, _ readers: [Reader]) async {
        for reader in readers {
            do {
                let codes = try await client.subscribe(
                    Self.subscriptions(reader.filters), timeout: .seconds(365 * 86_400))
                if let refusal = Self.refusal(codes, reader.filters) { reader.inlet.set(refusal) }
            } catch {
                logger.debug("not subscribed", metadata: ["sensor": "\(reader.sensor)", "reason": "\(error)"])
            }
        }
    }

    private static func tell(_ event: ClientEvent, _ readers: [Reader]) {
        for reader in readers {
            switch event {
            case .connected: reader.inlet.set(nil)
            case .connectFailed(let endpoint, let failure, _):
                reader.inlet.set(SensorError(.unavailable, "\(endpoint)", "is not connected: \(failure)"))
            case .disconnected(let reason, _):
                reader.inlet.set(SensorError(.unavailable, "the broker", "is not connected: \(reason)"))
            }
        }
    }

    private static func give(_ message: ReceivedMessage, to readers: [Reader]) -> Bool {
        let message = MQTTInlet.Message(
            topic: message.topic, payload: message.payload, time: .now(), isRetained: message.retain)
        return give(message, to: readers)
    }

    private static func give(_ message: MQTTInlet.Message, to readers: [Reader]) -> Bool {
        var isTaken = true
        for reader in readers where reader.filters.contains(where: { $0.matches(message.topic) }) {
            if !reader.inlet.put(message) { isTaken = false }
        }
        return isTaken
    }

    private static func subscriptions(_ filters: [TopicFilter]) -> [Subscription] {
        filters.map { Subscription(filter: $0, qos: .atLeastOnce) }
    }

    private static func refusal(_ codes: [ReasonCode], _ filters: [TopicFilter]) -> SensorError? {
        guard let (filter, code) = zip(filters, codes).first(where: { $0.1.isError }) else { return nil }
        return SensorError(
            .forbidden, filter.string, "may not be subscribed to: \(code)", mend: "check the broker's access rules")
    }

    private static func disconnected(_ broker: String) -> SensorError {
        SensorError(.unavailable, broker, "is not connected")
    }
}
