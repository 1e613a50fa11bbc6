public import Logging
public import MQTT
internal import MQTTWire
internal import NIOCore
internal import Units

/// A store in front of the queue that lets a post go only when the platform has said that it has it.
///
/// The broker's acknowledgement does not mean that on OneNET: a post that it took may still be refused, or lost behind it. So
/// posts stay in the store below until ``answered(_:)`` brings code 200 for their id, and are given out again when no
/// answer comes, or one that hopes for better times; what waited for the connection goes as history. Everything else
/// is forgotten once the broker has it, as ever.
///
/// The owner calls ``whenChanged(_:)`` first, ``connectionEnded()``, and ``open()`` where there are sub-devices.
public actor OneNETStore: SessionStore {
    public nonisolated var outlivesProcess: Bool { store.outlivesProcess }

    private nonisolated let store: any SessionStore
    private var exchange: OneNETExchange
    private let isGated: Bool
    private var changed: @Sendable () -> Void = {}
    private let logger: Logger
    private var timer: Task<Void, Never>?
    private var timerDue: ContinuousClock.Instant?
    private var lastComplaint: ContinuousClock.Instant?
    private var complaintsKeptBack = 0

    /// - Parameter store: where the messages are.
    public init(
        _ store: any SessionStore, settings: OneNETSettings, logger: Logger = Logger(label: "fieldpost.onenet")
    ) {
        self.store = store
        exchange = OneNETExchange(
            OneNETExchange.Limits(
                window: settings.window, answerWithin: settings.answerWithin, retry: settings.retry,
                attempts: settings.attempts))
        isGated = settings.model == .thing && !settings.subDevices.isEmpty
        self.logger = logger
    }

    deinit { timer?.cancel() }

    public var statistics: OneNETStatistics { exchange.statistics }

    /// Posts that were given out and are not answered.
    public var unanswered: Int { exchange.posts.count }

    // MARK: What the owner tells

    /// - Parameter body: called when there is something to be given out again; to call the client's `storeDidChange`.
    public func whenChanged(_ body: @escaping @Sendable () -> Void) { changed = body }

    /// The platform has answered a post.
    public func answered(_ answer: OneNETAnswer) async {
        switch exchange.answered(answer, at: .now) {
        case .unknown, .later: break
        case .delivered(let post):
            do { try await store.acknowledge([post.stored.id]) } catch { exchange.restore(post, at: .now) }
            changed()
        case .refused(let post):
            complain("OneNET refuses a post", answer)
            await giveUp(post)
            changed()
        }
        arm()
    }

    /// The sub-devices are logged in: posts may follow.
    public func open() {
        exchange.open()
        changed()
    }

    public func connectionLost() { exchange.connectionEnded(at: .now) }

    // MARK: The store of the client

    public func next(
        maximumCount: Int, maximumBytes: Int, maximumBacklog: Int
    ) async throws -> [StoredMessage] {
        await advance()
        var given: [StoredMessage] = []
        let due = exchange.dueCount(at: .now)
        let room = min(exchange.room(at: .now), max(0, maximumCount - due))
        if room > 0 {
            do {
                for stored in try await store.next(
                    maximumCount: room, maximumBytes: maximumBytes, maximumBacklog: maximumBacklog)
                where Self.key(stored.message).map({ exchange.give(stored, key: $0, at: .now) }) ?? true {
                    given.append(stored)
                }
            } catch {
                guard due > 0 else { throw error }
                logger.error("the store gives nothing out", metadata: ["error": "\(error)"])
            }
        }
        let repeated = exchange.due(maximumCount - given.count, at: .now).map { stored in
            var stored = stored
            stored.isBacklog = stored.isBacklog || isOfEarlierConnection(stored.id)
            return stored
        }
        arm()
        return (repeated + given).map { stored in
            guard stored.isBacklog else { return stored }
            var stored = stored
            stored.message = OneNETHistory.rewritten(stored.message)
            return stored
        }
    }

    public func acknowledge(_ ids: [MessageID]) async throws {
        let others = exchange.taken(ids, at: .now)
        if !others.isEmpty { try await store.acknowledge(others) }
        if exchange.dueCount(at: .now) > 0 { changed() }
        arm()
    }

    public func discard(_ ids: [MessageID], because reason: DiscardReason) async throws {
        exchange.discard(ids)
        try await store.discard(ids, because: reason)
    }

    public func connectionBegan() async throws {
        earlier.formUnion(exchange.posts.keys)
        earlier.formIntersection(exchange.posts.keys)
        exchange.connectionBegan(isGated: isGated, at: .now)
        arm()
        try await store.connectionBegan()
    }

    public func rewind() async throws {
        exchange.rewind()
        try await store.rewind()
    }

    public func session() async throws -> StoredSession? { try await store.session() }
    public func beginSession(_ name: Int64) async throws { try await store.beginSession(name) }
    public func note(_ steps: ExchangeSteps) async throws { try await store.note(steps) }
    public func append(_ messages: [Message]) async throws -> [MessageID] { try await store.append(messages) }
    public func pendingCount() async throws -> Int { try await store.pendingCount() }

    // MARK: Inside

    /// Posts that were given out before the present connection began.
    private var earlier: Set<MessageID> = []

    private func isOfEarlierConnection(_ id: MessageID) -> Bool { earlier.contains(id) }

    /// The id under which the platform will answer; nil for what it does not answer.
    static func key(_ message: Message) -> String? {
        let topic = message.topic.string
        guard let suffix = OneNETTopics(of: topic)?.suffix(of: topic), OneNETTopics.posts.contains(suffix),
            let payload = try? JSONReader.value(Array(message.payload.readableBytesView)[...])
        else { return nil }
        return OneNETRequest.id(payload)
    }

    private func advance() async {
        for post in exchange.advance(to: .now) {
            complain("OneNET does not answer a post", OneNETAnswer(id: post.key, code: 0, message: "no answer"))
            await giveUp(post)
        }
    }

    private func giveUp(_ post: OneNETExchange.Post) async {
        do {
            try await store.discard([post.stored.id], because: .refused)
        } catch {
            exchange.restore(post, at: .now)
        }
    }

    /// Once a minute at most: a wrong thing model refuses everything.
    private func complain(_ what: String, _ answer: OneNETAnswer) {
        let now = ContinuousClock.now
        if let lastComplaint, now - lastComplaint < .seconds(60) {
            complaintsKeptBack += 1
            return
        }
        logger.warning(
            "\(what): it is given up",
            metadata: [
                "id": "\(answer.id)", "code": "\(answer.code)", "message": "\(answer.message)",
                "more": "\(complaintsKeptBack)",
            ])
        lastComplaint = now
        complaintsKeptBack = 0
    }

    /// Sees to it that somebody looks when the next answer or repetition is due.
    private func arm() {
        guard let due = exchange.nextDue(after: .now) else { return }
        if let timerDue, timerDue <= due { return }
        timer?.cancel()
        timerDue = due
        timer = Task { [weak self] in
            try? await Task.sleep(until: due, clock: .continuous)
            if !Task.isCancelled { await self?.timerFired() }
        }
    }

    private func timerFired() async {
        timerDue = nil
        await advance()
        if exchange.dueCount(at: .now) > 0 || exchange.room(at: .now) > 0 { changed() }
        arm()
    }
}
