internal import Glibc
internal import Relay

/// A real NATS Server with JetStream and MQTT on 127.0.0.1, with ports and a folder of its own.
///
/// It dies with the test process. Its log survives restarts.
public actor NATSServer {
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

        init() throws {
            (clients, mqtt, monitoring) = (try ReservedPort(), try ReservedPort(), try ReservedPort())
        }
    }

    /// - Parameter lines: more lines for its configuration.
    init(name: String, ports: Ports, lines: [String] = []) throws {
        directory = try TemporaryDirectory()
        self.ports = ports
        port = ports.mqtt.number
        let configuration = [
            "server_name: \(name)",
            "listen: \"127.0.0.1:\(ports.clients.number)\"",
            "http: \"127.0.0.1:\(ports.monitoring.number)\"",
            "jetstream { store_dir: \"\(directory.path)\", max_mem: 64MB, max_file: 256MB }",
            "mqtt { host: \"127.0.0.1\", port: \(port) }",
        ]
        try directory.write((configuration + lines).joined(separator: "\n") + "\n", to: "nats.conf")
    }

    /// Starts the server, again with what it had stored, and does not wait for anything.
    public func launch() async throws {
        await kill()
        await log.reopen()
        program = try await Program.start(
            systemProgram("nats-server"), ["-c", directory.path("nats.conf")], errors: log)
    }

    /// Waits until it accepts MQTT clients.
    ///
    /// - Throws: ``TimedOut``, or ``OutputEnded`` with its log if it has ended.
    public func ready(timeout: Duration = .seconds(30)) async throws {
        let deadline = ContinuousClock.now + timeout
        while true {
            if await log.isFinished { throw OutputEnded(lines: await log.lines.suffix(20)) }
            let health = httpGet(port: ports.monitoring.number, "/healthz") ?? ""
            if health.contains("\"ok\""), acceptsMQTT(port: port) { return }
            guard ContinuousClock.now < deadline else {
                throw TimedOut(what: "a NATS Server that accepts MQTT clients; it says “\(health)”", limit: timeout)
            }
            try await Task.sleep(for: .milliseconds(100))
        }
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
    return try await running([server]) { try await body(server) }
}

private func running<Result: Sendable>(
    _ servers: [NATSServer], _ body: () async throws -> Result
) async throws -> Result {
    do {
        for server in servers { try await server.launch() }
        for server in servers { try await server.ready() }
        let result = try await body()
        for server in servers { await server.kill() }
        return result
    } catch {
        for server in servers {
            await server.kill()
            let log = await server.log.lines.suffix(60).joined(separator: "\n")
            printError("The log of the NATS Server at \(server.port) up to “\(error)”:\n\(log)")
        }
        throw error
    }
}
