import MQTTWire
import NIOCore
import TestSupport

@testable import MQTTServer

/// A state as plain dictionaries, to which changes are applied as their words say.
struct StoreModel: Equatable {
    struct Session: Equatable {
        var session: StoredSession
        var subscriptions: [TopicFilter: StoredSubscription] = [:]
        var queue: [Int64: StoredEntry] = [:]
        var received: Set<PacketIdentifier> = []
        var offers: [TopicFilter: StoredOffer] = [:]
    }

    var sessions: [SessionID: Session] = [:]
    var messages: [Int64: StoredMessage] = [:]
    var retained: [TopicName: Int64] = [:]
    var wills: [[UInt8]: StoredWill] = [:]

    init() {}

    init(_ state: StoredState) {
        for contents in state.sessions {
            sessions[contents.session.id] = Session(
                session: contents.session,
                subscriptions: Dictionary(
                    uniqueKeysWithValues: contents.subscriptions.map { ($0.subscription.filter, $0) }),
                queue: Dictionary(uniqueKeysWithValues: contents.queue.map { ($0.sequence, $0) }),
                received: Set(contents.received),
                offers: Dictionary(uniqueKeysWithValues: contents.offers.map { ($0.filter, $0) }))
        }
        messages = Dictionary(uniqueKeysWithValues: state.messages.map { ($0.id, $0) })
        retained = Dictionary(uniqueKeysWithValues: state.retained.map { ($0.topic, $0.message) })
        wills = Dictionary(uniqueKeysWithValues: state.wills.map { (Array($0.client.utf8), $0.will) })
    }

    mutating func apply(_ change: Change) {
        switch change {
        case .session(let session): sessions[session.id, default: Session(session: session)].session = session
        case .sessionDeleted(let id): sessions[id] = nil
        case .subscribed(let id, let stored): sessions[id]?.subscriptions[stored.subscription.filter] = stored
        case .unsubscribed(let id, let filter):
            sessions[id]?.subscriptions[filter] = nil
            sessions[id]?.offers[filter] = nil
        case .offered(let id, let offer): sessions[id]?.offers[offer.filter] = offer
        case .offerEnded(let id, let filter): sessions[id]?.offers[filter] = nil
        case .sent(let id, let sequence): sessions[id]?.queue[sequence]?.isUnsent = false
        case .message(let message): messages[message.id] = message
        case .messageDeleted(let id): messages[id] = nil
        case .queued(let id, let entry): sessions[id]?.queue[entry.sequence] = entry
        case .released(let id, let sequence): sessions[id]?.queue[sequence]?.isReleased = true
        case .dequeued(let id, let sequence): sessions[id]?.queue[sequence] = nil
        case .received(let id, let identifier): sessions[id]?.received.insert(identifier)
        case .receivedReleased(let id, let identifier): sessions[id]?.received.remove(identifier)
        case .retained(let topic, let message): retained[topic] = message
        case .retainedRemoved(let topic): retained[topic] = nil
        case .will(let client, let will): wills[Array(client.utf8)] = will
        }
    }

    func refers(to message: Int64) -> Bool {
        retained.values.contains(message)
            || sessions.values.contains { $0.queue.values.contains { $0.message == message } }
    }

    /// Deadlines as they stand when time has passed and the board's clock begins anew.
    func moved(from old: NIODeadline, to new: NIODeadline) -> StoreModel {
        func moved(_ deadline: NIODeadline?) -> NIODeadline? { deadline.map { new + max($0 - old, .zero) } }
        var model = self
        for id in sessions.keys { model.sessions[id]?.session.deadline = moved(sessions[id]?.session.deadline) }
        for id in messages.keys { model.messages[id]?.deadline = moved(messages[id]?.deadline) }
        return model
    }

    func state(nextSequence: (SessionID) -> Int64, nextSession: SessionID, nextMessage: Int64) -> StoredState {
        var state = StoredState()
        state.sessions = sessions.map { id, session in
            StoredState.SessionContents(
                session: session.session, subscriptions: Array(session.subscriptions.values),
                queue: session.queue.values.sorted { $0.sequence < $1.sequence }, nextSequence: nextSequence(id),
                received: Array(session.received), offers: Array(session.offers.values))
        }
        state.messages = Array(messages.values)
        state.retained = retained.map { ($0.key, $0.value) }
        state.wills = wills.map { (String(decoding: $0.key, as: UTF8.self), $0.value) }
        state.nextSessionID = nextSession
        state.nextMessageID = nextMessage
        return state
    }
}

/// Makes changes as a broker would: valid, in order, no message without somebody who refers to it.
struct ChangeGenerator {
    var random: SplitMix64
    var now: NIODeadline
    private(set) var model: StoreModel
    private(set) var nextSession: SessionID
    private(set) var nextMessage: Int64
    private(set) var nextSequences: [SessionID: Int64]
    /// How often each kind of change was made.
    private(set) var kinds: [String: Int] = [:]
    private var batch: [Change] = []

    init(_ state: StoredState, seed: UInt64, now: NIODeadline) {
        random = SplitMix64(seed: seed)
        self.now = now
        model = StoreModel(state)
        nextSession = state.nextSessionID
        nextMessage = state.nextMessageID
        nextSequences = Dictionary(uniqueKeysWithValues: state.sessions.map { ($0.session.id, $0.nextSequence) })
    }

    /// Goes on with what a store gave back.
    mutating func restart(with state: StoredState, now: NIODeadline) {
        let kinds = kinds
        let random = random
        self = ChangeGenerator(state, seed: 0, now: now)
        self.kinds = kinds
        self.random = random
    }

    var state: StoredState {
        model.state(
            nextSequence: { nextSequences[$0] ?? 0 }, nextSession: nextSession, nextMessage: nextMessage)
    }

    mutating func next(_ count: Int) -> [Change] {
        batch = []
        while batch.count < count { step() }
        return batch
    }

    private mutating func make(_ change: Change) {
        kinds[Mirror(reflecting: change).children.first?.label ?? "", default: 0] += 1
        model.apply(change)
        batch.append(change)
    }

    private mutating func step() {
        let sessions = model.sessions.keys.sorted()
        guard let id = sessions.randomElement(using: &random), let session = model.sessions[id] else {
            return makeSession()
        }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<4: if sessions.count < 12 { makeSession() }
        case 4..<9:
            var changed = session.session
            changed.deadline = deadline()
            changed.expiryInterval = UInt32.random(in: 0...UInt32.max, using: &random)
            changed.version = ProtocolVersion.allCases.randomElement(using: &random) ?? .v5
            make(.session(changed))
        case 9..<11:
            make(.sessionDeleted(id))
            drop(session.queue.values.map(\.message))
        case 11..<20:
            let subscription = subscription()
            make(.subscribed(id, subscription))
            if Bool.random(using: &random) { make(.offered(id, offer(subscription.subscription.filter))) }
        case 20..<24:
            if let filter = firstFilter(session) { make(.unsubscribed(id, filter)) }
        case 24..<48: publish(to: sessions)
        case 48..<50:
            if let entry = pick(session.queue.values.filter(\.isUnsent)) { make(.sent(id, sequence: entry.sequence)) }
        case 50..<56:
            if let entry = pick(session.queue.values.filter { !$0.isReleased }) {
                make(.released(id, sequence: entry.sequence))
            }
        case 56..<78:
            if let entry = pick(Array(session.queue.values)) {
                make(.dequeued(id, sequence: entry.sequence))
                drop([entry.message])
            }
        case 78..<84: make(.received(id, PacketIdentifier(rawValue: .random(in: 1...40, using: &random)) ?? .first))
        case 96..<98:
            let other = sessions.first { model.sessions[$0]?.offers.isEmpty == false }
            if let other, let filter = model.sessions[other]?.offers.keys.min(by: Self.precedes) {
                make(.offerEnded(other, filter))
            }
        case 84..<88: if let one = session.received.min() { make(.receivedReleased(id, one)) }
        case 88..<93:
            if let topic = model.retained.keys.min(by: { $0.string.utf8.lexicographicallyPrecedes($1.string.utf8) }),
                let message = model.retained[topic]
            {
                make(.retainedRemoved(topic))
                drop([message])
            }
        case 93..<96: make(.will(client: name(), will()))
        default: make(.will(client: name(), nil))
        }
    }

    private func firstFilter(_ session: StoreModel.Session) -> TopicFilter? {
        session.subscriptions.keys.min(by: Self.precedes)
    }

    private static func precedes(_ one: TopicFilter, _ other: TopicFilter) -> Bool {
        one.string.utf8.lexicographicallyPrecedes(other.string.utf8)
    }

    private mutating func offer(_ filter: TopicFilter) -> StoredOffer {
        let last = ["", "é", "e\u{301}", "a/b"].randomElement(using: &random) ?? ""
        return StoredOffer(filter: filter, last: last, below: .random(in: 1...99, using: &random))
    }

    private mutating func pick(_ entries: [StoredEntry]) -> StoredEntry? {
        entries.sorted { $0.sequence < $1.sequence }.randomElement(using: &random)
    }

    private mutating func makeSession() {
        let id = nextSession
        nextSession += 1
        nextSequences[id] = 0
        make(
            .session(
                StoredSession(
                    id: id, clientIdentifier: "client \(id) é😀", username: Bool.random(using: &random) ? "user" : nil,
                    version: .v5, expiryInterval: .max, deadline: deadline())))
    }

    private mutating func publish(to sessions: [SessionID]) {
        guard let topic = topic() else { return }
        let id = nextMessage
        nextMessage += 1
        let size = Int.random(in: 0..<20, using: &random) == 0 ? 20_000 : Int.random(in: 0...200, using: &random)
        let message = ServerMessage(
            topic: topic, payload: ByteBuffer(bytes: random.bytes(size)), qos: qos(),
            retain: .random(using: &random), properties: properties())
        make(.message(StoredMessage(id: id, message: message, publisher: name(), deadline: deadline())))
        if Int.random(in: 0..<4, using: &random) == 0 {
            let before = model.retained[topic]
            make(.retained(topic, message: id))
            if let before { drop([before]) }
        }
        for session in sessions where Bool.random(using: &random) || !model.refers(to: id) {
            let sequence = nextSequences[session] ?? 0
            nextSequences[session] = sequence + Int64.random(in: 1...2, using: &random)
            let identifiers = (0..<Int.random(in: 0...2, using: &random)).map { _ in
                UInt32.random(in: 1...268_435_455, using: &random)
            }
            make(
                .queued(
                    session,
                    StoredEntry(
                        sequence: sequence, message: id, qos: qos(), retain: .random(using: &random),
                        subscriptionIdentifiers: identifiers, isUnsent: .random(using: &random))))
        }
    }

    private mutating func drop(_ messages: [Int64]) {
        for message in Set(messages).sorted() where !model.refers(to: message) { make(.messageDeleted(message)) }
    }

    private mutating func subscription() -> StoredSubscription {
        let filters = ["a/#", "+/b", "$share/g/a/+", "é", "e\u{301}", "a b/c"].compactMap { try? TopicFilter($0) }
        let subscription = Subscription(
            filter: filters[Int.random(in: 0..<filters.count, using: &random)], qos: qos(),
            noLocal: .random(using: &random), retainAsPublished: .random(using: &random),
            retainHandling: .allCases[Int.random(in: 0..<3, using: &random)])
        return StoredSubscription(subscription: subscription, identifier: Bool.random(using: &random) ? 7 : nil)
    }

    private mutating func will() -> StoredWill? {
        guard let topic = topic() else { return nil }
        var properties = properties()
        if Bool.random(using: &random) { properties.willDelayInterval = 30 }
        let will = Will(
            topic: topic, payload: ByteBuffer(bytes: random.bytes(30)), qos: qos(), retain: .random(using: &random),
            properties: properties)
        return StoredWill(will: will, username: Bool.random(using: &random) ? "user" : nil, delay: 30)
    }

    private mutating func properties() -> Properties {
        guard Bool.random(using: &random) else { return [] }
        return [
            .payloadFormatIndicator(true), .messageExpiryInterval(60), .correlationData(ByteBuffer(string: "c")),
            .userProperty(name: "n", value: ""), .userProperty(name: "n", value: "é"),
        ]
    }

    private mutating func topic() -> TopicName? {
        // Two of them look the same, and are not.
        try? TopicName(["é", "e\u{301}", "a/b", "a/", "/", "$x"][Int.random(in: 0..<6, using: &random)])
    }

    private mutating func name() -> String { ["é", "e\u{301}", "", "w"][Int.random(in: 0..<4, using: &random)] }
    private mutating func qos() -> QoS { .allCases[Int.random(in: 0..<3, using: &random)] }

    private mutating func deadline() -> NIODeadline? {
        Bool.random(using: &random) ? now + .milliseconds(.random(in: 0...100_000, using: &random)) : nil
    }
}
