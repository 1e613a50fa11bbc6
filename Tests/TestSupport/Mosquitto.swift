internal import Glibc
internal import Relay

/// A real Mosquitto broker on 127.0.0.1 for anonymous clients, with a port and a folder of its own.
///
/// It dies with the test process. Its log survives restarts.
public actor Mosquitto {
    /// Where it listens, on 127.0.0.1; the same after a restart.
    public nonisolated let port: Int
    /// Its log, with every packet.
    public nonisolated let log = LineLog()
    /// Its process, while it runs.
    public private(set) var program: Program?

    /// All its ports: it begins to listen at one after the other.
    private let ports: [Int]
    private let directory: TemporaryDirectory
    private let reservation: ReservedPort

    /// Starts a broker and waits until it accepts connections.
    ///
    /// - Parameters:
    ///   - persistence: whether sessions and retained messages are in a file, written every second and at a clean stop.
    ///   - lines: more lines for its configuration, see `mosquitto.conf(5)`.
    /// - Throws: ``ProgramError`` or ``TimedOut``, or ``OutputEnded`` with its log if it refuses its configuration.
    public static func start(persistence: Bool = false, lines: [String] = []) async throws -> Mosquitto {
        let broker = try Mosquitto(persistence: persistence, lines: lines)
        try await broker.restart()
        return broker
    }

    private init(persistence: Bool, lines: [String]) throws {
        directory = try TemporaryDirectory()
        reservation = try ReservedPort()
        port = reservation.number
        ports =
            [port]
            + lines.compactMap { line in
                let words = line.split(separator: " ")
                return words.count == 3 && words[0] == "listener" && words[2] == "127.0.0.1" ? Int(words[1]) : nil
            }
        var configuration = [
            "listener \(port) 127.0.0.1", "allow_anonymous true", "user root", "log_dest stderr", "log_type all",
            "set_tcp_nodelay true",
        ]
        if persistence {
            configuration += ["persistence true", "persistence_location \(directory.path)/", "autosave_interval 1"]
        }
        try directory.write((configuration + lines).joined(separator: "\n") + "\n", to: "mosquitto.conf")
    }

    /// Comes back when all that the broker has logged so far can be read: its log comes through a pipe, and others may hear
    /// of what it says before.
    public func settleLog() async throws {
        guard let descriptor = connected(port: port) else { return }
        defer { close(descriptor) }
        let own = localPort(of: descriptor)
        try await log.line(containing: "New connection from 127.0.0.1:\(own) ")
    }

    /// Ends the broker with SIGKILL, as a power cut would: what it had not saved is lost.
    public func kill() async {
        await program?.kill()
        program = nil
    }

    /// Ends the broker with SIGTERM: it saves its sessions first.
    public func stop() async throws {
        program?.send(SIGTERM)
        try await program?.wait()
        program = nil
    }

    /// Starts the broker again on the same port with what it had saved; stops it first if it runs.
    public func restart() async throws {
        try await stop()
        await log.reopen()
        let program = try await Program.start(
            systemProgram("mosquitto"), ["-c", directory.path("mosquitto.conf")], errors: log)
        self.program = program
        try await eventually("a Mosquitto that accepts connections") {
            if await program.errors.isFinished {
                throw OutputEnded(lines: await program.errors.lines.suffix(20))
            }
            return ports.allSatisfy { accepts(port: $0) }
        }
    }
}

/// Lends a real Mosquitto to `body` and kills it afterwards. If `body` throws, the end of the broker's log goes to
/// standard error.
///
/// - Parameters: as in ``Mosquitto/start(persistence:lines:)``.
public func withMosquitto<Result: Sendable>(
    persistence: Bool = false, lines: [String] = [], _ body: (Mosquitto) async throws -> Result
) async throws -> Result {
    let broker = try await Mosquitto.start(persistence: persistence, lines: lines)
    do {
        let result = try await body(broker)
        await broker.kill()
        return result
    } catch {
        await broker.kill()
        let log = await broker.log.lines.suffix(200).joined(separator: "\n")
        printError("The broker's log up to “\(error)”:\n\(log)")
        throw error
    }
}
