import MQTTWire

@testable import MQTTServer

extension Broker {
    /// What its counters say against what there is; empty when all is well.
    var inconsistencies: [String] {
        var found: [String] = []
        func compare<Value: Equatable>(_ name: String, _ counted: Value, _ actual: Value) {
            if counted != actual { found.append("\(name): \(counted) counted, \(actual) there") }
        }
        let present = Array(sessions.all)
        compare("queued messages", statistics.queuedMessages, present.reduce(0) { $0 + $1.pending })
        compare("queued bytes", statistics.queuedBytes, present.reduce(0) { $0 + $1.bytes })
        for session in present {
            compare(
                "bytes of \(session.clientIdentifier)", session.bytes,
                session.entries.reduce(0) { $0 + $1.message.size })
            if session.connection == nil, !session.inFlight.isEmpty || session.hasPassing {
                found.append("\(session.clientIdentifier) has messages on their way and no connection")
            }
            if !session.isStored, session.entries.contains(where: { $0.stored > 0 }) {
                found.append("\(session.clientIdentifier) is not stored, and its messages are")
            }
        }
        compare("sessions", statistics.sessions, present.count)
        compare("sessions by name", sessionByClient.count, present.count)
        compare("connections", statistics.connectedClients, connections.all.count { $0 != nil })
        compare("sessions with connections", statistics.connectedClients, present.count { $0.connection != nil })
        let filters = present.flatMap(\.subscriptions.keys)
        compare("subscriptions", statistics.subscriptions, filters.count)
        compare("shared subscriptions", statistics.sharedSubscriptions, filters.count { $0.isShared })
        if subscriptions.count == 0 { compare("bytes of subscriptions", subscriptions.bytes, 0) }
        compare("bytes of aliases", aliasBytes, connections.all.reduce(0) { $0 + ($1?.aliasBytes ?? 0) })
        let limited = retained.all.filter { !$0.isStatus }
        compare("retained messages", statistics.retainedMessages, limited.count)
        compare("retained bytes", statistics.retainedBytes, limited.reduce(0) { $0 + $1.message.size })
        if journal.isEmpty, journal.bytes != 0 { found.append("an empty journal of \(journal.bytes) bytes") }
        return found
    }
}
