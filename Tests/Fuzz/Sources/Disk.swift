import MQTTWire

@testable import MQTTServer

/// A store that is a value: what a broker noted, put together again.
struct Disk {
    private(set) var state = StoredState()

    mutating func apply(_ changes: [Change]) {
        for change in changes { apply(change) }
    }

    private mutating func apply(_ change: Change) {
        switch change {
        case .session(let session):
            state.nextSessionID = max(state.nextSessionID, session.id + 1)
            if let index = state.sessions.firstIndex(where: { $0.session.id == session.id }) {
                state.sessions[index].session = session
            } else {
                state.sessions.append(StoredState.SessionContents(session: session))
            }
        case .sessionDeleted(let id): state.sessions.removeAll { $0.session.id == id }
        case .subscribed(let id, let subscription):
            edit(id) { contents in
                contents.subscriptions.removeAll { $0.subscription.filter == subscription.subscription.filter }
                contents.subscriptions.append(subscription)
            }
        case .unsubscribed(let id, let filter):
            edit(id) { $0.subscriptions.removeAll { $0.subscription.filter == filter } }
        case .message(let message):
            require(!state.messages.contains { $0.id == message.id }, "a message is stored twice")
            state.nextMessageID = max(state.nextMessageID, message.id + 1)
            state.messages.append(message)
        case .messageDeleted(let id):
            require(state.messages.contains { $0.id == id }, "a message is deleted that is not stored")
            state.messages.removeAll { $0.id == id }
        case .queued(let id, let entry):
            require(state.messages.contains { $0.id == entry.message }, "an entry without its message")
            edit(id) { contents in
                contents.queue.append(entry)
                contents.nextSequence = max(contents.nextSequence, entry.sequence + 1)
            }
        case .released(let id, let sequence):
            edit(id) { contents in
                guard let index = contents.queue.firstIndex(where: { $0.sequence == sequence }) else { return }
                contents.queue[index].isReleased = true
            }
        case .dequeued(let id, let sequence): edit(id) { $0.queue.removeAll { $0.sequence == sequence } }
        case .received(let id, let identifier):
            edit(id) { contents in
                if !contents.received.contains(identifier) { contents.received.append(identifier) }
            }
        case .receivedReleased(let id, let identifier): edit(id) { $0.received.removeAll { $0 == identifier } }
        case .retained(let topic, let message):
            require(state.messages.contains { $0.id == message }, "a retained message without its body")
            state.retained.removeAll { $0.topic == topic }
            state.retained.append((topic, message))
        case .retainedRemoved(let topic): state.retained.removeAll { $0.topic == topic }
        case .will(let client, let will):
            state.wills.removeAll { $0.client == client }
            if let will { state.wills.append((client, will)) }
        }
    }

    /// Of a session that is there: a database would refuse what belongs to none.
    private mutating func edit(_ id: SessionID, _ body: (inout StoredState.SessionContents) -> Void) {
        guard let index = state.sessions.firstIndex(where: { $0.session.id == id }) else {
            fatalError("a change to session \(id), which is not stored")
        }
        body(&state.sessions[index])
    }

    /// What is on disk must be what the broker itself would write now.
    func check(against broker: Broker) {
        var copy = broker
        let memory = copy.everything().state
        Self.compare(
            "sessions", state.sessions.map(\.session.clientIdentifier), memory.sessions.map(\.session.clientIdentifier))
        for contents in memory.sessions {
            guard let stored = state.sessions.first(where: { $0.session.id == contents.session.id }) else {
                fatalError("session \(contents.session.id) is not on disk")
            }
            let name = contents.session.clientIdentifier
            require(stored.session.expiryInterval == contents.session.expiryInterval, "the expiry of \(name)")
            Self.compare("subscriptions of \(name)", stored.subscriptions, contents.subscriptions)
            Self.compare("received identifiers of \(name)", stored.received, contents.received)
            Self.compare("queue of \(name)", stored.queue, contents.queue)
        }
        Self.compare("retained messages", state.retained.map { "\($0)" }, memory.retained.map { "\($0)" })
        Self.compare("messages", state.messages.map(\.id), memory.messages.map(\.id))
        Self.compare(
            "wills", state.wills.map { "\($0.client) \($0.will.will)" },
            memory.wills.map { "\($0.client) \($0.will.will)" })
    }

    private static func compare<Element: Hashable>(_ what: String, _ disk: [Element], _ memory: [Element]) {
        let (disk, memory) = (Set(disk), Set(memory))
        require(
            disk == memory,
            "\(what): only on disk \(disk.subtracting(memory)), only in memory \(memory.subtracting(disk))")
    }
}
