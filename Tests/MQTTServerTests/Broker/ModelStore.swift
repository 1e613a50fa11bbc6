import MQTTWire

@testable import MQTTServer

/// A store as the plainest reading of ``Change`` has it. It finds fault with changes that make no sense.
struct ModelStore: Equatable {
    struct Session: Equatable {
        var record: StoredSession
        var subscriptions: [TopicFilter: StoredSubscription] = [:]
        var queue: [Int64: StoredEntry] = [:]
        var nextSequence: Int64 = 0
        var received: Set<PacketIdentifier> = []
        var offers: [TopicFilter: StoredOffer] = [:]
    }

    private(set) var sessions: [SessionID: Session] = [:]
    private(set) var messages: [Int64: StoredMessage] = [:]
    private(set) var retained: [TopicName: Int64] = [:]
    private(set) var wills: [String: StoredWill] = [:]
    private var nextSessionID: SessionID = 1
    private var nextMessageID: Int64 = 1
    private(set) var faults: [String] = []
    /// By message; for the checks.
    private var references: [Int64: Int] = [:]

    init() {}

    init(_ state: StoredState) {
        for message in state.messages { messages[message.id] = message }
        for contents in state.sessions {
            var session = Session(record: contents.session)
            for subscription in contents.subscriptions {
                session.subscriptions[subscription.subscription.filter] = subscription
            }
            for entry in contents.queue {
                session.queue[entry.sequence] = entry
                references[entry.message, default: 0] += 1
            }
            session.received = Set(contents.received)
            session.nextSequence = contents.nextSequence
            for offer in contents.offers { session.offers[offer.filter] = offer }
            sessions[contents.session.id] = session
        }
        for (topic, message) in state.retained {
            retained[topic] = message
            references[message, default: 0] += 1
        }
        for (client, will) in state.wills { wills[client] = will }
        nextSessionID = state.nextSessionID
        nextMessageID = state.nextMessageID
    }

    /// What matters of it: numbers that were given to what never came here may be higher elsewhere.
    var essence: ModelStore {
        var essence = self
        for id in sessions.keys { essence.sessions[id]?.nextSequence = 0 }
        essence.nextMessageID = 1
        essence.nextSessionID = 1
        return essence
    }

    /// What clients could tell of it, who do not see numbers.
    var byClient: [String: Session] {
        var clients: [String: Session] = [:]
        for var session in sessions.values {
            session.nextSequence = 0
            session.record.id = 0
            let entries = session.queue.values.sorted { $0.sequence < $1.sequence }
            session.queue = [:]
            for (place, var entry) in entries.enumerated() {
                entry.sequence = Int64(place)
                entry.message = 0
                entry.isUnsent = false
                session.queue[entry.sequence] = entry
            }
            clients[session.record.clientIdentifier] = session
        }
        return clients
    }

    var state: StoredState {
        var state = StoredState()
        for session in sessions.values.sorted(by: { $0.record.id < $1.record.id }) {
            state.sessions.append(
                StoredState.SessionContents(
                    session: session.record, subscriptions: Array(session.subscriptions.values),
                    queue: session.queue.values.sorted { $0.sequence < $1.sequence },
                    nextSequence: session.nextSequence, received: Array(session.received),
                    offers: Array(session.offers.values)))
        }
        state.messages = messages.values.sorted { $0.id < $1.id }
        state.retained = retained.map { ($0.key, $0.value) }
        state.wills = wills.map { ($0.key, $0.value) }
        state.nextSessionID = nextSessionID
        state.nextMessageID = nextMessageID
        return state
    }

    mutating func apply(_ changes: [Change]) {
        for change in changes { apply(change) }
        for id in messages.keys where references[id] == nil { faults.append("nothing refers to message \(id)") }
    }

    private mutating func apply(_ change: Change) {
        switch change {
        case .session(let record):
            nextSessionID = max(nextSessionID, record.id + 1)
            if sessions[record.id] == nil { sessions[record.id] = Session(record: record) }
            sessions[record.id]?.record = record
        case .sessionDeleted(let id):
            for entry in known(id)?.queue.values.map({ $0 }) ?? [] { release(entry.message) }
            sessions[id] = nil
        case .subscribed(let id, let subscription):
            if known(id) != nil { sessions[id]?.subscriptions[subscription.subscription.filter] = subscription }
        case .unsubscribed(let id, let filter):
            if known(id)?.subscriptions[filter] == nil { faults.append("no subscription to \(filter) to end") }
            sessions[id]?.subscriptions[filter] = nil
            sessions[id]?.offers[filter] = nil
        case .offered(let id, let offer):
            if known(id)?.subscriptions[offer.filter] == nil { faults.append("an offer without a subscription") }
            sessions[id]?.offers[offer.filter] = offer
        case .offerEnded(let id, let filter):
            if known(id) != nil { sessions[id]?.offers[filter] = nil }
        case .message(let message):
            if message.id < nextMessageID { faults.append("message \(message.id) is stored again") }
            nextMessageID = max(nextMessageID, message.id + 1)
            messages[message.id] = message
        case .messageDeleted(let id):
            if messages.removeValue(forKey: id) == nil { faults.append("no message \(id) to delete") }
            if references[id] != nil { faults.append("message \(id) is deleted and still wanted") }
        case .queued(let id, let entry):
            guard let session = known(id) else { return }
            if entry.sequence < session.nextSequence { faults.append("sequence \(entry.sequence) is used again") }
            if messages[entry.message] == nil { faults.append("no message \(entry.message) to queue") }
            sessions[id]?.queue[entry.sequence] = entry
            sessions[id]?.nextSequence = entry.sequence + 1
            references[entry.message, default: 0] += 1
        case .sent(let id, let sequence):
            if known(id)?.queue[sequence]?.isUnsent != true { faults.append("no unsent entry \(sequence)") }
            sessions[id]?.queue[sequence]?.isUnsent = false
        case .released(let id, let sequence):
            if known(id)?.queue[sequence]?.qos != .exactlyOnce { faults.append("no entry \(sequence) to release") }
            sessions[id]?.queue[sequence]?.isReleased = true
        case .dequeued(let id, let sequence):
            guard let entry = known(id)?.queue[sequence] else {
                faults.append("no entry \(sequence) to remove")
                return
            }
            sessions[id]?.queue[sequence] = nil
            release(entry.message)
        case .received(let id, let identifier):
            if known(id)?.received.contains(identifier) == true { faults.append("\(identifier) is received again") }
            sessions[id]?.received.insert(identifier)
        case .receivedReleased(let id, let identifier):
            if known(id)?.received.contains(identifier) == false { faults.append("\(identifier) was not received") }
            sessions[id]?.received.remove(identifier)
        case .retained(let topic, let message):
            if messages[message] == nil { faults.append("no message \(message) to retain") }
            if let old = retained.updateValue(message, forKey: topic) { release(old) }
            references[message, default: 0] += 1
        case .retainedRemoved(let topic):
            if let old = retained.removeValue(forKey: topic) { release(old) }
        case .will(let client, let will): wills[client] = will
        }
    }

    private mutating func known(_ id: SessionID) -> Session? {
        if sessions[id] == nil { faults.append("no session \(id)") }
        return sessions[id]
    }

    private mutating func release(_ message: Int64) {
        let left = (references[message] ?? 0) - 1
        if left < 0 { faults.append("message \(message) is released too often") }
        references[message] = left > 0 ? left : nil
    }
}
