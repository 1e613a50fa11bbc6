internal import Logging
internal import MQTTWire
public import NIOCore
internal import OpenSSLTransport
internal import Synchronization

/// An MQTT broker, 3.1, 3.1.1 and 5.0, inside a program.
///
///     let server = MQTTServer(
///         ServerConfiguration(listeners: [Listener(address: .tcp(host: "127.0.0.1", port: 1883))]),
///         eventLoop: group.next())
///     try await server.start()
///     try await server.publish(ServerMessage(topic: TopicName("gate/7/open"), payload: ByteBuffer(string: "now")))
///     …
///     await server.stop()
///
/// One event loop carries all connections (the server is an actor with the event loop as its executor), so packets,
/// timers and calls never run beside each other. One server per instance: it starts and stops once.
public actor MQTTServer {
    enum Phase { case idle, starting, running, stopping, stopped }

    nonisolated let eventLoop: any EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    let configuration: ServerConfiguration
    let openStore: StoreOpener?
    let logger: Logger
    var limits: ServerLimits { configuration.limits }

    var phase = Phase.idle
    var broker: Broker
    var doors: [Door] = []
    var connections = ConnectionTable()
    /// Connections that came over the network.
    var networkConnections = 0
    nonisolated let receiveBuffers = ReceiveBuffers.Shared()

    // What is to be written, and what the broker wants.
    /// Bytes of answers that a client may leave unread before it is not read from either.
    var maximumAnswers = 1 << 20
    var dirty: [ConnectionID] = []
    var isTickScheduled = false
    var effects: [Effect] = []
    var isDraining = false
    /// Bytes of packets whose end is still to come, of all connections, and how many they may be.
    var inputBytes = 0
    var maximumInput: Int

    // Time.
    var advanceTimer: (deadline: NIODeadline, task: Scheduled<Void>)?
    var patienceTimer: (deadline: NIODeadline, task: Scheduled<Void>)?
    var greetings: Patience
    var farewells = Patience(.seconds(5))
    var lingerings = Patience(.seconds(1))
    var stalls = Patience(.seconds(60))
    /// Clients that do not read: when they are given up, and what was unwritten when their time began.
    var stalled: [ConnectionID: (deadline: NIODeadline, unwritten: Int)] = [:]

    // The store.
    var store: (any ServerStore)?
    var storeStatus = ServerStoreStatus()
    /// The last batch that is on disk.
    var committed = 0
    /// The last batch that somebody waits for.
    var awaited = 0
    var isCommitting = false
    var commitTimer: Scheduled<Void>?
    /// A store that fails is asked again.
    var retryTimer: Scheduled<Void>?
    var holding: [ConnectionID] = []
    var commitWaiters: [(batch: Int, continuation: CheckedContinuation<Void, Never>)] = []
    var isStoreBehind = false

    // Clients inside this program.
    var localClients = ClientTable<ConnectionID>()
    var holdingLocal: [ConnectionID] = []
    /// Those that publishers wait for.
    var exactingReaders: [ConnectionID] = []
    var isReaderBehind = false

    // Who comes in.
    /// How long a program may take to decide.
    var hookTimeout = Duration.seconds(10)
    var passwordChecks = PasswordChecks()
    var refusals = RefusalLog()
    /// Since the start.
    var clientsLetIn = 0

    // Who listens.
    nonisolated let eventStream: AsyncStream<ServerEvent>
    nonisolated let eventContinuation: AsyncStream<ServerEvent>.Continuation
    nonisolated let areEventsWanted = Atomic(false)
    /// Events that nobody has read in time.
    public internal(set) var droppedEvents = 0

    var systemTopics: SystemTopics
    var systemTimer: Scheduled<Void>?

    // The beginning and the end.
    private var starting: Task<Void, any Error>?
    private var ending: Task<Void, Never>?
    var emptyWaiter: CheckedContinuation<Void, Never>?
    var runWaiter: CheckedContinuation<Void, Never>?

    /// - Parameter eventLoop: one of a `MultiThreadedEventLoopGroup`; it must outlive the server.
    public init(_ configuration: ServerConfiguration, eventLoop: any EventLoop) {
        self.init(configuration, openStore: Self.storeOpener(configuration), eventLoop: eventLoop)
    }

    init(_ configuration: ServerConfiguration, openStore: StoreOpener?, eventLoop: any EventLoop) {
        self.configuration = configuration
        self.openStore = openStore
        self.eventLoop = eventLoop
        logger = configuration.logger
        systemTopics = SystemTopics(version: configuration.version, startedAt: .now())
        broker = Broker(configuration, storesChanges: false, at: .now())
        maximumInput = max(64 << 20, 4 * configuration.limits.maximumPacketSize)
        greetings = Patience(configuration.limits.connectTimeout)
        (eventStream, eventContinuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1_024))
    }

    deinit { eventContinuation.finish() }

    /// What happens, for one reader; the newest 1,024 wait, see ``droppedEvents``. Who never asks for it pays nothing.
    public nonisolated var events: AsyncStream<ServerEvent> {
        if !areEventsWanted.exchange(true, ordering: .acquiringAndReleasing) {
            onEventLoop { $0.broker.wantsEvents = true }
        }
        return eventStream
    }

    // MARK: Life

    /// Reads certificates, opens the store, and listens.
    ///
    /// - Throws: ``ServerError``, which names the listener; then nothing is bound.
    public func start() async throws {
        guard phase == .idle else { throw ServerError(.alreadyStarted, "the server was started before") }
        phase = .starting
        let starting = Task { try await begin() }
        self.starting = starting
        try await starting.value
    }

    private func begin() async throws {
        do {
            try await open()
        } catch {
            phase = .stopping
            await closeDoors()
            closeConnections()
            await store?.close()
            store = nil
            phase = .stopped
            eventContinuation.finish()
            throw error
        }
    }

    private func open() async throws {
        try check()
        warnOfFewFiles()
        let contexts = try await Self.contexts(configuration.listeners)
        var state: StoredState?
        if let openStore {
            let opened = try await openStore()
            store = opened.store
            state = opened.state
        }
        broker = Broker(configuration, storesChanges: store != nil, restoring: state, at: .now())
        broker.wantsEvents = broker.wantsEvents || areEventsWanted.load(ordering: .acquiring)
        var sockets: [[BoundSocket]] = []
        do {
            for listener in configuration.listeners { sockets.append(try await BoundSocket.bind(listener)) }
        } catch {
            sockets.joined().forEach { $0.abandon() }
            throw error
        }
        doors = zip(configuration.listeners, contexts).enumerated().map { index, pair in
            Door(pair.0, access: configuration.access, secure: pair.1, addresses: sockets[index].map(\.address))
        }
        phase = .running
        try await listen(sockets)
        startSystemTopics()
        tell(.started)
        drain(at: .now())
    }

    /// Starts, goes on until the task is cancelled or somebody calls ``stop(timeout:)``, and stops.
    ///
    /// - Throws: what ``start()`` throws.
    public func run() async throws {
        try await start()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled || phase != .running { return continuation.resume() }
                runWaiter = continuation
            }
        } onCancel: {
            onEventLoop { $0.resumeRun() }
        }
        await stop()
    }

    private func resumeRun() {
        runWaiter?.resume()
        runWaiter = nil
    }

    /// Takes no more connections, says goodbye to clients (5.0: 0x8B), waits until everything is written and stored, and
    /// closes. While the server starts, it waits for that first.
    ///
    /// - Parameter timeout: how long clients have to take what is written to them; the store has as long again.
    public func stop(timeout: Duration = .seconds(5)) async {
        _ = await starting?.result
        if phase == .running {
            phase = .stopping
            ending = Task { await end(timeout) }
        }
        await ending?.value
    }

    private func end(_ timeout: Duration) async {
        await closeDoors()
        let now = NIODeadline.now()
        broker.shutDown(at: now)
        for case .remote(let connection) in connections.all where connection.phase != .up {
            hangUp(connection, "the server stops")
        }
        drain(at: now)
        await waitUntilEmpty(timeout)
        closeConnections()
        await commitEverything(timeout)
        await store?.close()
        store = nil
        for timer in [advanceTimer?.task, patienceTimer?.task, commitTimer, retryTimer, systemTimer] { timer?.cancel() }
        tell(.stopped)
        phase = .stopped
        eventContinuation.finish()
        resumeRun()
    }

    private func closeConnections() {
        for peer in connections.all {
            switch peer {
            case .remote(let connection): connection.channel.close(promise: nil)
            case .local(let connection): end(connection)
            }
        }
    }

    private func waitUntilEmpty(_ timeout: Duration) async {
        guard connections.count > 0 else { return }
        let timer = after(timeout) { $0.resumeEmptyWaiter() }
        await withCheckedContinuation { emptyWaiter = $0 }
        timer.cancel()
    }

    func resumeEmptyWaiter() {
        emptyWaiter?.resume()
        emptyWaiter = nil
    }

    /// Where the server listens: each listener's name with its addresses, whose ports are the real ones.
    public var addresses: [(listener: String, address: SocketAddress)] {
        doors.flatMap { door in door.addresses.map { (door.name, $0) } }
    }

    // MARK: Small things

    /// Runs on the event loop after a while, unless cancelled; does not keep the server alive.
    func after(_ delay: Duration, _ body: @escaping @Sendable (isolated MQTTServer) -> Void) -> Scheduled<Void> {
        at(.now() + TimeAmount(delay), body)
    }

    func at(_ deadline: NIODeadline, _ body: @escaping @Sendable (isolated MQTTServer) -> Void) -> Scheduled<Void> {
        eventLoop.scheduleTask(deadline: deadline) { [weak self] () -> Void in
            self?.assumeIsolated { body($0) }
        }
    }

    /// From where nothing can be awaited.
    nonisolated func onEventLoop(_ body: @escaping @Sendable (isolated MQTTServer) -> Void) {
        eventLoop.execute { self.assumeIsolated { body($0) } }
    }

    func tell(_ event: ServerEvent) {
        configuration.hooks.onEvent?(event)
        guard areEventsWanted.load(ordering: .relaxed) else { return }
        if case .dropped = eventContinuation.yield(event) { droppedEvents += 1 }
    }
}
