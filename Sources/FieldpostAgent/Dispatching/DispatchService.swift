internal import Dispatching
internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import NIOPosix
internal import OpenSSLTransport
internal import Units
internal import UnixSignals

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// `fieldpost dispatch`: hears of alarms and of workers, and sends each alarm to the worker who is best placed.
///
/// SIGTERM and SIGINT stop it within five seconds. What it has decided is on disk before it is told.
public struct DispatchService: Sendable {
    private let configuration: DispatchConfiguration

    public init(_ configuration: DispatchConfiguration) { self.configuration = configuration }

    /// - Throws: `DispatchStoreError` if the tasks cannot be kept.
    public func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let wishes = Wishes()
        let following = Task {
            await wishes.follow(signals) {
                Console.mention("fieldpost: stopping takes too long: leaving; the tasks are on disk")
                _exit(0)
            }
        }
        defer { following.cancel() }
        try await run { while await wishes.next() == nil {} }
    }

    /// Runs until `stopped` returns.
    func run(until stopped: @escaping @Sendable () async -> Void) async throws {
        let logger = Service.logger(configuration.log.level)
        let manager = ServiceManager.start(logger: logger)
        let store = try await DispatchStore.open(path: configuration.path)
        let desk = DispatchDesk(
            Dispatcher(configuration.dispatch, records: try await store.records(), at: .now()), store, logger)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = MQTTClient(configuration.client, eventLoop: group.next(), logger: logger)
        let count = await desk.taskCount
        logger.info("started", metadata: ["tasks": "\(count)", "file": "\(configuration.path)"])
        let connecting = Task { await client.run() }
        let working = Task { await work(desk, client, logger) }
        await manager?.ready([])
        await stopped()
        logger.info("stopping")
        working.cancel()
        await working.value
        try? await client.waitUntilDelivered(timeout: Grace.queue)
        await client.disconnect(within: Grace.goodbye)
        connecting.cancel()
        await connecting.value
        await store.close()
        await manager?.pause()
        try? await group.shutdownGracefully()
    }

    private func work(_ desk: DispatchDesk, _ client: MQTTClient, _ logger: Logger) async {
        let filters = configuration.dispatch.topics.filters.compactMap { try? TopicFilter($0) }
        await withDiscardingTaskGroup { tasks in
            tasks.addTask {
                for await event in client.events {
                    guard case .connected = event else { continue }
                    await desk.resume(client)
                }
            }
            tasks.addTask {
                do {
                    let wanted = filters.map { Subscription(filter: $0, qos: .atLeastOnce) }
                    let codes = try await client.subscribe(wanted, timeout: .seconds(365 * 86_400))
                    for (filter, code) in zip(filters, codes) where code.isError {
                        logger.error(
                            "the broker refuses a subscription",
                            metadata: ["topic": "\(filter)", "reason": "\(code)"])
                    }
                } catch {
                    logger.debug("not subscribed", metadata: ["reason": "\(error)"])
                }
            }
            tasks.addTask {
                for await message in client.messages {
                    await desk.take(message, client)
                    await client.acknowledge(message)
                }
            }
            tasks.addTask { await desk.watchTime(client) }
        }
    }
}

extension DispatchConfiguration {
    fileprivate var client: ClientConfiguration {
        let credentials = broker.credentials
        var client = ClientConfiguration(
            endpoints: broker.servers, version: broker.version, clientIdentifier: broker.clientID
        ) { _ in credentials }
        client.endpointOrder = broker.order
        client.returnAfter = broker.returnAfter
        client.keepAlive = broker.keepAlive
        client.acknowledgement = .byHand
        let sessions = client.tls.sessionCache
        client.tls = broker.tls
        client.tls.sessionCache = sessions
        client.connectTimeout = broker.connectTimeout
        client.responseTimeout = broker.responseTimeout
        client.sessionExpiry = broker.sessionExpiry
        // Answers that workers gave while nobody was here; nothing goes out at QoS 2, whose identifiers would matter.
        client.resumesEarlierSession = true
        client.backoff = Backoff(
            base: broker.reconnect.base, cap: broker.reconnect.cap, stableAfter: broker.reconnect.stableAfter)
        return client
    }
}

/// The dispatcher, its store and its words.
actor DispatchDesk {
    private var dispatcher: Dispatcher
    private let store: DispatchStore
    private let logger: Logger
    private let bell = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    private var isResumed = false
    private var allowance = LogAllowance()
    /// One at a time, in order: what is decided first is kept and told first.
    private var last: Task<Void, Never>?

    init(_ dispatcher: Dispatcher, _ store: DispatchStore, _ logger: Logger) {
        self.dispatcher = dispatcher
        self.store = store
        self.logger = logger
    }

    var taskCount: Int { dispatcher.tasks.count }

    func take(_ message: ReceivedMessage, _ client: MQTTClient) async {
        // The first messages may be here before the word that there is a connection.
        if !isResumed { await resume(client) }
        do throws(InvalidText) {
            let payload = Array(message.payload.readableBytesView)
            let actions = try dispatcher.receive(
                topic: message.topic.string, payload: payload[...], isRetained: message.retain, at: .now())
            await carryOut(actions, client)
        } catch {
            guard let omitted = allowance.admit(at: .now) else { return }
            logger.warning(
                "a message is passed over",
                metadata: ["topic": "\(message.topic)", "reason": "\(error)", "left-out": "\(omitted)"])
        }
    }

    func resume(_ client: MQTTClient) async {
        isResumed = true
        // What is retained comes at once, but in no order that could be relied on.
        await carryOut(dispatcher.resume(at: .now(), listening: .seconds(1)), client)
    }

    /// Until cancelled.
    func watchTime(_ client: MQTTClient) async {
        while !Task.isCancelled {
            let wait = dispatcher.due.map { min(max($0 - .now(), .milliseconds(100)), .seconds(60)) } ?? .seconds(60)
            let timer = Task { [bell] in
                try await Task.sleep(for: wait)
                bell.continuation.yield()
            }
            var rings = bell.stream.makeAsyncIterator()
            await rings.next(isolation: self)
            timer.cancel()
            if Task.isCancelled { return }
            await carryOut(dispatcher.advance(to: .now()), client)
        }
    }

    private func carryOut(_ actions: [DispatchAction], _ client: MQTTClient) async {
        let changes = dispatcher.takeChanges()
        guard !actions.isEmpty || !changes.isEmpty else { return }
        let previous = last
        let task = Task {
            await previous?.value
            await tell(actions, changes, client)
        }
        last = task
        await task.value
        // There may be less time now.
        bell.continuation.yield()
    }

    private func tell(_ actions: [DispatchAction], _ changes: [String: JSON?], _ client: MQTTClient) async {
        if !changes.isEmpty {
            do {
                try await store.save(changes)
            } catch {
                logger.error("the tasks are not kept: a restart would lose them", metadata: ["reason": "\(error)"])
            }
        }
        let now = Timestamp.now()
        for action in actions {
            log(action)
            guard let message = dispatcher.settings.topics.message(for: action, at: now),
                let topic = try? TopicName(message.topic)
            else { continue }
            do {
                try await client.publish(
                    Message(
                        topic: topic, payload: ByteBuffer(string: message.payload?.text ?? ""), qos: .atLeastOnce,
                        retain: message.isRetained))
            } catch {
                logger.error("not told", metadata: ["topic": "\(topic)", "reason": "\(error)"])
            }
        }
    }

    private func log(_ action: DispatchAction) {
        switch action {
        case .offer(let task, let worker, let distance, _):
            logger.info(
                "offered",
                metadata: [
                    "device": "\(task.key.device)", "alarm": "\(task.key.alarm)", "worker": "\(worker)",
                    "metres": "\(distance.map { "\(Int($0))" } ?? "?")",
                ])
        case .confirm(let task, let worker):
            logger.info(
                "accepted",
                metadata: [
                    "device": "\(task.key.device)", "alarm": "\(task.key.alarm)", "worker": "\(worker)",
                ])
        case .withdraw(let task, let worker, let reason):
            logger.info(
                "withdrawn",
                metadata: [
                    "device": "\(task.key.device)", "alarm": "\(task.key.alarm)", "worker": "\(worker)",
                    "reason": "\(reason.rawValue)",
                ])
        case .unassigned(let task):
            logger.warning(
                "nobody is there",
                metadata: ["device": "\(task.key.device)", "alarm": "\(task.key.alarm)"])
        case .forget, .acknowledge, .summary, .forgetSummary: break
        }
    }
}
