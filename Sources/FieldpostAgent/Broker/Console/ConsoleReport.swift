internal import MQTTServer
internal import MQTTWire
internal import NIOCore
internal import Units

/// What a console asks a server; ``MQTTServer`` answers.
protocol ConsoleServer: Sendable {
    func clients() async -> [ClientStatus]
    func sessions() async -> [SessionStatus]
    func retainedMessages(matching filter: TopicFilter?) async -> [ServerMessage]
    func subscriptions(of client: String?) async -> [SubscriptionStatus]
    func currentStatistics() async -> ServerStatistics
    /// - Returns: how many sessions it goes to.
    func publish(_ message: ServerMessage) async throws -> Int
    func kick(_ client: String) async -> Bool
    func deleteSession(_ client: String) async -> Bool
}

extension MQTTServer: ConsoleServer {
    func currentStatistics() -> ServerStatistics { statistics }
    func kick(_ client: String) -> Bool { disconnect(client) }
}

extension ConsoleCommand {
    /// Asks the server, and says what it answers. ``reload`` and ``exit`` are not its business.
    func report(from server: some ConsoleServer) async -> [String] {
        switch self {
        case .clients: return Self.report(await server.clients())
        case .sessions: return Self.report(await server.sessions())
        case .retained(let filter):
            let messages = await server.retainedMessages(matching: filter)
            // The broker's own, $SYS, only where they are asked for, as with subscriptions.
            return Self.report(messages.filter { filter != nil || $0.topic.string.first != "$" })
        case .subscriptions(let client): return Self.report(await server.subscriptions(of: client))
        case .stats: return Self.report(await server.currentStatistics())
        case .publish(let message):
            do {
                let count = try await server.publish(message)
                return ["published to \(count) \(count == 1 ? "session" : "sessions")"]
            } catch {
                return ["not published: \(error)"]
            }
        case .kick(let client):
            return [await server.kick(client) ? "\(client) is disconnected" : "no client \(client)"]
        case .delete(let client):
            return [await server.deleteSession(client) ? "\(client) is deleted" : "no session \(client)"]
        case .help:
            return Self.commands.map { "  \($0)\(String(repeating: " ", count: max(1, 34 - $0.count)))\($1)" }
        case .reload, .exit: return []
        }
    }

    private static func report(_ clients: [ClientStatus]) -> [String] {
        if clients.isEmpty { return ["no clients"] }
        var table = TextTable(
            "CLIENT", "USER", "MQTT", "ADDRESS", "LISTENER", "KEEP-ALIVE#", "SUBSCRIPTIONS#", "WAITING#")
        for status in clients {
            let client = status.client
            table.add(
                client.identifier, client.username ?? "-", "\(client.version)", client.address,
                client.listener, "\(client.keepAlive)s", "\(status.subscriptions)", "\(status.pendingMessages)")
        }
        return table.lines
    }

    private static func report(_ sessions: [SessionStatus]) -> [String] {
        if sessions.isEmpty { return ["no sessions"] }
        var table = TextTable("SESSION", "USER", "STATE", "ENDS IN", "SUBSCRIPTIONS#", "WAITING#", "SIZE#")
        for session in sessions {
            let end = session.remaining.map { Duration.seconds($0.components.seconds).compact }
            table.add(
                session.clientIdentifier, session.username ?? "-", session.isConnected ? "connected" : "away",
                session.isConnected ? "-" : end ?? "never", "\(session.subscriptions)", "\(session.pendingMessages)",
                "\(ByteCount(bytes: Int64(session.pendingBytes)))")
        }
        return table.lines
    }

    private static func report(_ messages: [ServerMessage]) -> [String] {
        if messages.isEmpty { return ["no retained messages"] }
        var table = TextTable("TOPIC", "QOS#", "SIZE#", "PAYLOAD")
        for message in messages {
            let payload = message.payload
            let isText = String(validating: payload.readableBytesView, as: UTF8.self) != nil
            table.add(
                message.topic.string, "\(message.qos.rawValue)", "\(ByteCount(bytes: Int64(payload.readableBytes)))",
                isText ? String(buffer: payload) : "(no text)")
        }
        return table.lines
    }

    private static func report(_ subscriptions: [SubscriptionStatus]) -> [String] {
        if subscriptions.isEmpty { return ["no subscriptions"] }
        var table = TextTable("CLIENT", "FILTER", "QOS#", "OPTIONS")
        for status in subscriptions {
            let subscription = status.subscription
            var options: [String] = []
            if subscription.noLocal { options.append("no-local") }
            if subscription.retainAsPublished { options.append("retain-as-published") }
            if let identifier = status.identifier { options.append("identifier \(identifier)") }
            table.add(
                status.clientIdentifier, subscription.filter.string, "\(subscription.qos.rawValue)",
                options.joined(separator: ", "))
        }
        return table.lines
    }

    private static func report(_ statistics: ServerStatistics) -> [String] {
        func size(_ bytes: Int) -> String { "\(ByteCount(bytes: Int64(bytes)))" }
        let dropped = statistics.messagesDropped.filter { $0.value > 0 }
            .sorted { "\($0.key)" < "\($1.key)" }.map { "\($0.value) (\($0.key))" }
        return [
            "clients        \(statistics.connectedClients) now, \(statistics.maximumConnectedClients) at most",
            "connections    \(statistics.socketConnections) made, \(statistics.connectionsRefused) refused",
            "sessions       \(statistics.sessions) now, \(statistics.expiredSessions) expired",
            "subscriptions  \(statistics.subscriptions), \(statistics.sharedSubscriptions) of them shared",
            "retained       \(statistics.retainedMessages) messages, \(size(statistics.retainedBytes))"
                + (statistics.retainedRefused > 0 ? ", \(statistics.retainedRefused) refused" : ""),
            "waiting        \(statistics.queuedMessages) messages, \(size(statistics.queuedBytes))",
            "received       \(statistics.messagesReceived) messages, \(statistics.packetsReceived) packets, \(size(statistics.bytesReceived))",
            "sent           \(statistics.messagesSent) messages, \(statistics.packetsSent) packets, \(size(statistics.bytesSent))",
            "nobody wanted  \(statistics.messagesNotConsumed) messages",
            "dropped        " + (dropped.isEmpty ? "none" : dropped.joined(separator: ", ")),
        ]
    }
}
