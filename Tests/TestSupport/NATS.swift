internal import Glibc
internal import Relay

/// A real NATS Server with JetStream and MQTT on 127.0.0.1, with ports and a folder of its own; alone, or a node of a
/// ``NATSCluster``.
///
/// It dies with the test process. Its log survives restarts.
public actor NATSServer {
    /// Unique in its cluster.
    public nonisolated let name: String
    /// Where it listens for MQTT, on 127.0.0.1; the same after a restart.
    public nonisolated let port: Int
    /// Its log.
    public nonisolated let log = LineLog()
    /// Its process, while it runs.
    public private(set) var program: Program?

    private let directory: TemporaryDirectory
    private let ports: Ports

    /// What a node listens on. The ports stay its own while it is down.
    struct Ports: Sendable {
        let clients: ReservedPort
        let mqtt: ReservedPort
        let monitoring: ReservedPort
        let routes: ReservedPort

        init() throws {
            (clients, mqtt) = (try ReservedPort(), try ReservedPort())
            (monitoring, routes) = (try ReservedPort(), try ReservedPort())
        }
    }

    /// - Parameters:
    ///   - cluster: the ports of all nodes, this one's too; empty for a server alone.
    ///   - lines: more lines for its configuration.
    init(name: String, ports: Ports, cluster: [Ports] = [], lines: [String] = []) throws {
        directory = try TemporaryDirectory()
        self.name = name
        self.ports = ports
        port = ports.mqtt.number
        // By itself NATS would take as many replicas as there are nodes when the first MQTT client comes: two, if the
        // third is late, and then the death of one stops everything.
        let replicas = max(1, cluster.count)
        var configuration = [
            "server_name: \(name)",
            "listen: \"127.0.0.1:\(ports.clients.number)\"",
            "http: \"127.0.0.1:\(ports.monitoring.number)\"",
            "jetstream { store_dir: \"\(directory.path)\", max_mem: 64MB, max_file: 256MB }",
            "mqtt { host: \"127.0.0.1\", port: \(port), stream_replicas: \(replicas), consumer_replicas: \(replicas) }",
        ]
        if !cluster.isEmpty {
            let routes = cluster.map { "\"nats://127.0.0.1:\($0.routes.number)\"" }.joined(separator: ", ")
            configuration.append(
                "cluster { name: fieldpost, listen: \"127.0.0.1:\(ports.routes.number)\", routes: [\(routes)] }")
        }
        try directory.write((configuration + lines).joined(separator: "\n") + "\n", to: "nats.conf")
    }

    /// Starts the server, again with what it had stored, and does not wait for anything.
    public func launch() async throws {
        await kill()
        await log.reopen()
        program = try await Program.start(
            systemProgram("nats-server"), ["-c", directory.path("nats.conf")], errors: log)
    }

    /// Waits until it accepts MQTT clients. A node of a cluster may need seconds for it when a leader is to be found
    /// first.
    ///
    /// - Throws: ``TimedOut``, or ``OutputEnded`` with its log if it has ended.
    public func accepted(timeout: Duration = .seconds(30)) async throws {
        try await eventually(within: timeout, "\(name), a NATS Server, to accept MQTT clients") {
            if await log.isFinished { throw OutputEnded(lines: await log.lines.suffix(20)) }
            return acceptsMQTT(port: port)
        }
    }

    /// What it says of its part in a cluster; nil if it does not answer.
    nonisolated func jetStreamReport() -> JetStreamReport? {
        httpGet(port: ports.monitoring.number, "/jsz?acc=$G&streams=true").map { JetStreamReport(node: name, $0) }
    }

    /// Ends it with SIGKILL. What it had acknowledged is in its files, or with the operating system.
    public func kill() async {
        await program?.kill()
        program = nil
    }
}

/// Lends a real NATS Server to `body` and kills it afterwards. If `body` throws, the end of its log goes to standard
/// error.
///
/// - Parameter lines: more lines for its configuration.
public func withNATS<Result: Sendable>(
    lines: [String] = [], _ body: (NATSServer) async throws -> Result
) async throws -> Result {
    let server = try NATSServer(name: "n1", ports: NATSServer.Ports(), lines: lines)
    return try await running([server]) {
        try await server.launch()
        try await server.accepted()
        return try await body(server)
    }
}

/// Kills the servers after `body`.
func running<Result: Sendable>(
    _ servers: [NATSServer], _ body: () async throws -> Result
) async throws -> Result {
    do {
        let result = try await body()
        for server in servers { await server.kill() }
        return result
    } catch {
        for server in servers {
            await server.kill()
            let log = await server.log.lines.suffix(60).joined(separator: "\n")
            printError("The log of \(server.name), a NATS Server, up to “\(error)”:\n\(log)")
        }
        throw error
    }
}
