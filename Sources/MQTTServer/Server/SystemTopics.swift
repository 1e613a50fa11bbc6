internal import NIOCore

/// The values of `$SYS/broker/#`, under the names and in the form that Mosquitto 2.0 gives them.
struct SystemTopics: Sendable {
    private let version: String
    private let begin: NIODeadline
    private var last: NIODeadline
    private var loads: [String: LoadAverages] = [:]
    private var values: [String: String] = [:]

    init(version: String, startedAt begin: NIODeadline) {
        self.version = version
        self.begin = begin
        last = begin
    }

    /// Topics behind `$SYS/broker/` with their values, as far as those have changed since the last time.
    ///
    /// - Parameter isStoreWell: whether the store can write; nil: there is none.
    mutating func update(
        _ statistics: ServerStatistics, connections: Int, isStoreWell: Bool? = nil, at now: NIODeadline
    ) -> [(topic: String, value: String)] {
        let seconds = Double((now - last).nanoseconds) / 1e9
        last = now
        var current = counters(statistics, at: now)
        if let isStoreWell { current.append(("store/state", isStoreWell ? "on disk" : "in memory only")) }
        for (name, total) in Self.rates(statistics, connections: connections) {
            loads[name, default: LoadAverages()].update(total: total, after: seconds)
            guard let load = loads[name] else { continue }
            for (span, value) in [
                ("1min", load.oneMinute), ("5min", load.fiveMinutes), ("15min", load.fifteenMinutes),
            ] {
                current.append(("load/\(name)/\(span)", Self.twoPlaces(value)))
            }
        }
        return current.filter { values.updateValue($0.value, forKey: $0.topic) != $0.value }
    }

    private func counters(_ it: ServerStatistics, at now: NIODeadline) -> [(topic: String, value: String)] {
        let away = max(0, it.sessions - it.connectedClients)
        let messages = it.retainedMessages + it.queuedMessages
        let numbers: [(String, Int)] = [
            ("clients/total", it.sessions), ("clients/maximum", it.maximumConnectedClients),
            ("clients/connected", it.connectedClients), ("clients/active", it.connectedClients),
            ("clients/disconnected", away), ("clients/inactive", away), ("clients/expired", it.expiredSessions),
            ("messages/received", it.packetsReceived), ("messages/sent", it.packetsSent),
            ("messages/stored", messages), ("store/messages/count", messages),
            ("store/messages/bytes", it.retainedBytes + it.queuedBytes),
            ("subscriptions/count", it.subscriptions), ("shared_subscriptions/count", it.sharedSubscriptions),
            ("retained messages/count", it.retainedMessages),
            ("publish/messages/received", it.messagesReceived), ("publish/messages/sent", it.messagesSent),
            ("publish/messages/dropped", it.messagesDroppedInAll),
            ("publish/bytes/received", it.payloadBytesReceived), ("publish/bytes/sent", it.payloadBytesSent),
            ("bytes/received", it.bytesReceived), ("bytes/sent", it.bytesSent),
        ]
        return [("version", version), ("uptime", "\((now - begin).nanoseconds / 1_000_000_000) seconds")]
            + numbers.map { ($0.0, "\($0.1)") }
    }

    private static func rates(_ it: ServerStatistics, connections: Int) -> [(String, Int)] {
        [
            ("messages/received", it.packetsReceived), ("messages/sent", it.packetsSent),
            ("publish/received", it.messagesReceived), ("publish/sent", it.messagesSent),
            ("publish/dropped", it.messagesDroppedInAll), ("bytes/received", it.bytesReceived),
            ("bytes/sent", it.bytesSent), ("sockets", it.socketConnections), ("connections", connections),
        ]
    }

    private static func twoPlaces(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }
}
