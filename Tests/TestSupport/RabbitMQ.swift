internal import Glibc
internal import Relay

/// A real RabbitMQ with its MQTT plugin on 127.0.0.1, with ports and a folder of its own. Anonymous clients are
/// welcome; `guest` with the password `guest` is the one user it knows.
///
/// It dies with the test process, and so does the port mapper (epmd) that it needs: one of its own, which would outlive
/// it if it were left to Erlang to start. Its log survives restarts.
public actor RabbitMQ {
    /// Where it listens for MQTT, on 127.0.0.1; the same after a restart.
    public nonisolated let port: Int
    /// Its log.
    public nonisolated let log = LineLog()

    private let directory: TemporaryDirectory
    private let ports: [ReservedPort]
    private let mapper: Program
    private let environment: [String: String]
    private var program: Program?

    /// Starts a broker and waits until it accepts MQTT clients, which takes seconds.
    public static func start() async throws -> RabbitMQ {
        let broker = try await RabbitMQ()
        do {
            try await broker.restart()
        } catch {
            await broker.end()
            throw error
        }
        return broker
    }

    private init() async throws {
        directory = try TemporaryDirectory()
        ports = try (1...4).map { _ in try ReservedPort() }
        port = ports[0].number
        try directory.makeDirectory("home")
        try directory.write("[rabbitmq_mqtt].\n", to: "plugins")
        try directory.write(
            """
            listeners.tcp.1 = 127.0.0.1:\(ports[1].number)
            mqtt.listeners.tcp.1 = 127.0.0.1:\(port)
            mqtt.allow_anonymous = true
            log.console.level = warning

            """, to: "rabbitmq.conf")
        environment = [
            "HOME": directory.path("home"),
            "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": "\(ports[2].number)",
            "RABBITMQ_DIST_PORT": "\(ports[3].number)", "RABBITMQ_NODENAME": "k@localhost",
            "RABBITMQ_MNESIA_BASE": directory.path("mnesia"), "RABBITMQ_LOG_BASE": directory.path("log"),
            "RABBITMQ_CONFIG_FILE": directory.path("rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": directory.path("plugins"), "RABBITMQ_LOGS": "-",
            // Its script then becomes the server instead of waiting for it: the process is the server's own.
            "RUNNING_UNDER_SYSTEMD": "true",
        ]
        let mapperPort = ports[2].number
        mapper = try await Program.start(systemProgram("epmd"), environment: environment)
        try await eventually("an epmd that accepts connections") { accepts(port: mapperPort) }
    }

    /// Starts the broker, again with what it had stored, and waits until it accepts MQTT clients; kills it first if it
    /// runs.
    ///
    /// - Throws: ``TimedOut``, or ``OutputEnded`` with its log if it has ended.
    public func restart() async throws {
        await kill()
        await log.reopen()
        // What is in PATH is Debian's own wrapper, which insists on being somebody else.
        program = try await Program.start(Self.script(), environment: environment, output: log)
        try await eventually(within: .seconds(90), "a RabbitMQ that accepts MQTT clients") {
            if await log.isFinished { throw OutputEnded(lines: await log.lines.suffix(20)) }
            return acceptsMQTT(port: port)
        }
    }

    /// Ends the broker with SIGKILL.
    public func kill() async {
        await program?.kill()
        program = nil
    }

    /// Ends the broker and its port mapper with SIGKILL.
    func end() async {
        await kill()
        await mapper.kill()
    }

    private static func script() throws -> String {
        let folder = "/usr/lib/rabbitmq/lib"
        guard let entries = opendir(folder) else { throw ProgramError.missing(folder) }
        defer { closedir(entries) }
        while let entry = readdir(entries) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix("rabbitmq_server-") { return "\(folder)/\(name)/sbin/rabbitmq-server" }
        }
        throw ProgramError.missing("\(folder)/rabbitmq_server-*")
    }
}

/// Lends a real RabbitMQ to `body` and kills it afterwards. If `body` throws, the end of its log goes to standard
/// error.
public func withRabbitMQ<Result: Sendable>(_ body: (RabbitMQ) async throws -> Result) async throws -> Result {
    let broker = try await RabbitMQ.start()
    do {
        let result = try await body(broker)
        await broker.end()
        return result
    } catch {
        await broker.end()
        let log = await broker.log.lines.suffix(60).joined(separator: "\n")
        printError("RabbitMQ's log up to “\(error)”:\n\(log)")
        throw error
    }
}
