internal import DequeModule
public import Logging
public import MQTTWire
public import NIOCore
internal import Synchronization

/// An MQTT client that keeps itself connected.
///
///     let client = MQTTClient(
///         ClientConfiguration(endpoints: [Endpoint(host: "localhost")], clientIdentifier: "gate-7"),
///         eventLoop: group.next())
///     async let running: Void = client.run()
///     try await client.subscribe([Subscription(filter: TopicFilter("gate/7/request"))])
///     try await client.publish(Message(topic: TopicName("gate/7/status"), payload: ByteBuffer(string: "closed")))
///     for await message in client.messages { print(message.topic) }
///
/// ``run()`` connects, and connects again whenever the connection ends, until it is cancelled or ``disconnect(within:keepingWill:)`` is
/// called. Messages go through a ``SessionStore`` first: ``publish(_:until:timeout:)`` works while there is no
/// connection, and by default returns when the store has taken the message.
///
/// The client runs on one event loop (it is an actor with the event loop as its executor), so packets, timers and
/// calls never run beside each other.
public actor MQTTClient {
    nonisolated let eventLoop: any EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    let configuration: ClientConfiguration
    let store: any SessionStore
    /// The store, if it answers at once.
    let immediate: (any ImmediateStore)?
    let logger: Logger

    /// What happens to the connection, for one reader; the newest 256 wait.
    public nonisolated let events: AsyncStream<ClientEvent>
    let eventContinuation: AsyncStream<ClientEvent>.Continuation

    /// What arrives for the client's subscriptions.
    public nonisolated let messages: ReceivedMessages
    let inbox: Inbox
    /// What came with the present read from the socket.
    var arrived: [ReceivedMessage] = []
    var readers = 0
    var hasReader: Bool { readers > 0 }
    /// So many messages wait for the reader that no more should come for now.
    var isFull = false
    var readingPaused = false
    /// Somebody waits for the server's answer, perhaps the reader itself, and it comes behind all that is unread.
    var isAwaited: Bool {
        !waiters.isEmpty || !requestWaiters.isEmpty || !answers.isEmpty || link.reauthentication != nil
    }

    public internal(set) var statistics = ClientStatistics()

    var session: Session
    var link: Link
    var selection: EndpointSelection
    var versions: VersionChoice
    var stopping = false
    /// Connections in a row that the server closed without a word while a QoS 2 message waited for PUBREC.
    var closedOverQoS2 = 0
    var failures = FailureCount()
    var pauseWaiter: CheckedContinuation<Void, Never>?
    var pauseTimer: Scheduled<Void>?
    /// The session that we could resume, by where it is and whose; nil: none.
    var sessionName: Int64?
    /// The session is the one in which an earlier process may have sent what the store gives out.
    var resumesEarlierProcess = false
    /// How many more of its messages an earlier process may have sent, at most, without the store having forgotten them.
    var doubtful = 0
    var beginning: Task<Void, Never>?
    // What the store has to note before the server is told.
    var steps = ExchangeSteps()
    var noting: Task<Void, Never>?
    /// The identifier that the server gave us, when we had none.
    var assignedIdentifier: String?

    // What waits to be sent, behind what the session repeats: first what callers want sent now, then what the store
    // gave out.
    var direct: Deque<(token: UInt64, message: Message)> = []
    var ready: Deque<StoredMessage> = []
    var fetching: Task<Void, Never>?
    var pace: Pace?
    var storeMayHaveMore = true
    nonisolated let isStoreBellRung = Atomic(false)

    // What the store has not been told yet.
    var acknowledged: [MessageID] = []
    var discarded: [DiscardReason: [MessageID]] = [:]
    var tellingStore: Task<Void, Never>?
    var timesTold = 0
    /// Who waits for the store to be empty.
    var deliveryWaiters: Set<UInt64> = []

    // Who waits for what.
    var lastToken: UInt64 = 0
    var waiters: [UInt64: Waiter<ReasonCode>] = [:]
    var storedWaiters: [MessageID: UInt64] = [:]
    var early = EarlyCompletions()
    var subscriptions: [TopicFilter: HeldSubscription] = [:]
    /// Who waits for an answer, by correlation data or by the topic of the answer.
    var answers: [AnswerKey: Waiter<ReceivedMessage>] = [:]
    var answerFilters: [TopicFilter] = []
    var chosenAnswerTopic: TopicName?
    var lastCorrelation: UInt64 = .random(in: 0 ... .max)
    var requests: [UInt64: SubscriptionRequest] = [:]
    var requestWaiters: [UInt64: Waiter<[ReasonCode]>] = [:]
    var sentRequests: [PacketIdentifier: UInt64] = [:]
    /// Subscriptions that a server without our session was asked for again.
    var renewals: [PacketIdentifier: [Subscription]] = [:]

    /// - Parameters:
    ///   - store: where messages wait; in memory unless told otherwise.
    ///   - eventLoop: one of a `MultiThreadedEventLoopGroup`; it must outlive the client.
    public init(
        _ configuration: ClientConfiguration, store: any SessionStore = MemoryStore(), eventLoop: any EventLoop,
        logger: Logger = Logger(label: "mqtt", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        self.configuration = configuration
        self.store = store
        immediate = store as? any ImmediateStore
        self.eventLoop = eventLoop
        self.logger = logger
        link = Link(id: 0, version: configuration.fixedVersion ?? .v5)
        var generator = SystemRandomNumberGenerator()
        selection = EndpointSelection(
            configuration.endpoints, order: configuration.endpointOrder, backoff: configuration.backoff,
            returnAfter: configuration.returnAfter, using: &generator)
        versions = VersionChoice(fixed: configuration.fixedVersion)
        session = Session(
            version: configuration.fixedVersion ?? .v5, maximumInFlight: configuration.maximumInFlight,
            topicAliasMaximum: configuration.topicAliasMaximum)
        pace = configuration.backlogRate.map { Pace(rate: $0, now: .now) }
        session.holdsSteps = store.outlivesProcess
        if store.outlivesProcess { session.beginIdentifiers(at: .random(in: .min ... .max)) }
        (events, eventContinuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(256))
        inbox = Inbox(acknowledges: configuration.acknowledgement == .whenProcessed)
        messages = ReceivedMessages(inbox: inbox)
        inbox.client = self
    }

    deinit {
        eventContinuation.finish()
        inbox.finish()
    }

    // MARK: Publishing

    /// When a publish is done.
    public enum Assurance: Sendable, Hashable {
        /// The store has the message, as durably as it promises.
        case accepted
        /// The broker has acknowledged it (QoS 0: it was written to the socket).
        case acknowledged
    }

    /// Publishes through the store: queued while there is no connection, and sent in order.
    ///
    /// - Parameter timeout: how long to wait for an acknowledgement; when it passes, the message stays in the store
    ///   and will be sent all the same. It is not waited for longer than the message's own expiry.
    /// - Throws: what the store throws when it does not take the message; ``ClientError`` when the broker refused it,
    ///   or when no acknowledgement came in time or before the client stopped: then the message stays in the store.
    @discardableResult
    public nonisolated func publish(
        _ message: Message, until assurance: Assurance = .accepted, timeout: Duration = .seconds(60)
    ) async throws -> MessageID {
        switch assurance {
        case .accepted:
            let ids = try await store.append([message])
            storeDidChange()
            return ids.first ?? MessageID(rawValue: 0)
        case .acknowledged: return try await publishAndWait(message, timeout)
        }
    }

    private func publishAndWait(_ message: Message, _ timeout: Duration) async throws -> MessageID {
        let caller = early.enter()
        let id: MessageID?
        do {
            id = try await store.append([message]).first
        } catch {
            _ = early.leave(caller, with: nil)
            throw error
        }
        let overtaker = early.leave(caller, with: id)
        guard let id else { throw ClientError.stopped }
        let code: ReasonCode
        if let overtaker {
            code = try overtaker.get()
        } else {
            defer { storedWaiters[id] = nil }
            let patience = min(timeout, message.expiry ?? timeout)
            do {
                code = try await wait(timeout: patience) { client, token in
                    client.storedWaiters[id] = token
                    client.storeDidChange()
                }
            } catch ClientError.timedOut where patience < timeout {
                throw ClientError.expired
            }
        }
        if code.isError { throw ClientError.refused(code) }
        return id
    }

    /// Publishes on the present connection or not at all: nothing is stored, and what the store holds waits behind it.
    ///
    /// Comes back when the broker has acknowledged it (QoS 0: when it was handed to the socket).
    ///
    /// - Throws: ``ClientError``; after `connectionLost` and `timedOut` the broker may have the message all the same.
    public func publishNow(_ message: Message, timeout: Duration = .seconds(10)) async throws {
        _ = try await deliverNow(message, timeout: timeout)
    }

    func deliverNow(_ message: Message, timeout: Duration) async throws -> ReasonCode {
        guard !stopping else { throw ClientError.stopped }
        guard link.isUp else { throw ClientError.notConnected }
        var token: UInt64 = 0
        do {
            let code = try await wait(timeout: timeout) { client, newToken in
                token = newToken
                client.direct.append((newToken, message))
                client.pump()
            }
            if code.isError { throw ClientError.refused(code) }
            return code
        } catch {
            // "Now" has passed: if it was not sent yet, it will not be.
            direct.removeAll { $0.token == token }
            throw error
        }
    }

    /// To be called when something was appended to the store without ``publish(_:until:timeout:)``.
    public nonisolated func storeDidChange() {
        // Many may call at once: the event loop is woken once for all of them.
        guard !isStoreBellRung.exchange(true, ordering: .acquiringAndReleasing) else { return }
        onEventLoop { client in
            client.isStoreBellRung.store(false, ordering: .releasing)
            client.storeMayHaveMore = true
            client.pump()
            // A store may let go of messages for reasons of its own.
            if !client.deliveryWaiters.isEmpty { client.wasTold() }
        }
    }

    /// How many messages the store holds that are neither acknowledged nor given up.
    public nonisolated func pendingCount() async throws -> Int { try await store.pendingCount() }

    /// Waits until the store holds no message any more: everything was delivered, or given up.
    ///
    /// - Throws: ``ClientError/timedOut(after:)``; ``ClientError/stopped``; what the store throws.
    public func waitUntilDelivered(timeout: Duration) async throws {
        let deadline = ContinuousClock.now + timeout
        while true {
            let told = timesTold
            if try await store.pendingCount() == 0 { return }
            guard told == timesTold else { continue }
            let remaining = ContinuousClock.now.duration(to: deadline)
            guard remaining > .zero else { throw ClientError.timedOut(after: timeout) }
            var token: UInt64 = 0
            defer { deliveryWaiters.remove(token) }
            do {
                _ = try await wait(timeout: remaining) { client, newToken in
                    token = newToken
                    client.deliveryWaiters.insert(newToken)
                }
            } catch ClientError.timedOut {
                throw ClientError.timedOut(after: timeout)
            }
        }
    }

    /// The store was told of messages that are done with.
    func wasTold() {
        timesTold += 1
        let tokens = deliveryWaiters
        deliveryWaiters.removeAll()
        for token in tokens { resume(token, returning: .success) }
    }

    /// QoS 1 and 2 messages that wait for the broker's last word.
    public var inFlight: Int { session.inFlight }

    public var isConnected: Bool { link.isUp }

    /// The version of MQTT that is spoken: on the present connection, or in the last attempt.
    public var version: ProtocolVersion { link.version }

    // MARK: Waiting

    /// Waits for whoever resumes the token's waiter, at most for `timeout`, and not beyond cancellation.
    func wait(
        timeout: Duration, register: (isolated MQTTClient, UInt64) -> Void
    ) async throws -> ReasonCode {
        guard !stopping else { throw ClientError.stopped }
        lastToken += 1
        let token = lastToken
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let timer = after(timeout) { $0.resume(token, throwing: ClientError.timedOut(after: timeout)) }
                waiters[token] = Waiter(continuation: continuation, timer: timer)
                register(self, token)
                readOn()
            }
        } onCancel: {
            onEventLoop { $0.resume(token, throwing: CancellationError()) }
        }
    }

    /// Runs on the event loop after a while, unless cancelled; does not keep the client alive.
    func after(_ delay: Duration, _ body: @escaping @Sendable (isolated MQTTClient) -> Void) -> Scheduled<Void> {
        eventLoop.scheduleTask(in: TimeAmount(delay)) { [weak self] () -> Void in
            self?.assumeIsolated { body($0) }
        }
    }

    /// From where nothing can be awaited.
    nonisolated func onEventLoop(_ body: @escaping @Sendable (isolated MQTTClient) -> Void) {
        eventLoop.execute { self.assumeIsolated { body($0) } }
    }

    func resume(_ token: UInt64, returning value: ReasonCode) {
        waiters.removeValue(forKey: token)?.resume(with: .success(value))
    }

    func resume(_ token: UInt64, throwing error: any Error) {
        waiters.removeValue(forKey: token)?.resume(with: .failure(error))
    }
}

/// Somebody who waits for an answer.
struct Waiter<Value: Sendable> {
    let continuation: CheckedContinuation<Value, any Error>
    let timer: Scheduled<Void>

    func resume(with result: Result<Value, any Error>) {
        timer.cancel()
        continuation.resume(with: result)
    }
}
