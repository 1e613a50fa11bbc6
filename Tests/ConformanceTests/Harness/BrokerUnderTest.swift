import Glibc
import TestSupport

/// The broker that the suite is about.
///
/// `FIELDPOST_CONFORMANCE_BROKER=host:port swift test --filter '^ConformanceTests'` points the suite at any broker that
/// lets anonymous clients in; tests that need a broker of a configuration of their own are left out then.
enum BrokerUnderTest {
    struct Address: Sendable {
        let host: String
        let port: Int
    }

    /// What a broker of its own is configured to; nil leaves the broker's default.
    struct Settings: Sendable {
        var maximumQoS: Int?
        var retainAvailable: Bool?
        var maximumPacketSize: Int?
        var topicAliasMaximum: Int?
        var receiveMaximum: Int?
        /// Seconds.
        var maximumKeepAlive: Int?
        /// The only account; anonymous clients are refused then.
        var account: (username: String, password: String)?
        /// Topics that nobody may write to.
        var readOnlyTopic: String?
    }

    /// Whether the broker is none of ours, so that it cannot be configured here.
    static let isForeign = foreign != nil

    private static let foreign: Address? = {
        guard let value = getenv("FIELDPOST_CONFORMANCE_BROKER") else { return nil }
        let parts = String(cString: value).split(separator: ":")
        guard parts.count == 2, let port = Int(parts[1]) else { return nil }
        return Address(host: String(parts[0]), port: port)
    }()

    private static let shared = Task { try await Mosquitto.start(lines: ["max_queued_messages 10000"]) }

    static func address(port: Int?) async throws -> Address {
        if let port { return Address(host: "127.0.0.1", port: port) }
        if let foreign { return foreign }
        return Address(host: "127.0.0.1", port: try await shared.value.port)
    }

    /// Lends the port of a broker with a configuration of its own.
    static func withOwn(_ settings: Settings = Settings(), _ body: (Int) async throws -> Void) async throws {
        var lines: [String] = []
        if let value = settings.maximumQoS { lines.append("max_qos \(value)") }
        if let value = settings.retainAvailable { lines.append("retain_available \(value)") }
        if let value = settings.maximumPacketSize { lines.append("max_packet_size \(value)") }
        if let value = settings.topicAliasMaximum { lines.append("max_topic_alias \(value)") }
        if let value = settings.receiveMaximum { lines.append("max_inflight_messages \(value)") }
        if let value = settings.maximumKeepAlive { lines.append("max_keepalive \(value)") }
        let directory = try TemporaryDirectory()
        if let account = settings.account {
            let file = try directory.write("", to: "passwords")
            _ = try await runProgram(
                systemProgram("mosquitto_passwd"), ["-b", file, account.username, account.password])
            lines += ["allow_anonymous false", "password_file \(file)"]
        }
        if let topic = settings.readOnlyTopic {
            let file = try directory.write("topic readwrite #\ntopic deny \(topic)\ntopic read \(topic)\n", to: "acl")
            lines.append("acl_file \(file)")
        }
        try await withMosquitto(lines: lines) { try await body($0.port) }
    }

    /// Lends the port of a WebSocket listener.
    static func withWebSocket(_ body: (Int) async throws -> Void) async throws {
        let port = try freePort()
        try await withMosquitto(lines: ["listener \(port) 127.0.0.1", "protocol websockets"]) { _ in
            try await eventually("a WebSocket listener") { accepts(port: port) }
            try await body(port)
        }
    }
}
