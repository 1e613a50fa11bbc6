internal import MQTTWire
internal import NIOCore

/// The whole server as a value: what happened goes in, what is to be done comes out as ``effects``, and what has to be
/// on disk before others are told as changes. It knows no socket, clock, task or file.
///
/// A connection begins with ``connect(_:_:on:at:)``, goes on with ``receive(_:from:at:)`` and ends with ``closed(_:at:)`` or an
/// ``Effect/close(_:)``. The driver carries out the effects after each call.
struct Broker: Sendable {
    let configuration: ServerConfiguration
    var limits: ServerLimits { configuration.limits }
    /// False: in memory only, and nothing ever waits for the disk.
    let storesChanges: Bool
    /// Somebody reads events.
    var wantsEvents: Bool
    var effects: [Effect] = []
    var statistics = ServerStatistics()

    var sessions = SessionTable()
    var sessionByClient = ClientTable<Int>()
    var connections = PlaceTable<BrokerConnection?>(empty: nil)
    var nextSessionID: SessionID = 1

    var subscriptions = SubscriptionTrie()
    var retained = RetainedMessages()
    /// Whose turn it is, by group and filter; rises for ever.
    var turns: [SubscriptionTrie.GroupPlace: Int] = [:]
    var routes: [TopicName: Route] = [:]
    /// How many recipients there are in `routes`.
    var routedRecipients = 0

    /// Bytes of the topics that clients have given aliases.
    var aliasBytes = 0

    /// Wills of clients that an earlier process knew and whose sessions ended with it, until they come back or the time
    /// is up.
    var orphanedWills = ClientTable<WaitingWill>()
    var journal = Journal()

    /// When ``advance(to:)`` has something to do; nil: never.
    private(set) var nextDeadline: NIODeadline?

    init(
        _ configuration: ServerConfiguration, storesChanges: Bool, restoring state: StoredState? = nil,
        at now: NIODeadline
    ) {
        self.configuration = configuration
        self.storesChanges = storesChanges
        wantsEvents = configuration.hooks.onEvent != nil
        if let state { restore(state, at: now) }
    }

    // MARK: Small things that all parts use

    mutating func note(_ change: Change) {
        if storesChanges { journal.append(change) }
    }

    /// - Parameter durably: only once everything noted so far is on disk.
    mutating func send(_ packet: Packet, on id: ConnectionID, durably: Bool = false) {
        statistics.packetsSent += 1
        effects.append(.send(id, packet, after: durably && storesChanges ? journal.needed : 0))
    }

    /// Events of messages are not made for nobody: ask ``wantsEvents`` before.
    mutating func tell(_ event: ServerEvent) {
        if wantsEvents { effects.append(.event(event)) }
    }

    mutating func dropped(_ message: RoutedMessage, for client: String, _ cause: DropCause) {
        statistics.messagesDropped[cause, default: 0] += 1
        if wantsEvents { tell(.messageDropped(message.message, client: client, cause)) }
    }

    mutating func wake(at deadline: NIODeadline?) {
        guard let deadline else { return }
        nextDeadline = min(nextDeadline ?? deadline, deadline)
    }

    /// The connection, unless it is one that the broker has let go of. (Not of a copy of the broker: hence mutating.)
    mutating func connection(_ id: ConnectionID) -> BrokerConnection? {
        guard id.slot < connections.count, let connection = connections[id.slot], connection.id == id else {
            return nil
        }
        return connection
    }

    // MARK: Time

    /// Does what is due: ends connections that have fallen silent and sessions that nobody came back to, and publishes
    /// wills.
    mutating func advance(to now: NIODeadline) {
        nextDeadline = nil
        for place in connections.indices {
            guard let connection = connections[place], let patience = connection.patience else { continue }
            let deadline = connection.lastHeard + patience
            if deadline <= now {
                let seconds = connection.information.keepAlive
                end(
                    connection.id,
                    .byServer(.keepAliveTimeout, "nothing came for 1.5 times the keep-alive of \(seconds) s"),
                    at: now)
            } else {
                wake(at: deadline)
            }
        }
        for place in Array(sessions.places) {
            if let will = sessions[place].will {
                if will.deadline <= now {
                    sessions[place].will = nil
                    note(.will(client: sessions[place].clientIdentifier, nil))
                    publishWill(will.message, of: will.client, policy: sessions[place].policy, at: now)
                } else {
                    wake(at: will.deadline)
                }
            }
            guard let deadline = sessions[place].deadline else { continue }
            if deadline <= now {
                statistics.expiredSessions += 1
                deleteSession(place, .expired, at: now)
            } else {
                wake(at: deadline)
            }
        }
        for (client, orphan) in orphanedWills.all {
            guard orphan.deadline <= now else {
                wake(at: orphan.deadline)
                continue
            }
            orphanedWills[client] = nil
            note(.will(client: client, nil))
            publishWill(orphan.message, of: orphan.client, policy: nil, at: now)
        }
        if let next = nextDeadline {
            // Many clients with keep-alives of their own must not have us look at all of them all the time.
            nextDeadline = max(next, now + .milliseconds(50))
        }
    }
}
