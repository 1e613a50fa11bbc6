public import MQTT
public import MQTTWire
public import NIOCore
internal import Synchronization
public import Units

/// A queue of data messages, given out as Sparkplug wants them: behind births, numbered without a gap (§6.4.17 of
/// Sparkplug 3.0), those that had to wait marked as historical, and nothing before the node may speak.
///
/// Each connection is a session of its own, so the client's `sessionExpiry` is zero and `returnAfter` nil. Its owner
///
/// - gives `ConnectParameters` the will of ``will(connection:bdSeq:)``, with the next number from a counter that survives
///   restarts (one more for each attempt, 0 after 255);
/// - when the client says `.connected`, subscribes to ``subscriptions``, and when that is granted calls
///   ``open(connection:)``;
/// - gives ``receive(_:_:)`` what arrives, and does what it says;
/// - before a clean end calls ``goodbye(_:)``;
/// - appends through this store, so that births have the newest values.
///
/// **What a cut cable costs.** The specification wants QoS 0, of which the client knows only that the socket took it: what
/// lay in the socket when the line was cut is lost, and nobody is told. So a message stays in the queue until its
/// connection has stood for another `proof`; if the connection ends earlier, the message is given out again on the
/// next one, as historical. With a `proof` that is longer than the client needs to notice a dead line (keep-alive and
/// five times its response timeout), nothing is lost, up to 100,000 messages in that time; hosts get some values twice,
/// with the same time. Rows stay in the queue that much longer. What the server or a host drops after it was received,
/// QoS 0 allows, and nothing here can know.
///
/// The births have what this process has read; a queue that an earlier process has left is told as history, of metrics
/// that are null until they are read again. Births are not repeated within `rebirth_wait`: what needs one waits so long,
/// and what stands behind it too.
public final class SparkplugStore: SessionStore {
    private let store: any SessionStore
    private let settings: SparkplugSettings
    private let proof: Duration
    private let clock: @Sendable () -> ContinuousClock.Instant
    private let wallClock: @Sendable () -> Timestamp
    private let state: Mutex<SparkplugStream>
    private let bell = Mutex<(@Sendable () -> Void)?>(nil)

    /// - Parameters:
    ///   - store: the queue.
    ///   - outputs: the sensors that hosts may set.
    ///   - proof: how long a connection must stand after a message was written until it counts as arrived; zero: it
    ///     counts at once.
    public init(
        _ store: any SessionStore, settings: SparkplugSettings, outputs: Set<String> = [], proof: Duration,
        clock: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        wallClock: @escaping @Sendable () -> Timestamp = { .now() }
    ) {
        self.store = store
        self.settings = settings
        self.proof = proof
        self.clock = clock
        self.wallClock = wallClock
        state = Mutex(SparkplugStream(node: SparkplugNode(settings, outputs: outputs)))
    }

    // MARK: For the owner

    /// Called when there may be more to give out than a call of ``next(maximumCount:maximumBytes:maximumBacklog:)`` gave:
    /// the client's `storeDidChange`.
    public func setBell(_ bell: @escaping @Sendable () -> Void) { self.bell.withLock { $0 = bell } }

    public var statistics: SparkplugStatistics {
        state.withLock { state in
            var all = state.node.statistics
            all.unsent += state.statistics.unsent
            all.repeated += state.statistics.repeated
            all.dropped += state.statistics.dropped
            return all
        }
    }

    /// The will of the connection that is about to be tried: NDEATH (§6.4.25).
    ///
    /// - Parameters:
    ///   - connection: its number, as the client's `parameters` are told.
    ///   - bdSeq: one more than at the attempt before.
    public func will(connection: Int, bdSeq: UInt8) throws(TopicError) -> Will {
        let death = try state.withLock { state throws(TopicError) in
            state.attempt = (connection, bdSeq)
            return try state.node.death(bdSeq: bdSeq)
        }
        return Will(topic: death.topic, payload: death.payload, qos: death.qos, retain: false)
    }

    /// What the node must hear: commands to it and to its devices, its primary host's state, and its own death, should
    /// somebody tell that wrongly.
    public var subscriptions: [Subscription] {
        get throws(TopicError) {
            let command = "\(SparkplugSettings.namespace)\(settings.group)/NCMD/\(settings.node)"
            let device = "\(SparkplugSettings.namespace)\(settings.group)/DCMD/\(settings.node)/+"
            let death = "\(SparkplugSettings.namespace)\(settings.group)/NDEATH/\(settings.node)"
            var subscriptions = [Subscription(filter: try TopicFilter(command), qos: .atLeastOnce)]
            subscriptions.append(Subscription(filter: try TopicFilter(device), qos: .atLeastOnce))
            subscriptions.append(Subscription(filter: try TopicFilter(death), qos: .atLeastOnce))
            if let state = settings.stateTopic {
                subscriptions.append(Subscription(filter: try TopicFilter(state), qos: .atLeastOnce))
            }
            return subscriptions
        }
    }

    /// The ``subscriptions`` are granted on this connection: the births go out, or wait for the primary host.
    ///
    /// - Parameter connection: `ConnectResult.number`. If there is another connection by now, nothing happens.
    public func open(connection: Int) {
        state.withLock { if $0.connection == connection { $0.node.subscribed() } }
        ring()
    }

    /// What arrived for the ``subscriptions``.
    ///
    /// - Returns: what is to be done about it; nil if it is none of them.
    public func receive(_ topic: TopicName, _ payload: ByteBuffer) throws(TopicError) -> [SparkplugAction]? {
        let actions = try state.withLock { state throws(TopicError) in
            let actions = try state.node.receive(topic.string, payload)
            // What the host has perhaps not read any more is told again when it is back.
            if actions?.contains(where: \.isHostOffline) == true { state.takeBack() }
            return actions
        }
        if actions != nil { ring() }
        return actions
    }

    /// Makes metrics known before they have values, so that hosts see them from the first birth on, with null.
    public func declare(_ metrics: [(name: String, type: SparkplugType)]) {
        state.withLock { state in
            state.node.learn(metrics.map { SparkplugMetric($0.name, nil, type: $0.type) }, areNewest: false)
        }
    }

    /// The metrics of an alarm, for ``declare(_:)``.
    public static func metrics(ofAlarm name: String) -> [(name: String, type: SparkplugType)] {
        [("Alarms/\(name)/State", .string), ("Alarms/\(name)/Active", .boolean), ("Alarms/\(name)/Severity", .string)]
    }

    /// Says that the node goes (§5.5): nothing more is given out, and the death is published. DISCONNECT follows it.
    /// What still waits stays in the queue.
    ///
    /// - Parameter publish: the client's `publishNow`, which returns when the server has acknowledged it: and with it,
    ///   all that was written before.
    public func goodbye(_ publish: (Message) async throws -> Void) async {
        let death = state.withLock { state -> Message? in
            defer { state.node.close() }
            state.waiting.removeAll()
            state.mustRewind = true
            return state.node.isBorn ? try? state.node.death(bdSeq: state.node.bdSeq) : nil
        }
        guard let death else { return }
        do {
            try await publish(death)
            state.withLock { $0.prove(before: nil) }
            try await settle()
        } catch {
            // It stays in the queue, and is told again: the safe side.
        }
    }

    private func ring() { bell.withLock { $0 }?() }

    /// Once, however often it is asked for meanwhile.
    private func ring(after delay: Duration) {
        let isSet = state.withLock { state in
            defer { state.isBellSet = true }
            return state.isBellSet
        }
        guard !isSet else { return }
        Task { [weak self] in
            try await Task.sleep(for: delay)
            self?.state.withLock { $0.isBellSet = false }
            self?.ring()
        }
    }

    // MARK: SessionStore

    public var outlivesProcess: Bool { store.outlivesProcess }
    public var isBoundToConnection: Bool { true }

    public func session() async throws -> StoredSession? { try await store.session() }
    public func beginSession(_ name: Int64) async throws { try await store.beginSession(name) }
    public func note(_ steps: ExchangeSteps) async throws { try await store.note(steps) }

    public func connectionBegan() async throws {
        state.withLock { state in
            state.takeBack()
            state.connection = state.attempt.connection
            state.node.connectionBegan(bdSeq: state.attempt.bdSeq)
        }
        try await store.connectionBegan()
    }

    public func connectionEnded() {
        state.withLock { state in
            state.connection = nil
            state.prove(before: clock() - proof)
            state.takeBack()
            state.node.connectionEnded()
        }
    }

    public func append(_ messages: [Message]) async throws -> [MessageID] {
        let metrics = messages.compactMap { try? SparkplugPayload(decoding: $0.payload).metrics }
        // Before: nothing may stand in the queue that a birth does not know of, and count as older than the birth.
        state.withLock { state in
            metrics.forEach { state.node.learn($0, areNewest: true) }
            state.appending += 1
            state.appends += 1
        }
        defer {
            let isDeathDue = state.withLock { state in
                state.appending -= 1
                return state.appending == 0 && state.node.hasDeaths
            }
            if isDeathDue { ring() }
        }
        let ids = try await store.append(messages)
        state.withLock { state in ids.forEach { state.node.didLearn(upTo: $0.sequence) } }
        return ids
    }

    public func next(
        maximumCount: Int, maximumBytes: Int, maximumBacklog: Int
    ) async throws -> [StoredMessage] {
        try await settle()
        var (ready, wants, epoch) = try take(maximumCount)
        guard ready.isEmpty, wants else { return ready }
        if state.withLock({ $0.mustRewind }) {
            // Before, so that what is taken back meanwhile is not forgotten.
            state.withLock { $0.mustRewind = false }
            do {
                try await store.rewind()
            } catch {
                state.withLock { $0.mustRewind = true }
                throw error
            }
        }
        let batch = try await store.next(
            maximumCount: maximumCount, maximumBytes: maximumBytes, maximumBacklog: maximumBacklog)
        let isCurrent = state.withLock { state in
            guard state.epoch == epoch else {
                state.mustRewind = true
                return false
            }
            state.waiting.append(contentsOf: batch)
            return true
        }
        guard isCurrent else { return [] }
        if batch.isEmpty { return try await deaths() }
        (ready, _, epoch) = try take(maximumCount)
        return ready
    }

    /// - Returns: what may be given out now; whether the queue is to be asked for more.
    private func take(_ maximumCount: Int) throws -> ([StoredMessage], wants: Bool, epoch: Int) {
        let (ready, wait, wants, epoch) = try state.withLock { state in
            let (ready, wait) = try state.take(maximumCount, clock(), wallClock())
            return (ready, wait, state.node.maySpeak && wait == nil, state.epoch)
        }
        if let wait { ring(after: wait) }
        return (ready, wants, epoch)
    }

    /// Devices are told to be dead when nothing of theirs waits any more.
    private func deaths() async throws -> [StoredMessage] {
        let (isDue, appends) = state.withLock { ($0.node.maySpeak && $0.node.hasDeaths, $0.appends) }
        guard isDue else { return [] }
        let pending = try await store.pendingCount()
        return try state.withLock { state in
            guard state.node.maySpeak, state.waiting.isEmpty, state.appending == 0, state.appends == appends,
                pending <= state.given.count + state.unproven.count + state.proven.count
            else { return [] }
            return try state.node.deaths(at: wallClock()).map { state.synthetic($0) }
        }
    }

    public func acknowledge(_ ids: [MessageID]) async throws {
        let isAlarmDue = state.withLock { state in
            let now = clock()
            state.written(ids, at: now)
            guard proof > .zero, !state.isAlarmSet, !state.unproven.isEmpty else { return false }
            state.isAlarmSet = true
            return true
        }
        if isAlarmDue { settleLater() }
        try await settle()
    }

    /// Tells the queue what has arrived, also when nothing else happens.
    private func settleLater() {
        Task { [weak self, proof] in
            while true {
                try await Task.sleep(for: proof)
                guard let self else { return }
                // It is tried again with whatever comes next.
                try? await settle()
                let isDone = state.withLock { state in
                    state.isAlarmSet = !state.unproven.isEmpty
                    return !state.isAlarmSet
                }
                if isDone { return }
            }
        }
    }

    private func settle() async throws {
        let (ids, unsayable) = state.withLock { state in
            state.prove(before: clock() - proof)
            defer { (state.proven, state.unsayable) = ([], []) }
            return (state.proven, state.unsayable)
        }
        do {
            if !ids.isEmpty { try await store.acknowledge(ids) }
            if !unsayable.isEmpty { try await store.discard(unsayable, because: .unencodable) }
        } catch {
            // What it did forget of these it ignores the next time.
            state.withLock { state in
                state.proven = ids + state.proven
                state.unsayable = unsayable + state.unsayable
            }
            throw error
        }
    }

    public func discard(_ ids: [MessageID], because reason: DiscardReason) async throws {
        let stored = state.withLock { state in
            let stored = ids.filter { $0.rawValue >= 0 }
            state.statistics.unsent += ids.count - stored.count
            for id in stored { state.given.remove(id) }
            return stored
        }
        if !stored.isEmpty { try await store.discard(stored, because: reason) }
    }

    /// Without what was written and may have to be sent again.
    public func pendingCount() async throws -> Int {
        let written = state.withLock { $0.unproven.count + $0.proven.count }
        return max(try await store.pendingCount() - written, 0)
    }

    public func rewind() async throws { state.withLock { $0.takeBack() } }
}
