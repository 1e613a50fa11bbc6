import Glibc
import TestSupport
import Units

/// An agent with a broker inside and rules that carry.
struct BridgeStation: Sendable {
    let station: Station
    /// Of the broker inside.
    let port: Int
    let device: String

    /// - Parameters:
    ///   - upstream: where the far broker listens.
    ///   - store: whether the broker inside keeps what it has.
    init(
        _ device: String = "gw", port: Int? = nil, upstream: Int, version: String = "auto", store: Bool = true,
        rules: String
    ) throws {
        let port = try port ?? freePort()
        self.port = port
        self.device = device
        station = try Station(text: Self.text(device, port, upstream, version, store, rules))
    }

    private static func text(
        _ device: String, _ port: Int, _ upstream: Int, _ version: String, _ store: Bool, _ rules: String
    ) -> String {
        """
        [device]
        id = "\(device)"
        [broker]
        servers = ["mqtt://127.0.0.1:\(upstream)"]
        version = "\(version)"
        reconnect = { base = "20ms", cap = "200ms" }
        [queue]
        commit_interval = "5ms"
        [status]
        every = "1s"
        [server]
        allow_anonymous = true
        \(store ? "store = {}" : "")
        [[listener]]
        bind = "127.0.0.1"
        port = \(port)
        \(rules)
        """
    }

    /// Comes back when devices can come in.
    func run() async throws -> Program {
        let agent = try await station.run()
        try await agent.errors.line(containing: "the broker listens: ", timeout: .seconds(20))
        return agent
    }

    /// As `run`, for the first time, and the far broker has granted the subscription to `filter`: what is published there
    /// now comes to the gateway.
    func runSubscribed(to filter: String, at upstream: Mosquitto) async throws -> Program {
        let agent = try await run()
        try await upstream.waitForSubscription(of: device, to: filter)
        return agent
    }

    /// Other rules.
    func write(upstream: Int, rules: String) throws {
        try station.directory.write(Self.text(device, port, upstream, "auto", true, rules), to: "station.toml")
    }

    func stop(_ agent: Program) async throws -> Program.Ending {
        agent.send(SIGTERM)
        return try await agent.wait(timeout: .seconds(6))
    }
}

extension Mosquitto {
    /// Waits until this client has once subscribed to this filter. What an agent says of its connection, in its log and by
    /// its status, comes before that.
    func waitForSubscription(of client: String, to filter: String) async throws {
        // "TIME: CLIENT QOS FILTER"
        try await log.wait(for: "\(client)'s subscription to \(filter)") { lines in
            lines.contains { $0.contains(": \(client) ") && $0.hasSuffix(" \(filter)") }
        }
    }
}

/// Publishes one message, and says whether it was acknowledged.
func isTaken(port: Int, _ topic: String, _ payload: String, qos: Int, version: MosquittoVersion) async throws -> Bool {
    let result = try await runProgram(
        systemProgram("mosquitto_pub"),
        [
            "-h", "127.0.0.1", "-p", "\(port)", "-V", version.rawValue, "-q", "\(qos)", "-t", topic, "-m", payload,
        ])
    return result.ending == .exited(0)
}

/// Waits until nothing more arrives, as far as brokers and gateways can tell: a last message has gone the same way.
extension MosquittoSub {
    func lines(through last: String, timeout: Duration = .seconds(20)) async throws -> [String] {
        try await wait(for: last, timeout: timeout) { $0.contains { $0.hasSuffix(" " + last) } }
    }
}
