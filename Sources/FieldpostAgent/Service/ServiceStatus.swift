internal import MQTT
internal import OpenSSLTransport
internal import Settings
internal import Units

/// How the service fares, for the one line of `systemctl status`, which every user of the board may read: names of
/// hosts, sensors and files, and no more of what a peer has said.
struct ServiceStatus: Sendable, Hashable {
    enum Connection: Sendable, Hashable {
        case connecting(since: Timestamp)
        case connected(to: String)
        case offline(since: Timestamp, reason: String)
    }

    /// Nil if there is no agent, only a broker.
    var connection: Connection?
    /// The agent's broker is the one inside it.
    var isOwnBroker = false
    var queued = 0
    /// So many messages on their way while there is a connection are nothing to tell.
    var usualQueue = 0
    /// Why the queue is not on disk.
    var queueFailure: String?
    /// By name, sensors that give nothing.
    var failing: [String] = []
    /// Of a broker inside.
    var clients: Int?
    /// Why that one's state is not on disk.
    var storeFailure: String?
    /// Parts that hang, as the watchdog sees it.
    var hanging: [String] = []
    /// Where the last new configuration was wrong.
    var refusal: String?
    /// What goes on beside all that, such as "stopping".
    var activity: String?

    mutating func apply(_ event: ClientEvent, at now: Timestamp) {
        let start: Timestamp =
            switch connection {
            case .connecting(let since), .offline(let since, _): since
            case .connected, nil: now
            }
        switch event {
        case .connected(let result): connection = .connected(to: Self.place(result.endpoint))
        case .connectFailed(_, let failure, _): connection = .offline(since: start, reason: failure.ownWords)
        case .disconnected(.returning, _), .disconnected(.requested, _): connection = .connecting(since: now)
        case .disconnected(let reason, _): connection = .offline(since: start, reason: reason.ownWords)
        }
    }

    var text: String {
        var parts: [String] = []
        if let activity { parts.append(activity) }
        if let connection { parts.append(Self.text(connection, isOwnBroker)) }
        if connection != nil, queued > (isConnected ? usualQueue : 0) { parts.append("\(queued) queued") }
        if let clients { parts.append("\(clients) client\(clients == 1 ? "" : "s")") }
        if !hanging.isEmpty { parts.append("hanging: \(hanging.joined(separator: ", "))") }
        if let queueFailure { parts.append("the queue is in memory only: \(queueFailure)") }
        if let storeFailure { parts.append("the broker's state is in memory only: \(storeFailure)") }
        if let refusal { parts.append("new configuration refused, going on with the old one: \(refusal)") }
        if !failing.isEmpty {
            let names = failing.sorted()
            let rest = names.count > 3 ? " and \(names.count - 3) more" : ""
            parts.append("failing: \(names.prefix(3).joined(separator: ", "))\(rest)")
        }
        return parts.isEmpty ? "running" : parts.joined(separator: "; ")
    }

    private var isConnected: Bool { if case .connected? = connection { true } else { false } }

    private static func text(_ connection: Connection, _ isOwnBroker: Bool) -> String {
        switch connection {
        case .connecting: "connecting"
        case .connected where isOwnBroker: "connected to its own broker"
        case .connected(let place): "connected to \(place)"
        // A board without a clock knows only that it is.
        case .offline(let since, let reason):
            since.isPlausible ? "offline since \(since.iso8601) (\(reason))" : "offline (\(reason))"
        }
    }

    /// Without a WebSocket's path, which may hold a token.
    private static func place(_ endpoint: Endpoint) -> String {
        "\(endpoint.host.contains(":") ? "[\(endpoint.host)]" : endpoint.host):\(endpoint.port)"
    }
}

extension ConnectFailure {
    fileprivate var ownWords: String {
        switch self {
        case .refused(let code, _): "refused: \(code)"
        case .invalid: "CONNECT could not be built"
        case .authentication: "authentication failed"
        case .protocolError: "what came is not MQTT"
        case .webSocket: "no WebSocket came about"
        // Names of files, and of keys in a token with their PIN.
        case .tls(let error) where error.fault == .configuration: "TLS: \(error.code.rawValue)"
        default: "\(self)"
        }
    }
}

extension DisconnectReason {
    fileprivate var ownWords: String {
        switch self {
        case .byServer(let code, _): "the server disconnected us: \(code)"
        case .protocolError: "the server broke the protocol"
        default: "\(self)"
        }
    }
}

extension ConfigurationErrors {
    /// Where the first problem is, without what stands there.
    var place: String {
        guard let first = problems.first(where: { $0.severity == .error }) else { return file }
        let others = problems.count { $0.severity == .error } - 1 + omitted
        let position = first.position.map { ":\($0.line):\($0.column)" } ?? ""
        let what = first.keyPath.isEmpty ? (first.position == nil ? ": \(first.message)" : "") : ": \(first.keyPath)"
        return "\(file)\(position)\(what)\(others > 0 ? " and \(others) more" : "") (see the log)"
    }
}
