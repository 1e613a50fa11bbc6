import MQTT
import MQTTWire
import TestSupport

/// A real broker and the version of MQTT that is spoken with it, as the scenes need them.
struct Broker: Sendable {
    enum Kind: String, Sendable {
        case mosquitto = "Mosquitto 2 under MQTT 3.1.1"
        case mosquitto5 = "Mosquitto 2 under MQTT 5.0"
        case nats = "NATS Server 2.9"
        case rabbitMQ = "RabbitMQ 3.10"
    }

    let kind: Kind
    /// Where it listens on 127.0.0.1, also after a restart. It takes everybody without a name; the one with a name is
    /// `guest` with the password `guest`.
    let port: Int
    /// Returns when all that it has acknowledged would outlive ``kill``; nil: it stores before it acknowledges.
    var save: (@Sendable () async throws -> Void)?
    /// Ends it with SIGKILL.
    let kill: @Sendable () async -> Void
    /// Starts it again with what it had stored, and waits until it accepts clients.
    let restart: @Sendable () async throws -> Void

    var version: ProtocolVersion { kind == .mosquitto5 ? .v5 : .v3_1_1 }
    /// The same for Mosquitto's clients.
    var clients: MosquittoVersion { kind == .mosquitto5 ? .v5 : .v3 }
}

/// Lends a real broker to `body`.
func withBroker(_ kind: Broker.Kind, _ body: (Broker) async throws -> Void) async throws {
    switch kind {
    case .mosquitto, .mosquitto5:
        let directory = try TemporaryDirectory()
        let passwords = directory.path("passwords")
        let made = try await runProgram(systemProgram("mosquitto_passwd"), ["-b", "-c", passwords, "guest", "guest"])
        guard made.ending == .exited(0) else {
            throw ProgramError.failed("mosquitto_passwd", made.ending, output: made.errors)
        }
        try await withMosquitto(persistence: true, lines: ["password_file \(passwords)"]) { server in
            try await body(
                Broker(
                    kind: kind, port: server.port, save: { try await server.save() }, kill: { await server.kill() },
                    restart: { try await server.restart() }))
        }
    case .nats:
        let lines = [
            "authorization { users: [{ user: guest, password: guest }, { user: nobody, password: none }] }",
            "no_auth_user: nobody",
        ]
        try await withNATS(lines: lines) { server in
            try await body(
                Broker(
                    kind: kind, port: server.port, kill: { await server.kill() },
                    restart: {
                        try await server.launch()
                        try await server.accepted()
                    }))
        }
    case .rabbitMQ:
        try await withRabbitMQ { server in
            try await body(
                Broker(
                    kind: kind, port: server.port, kill: { await server.kill() },
                    restart: { try await server.restart() }))
        }
    }
}

extension Mosquitto {
    /// Has it write its sessions and messages to its file, which by itself it does once a second.
    fileprivate func save() async throws {
        // It says so before it does it: the second time, the first is done.
        for _ in 1...2 {
            let before = await Self.saves(log.lines)
            // SIGUSR1, as mosquitto(8) says.
            program?.send(10)
            try await log.wait(for: "Mosquitto to save") { Self.saves($0) > before }
        }
    }

    private static func saves(_ lines: [String]) -> Int {
        lines.count { $0.contains("Saving in-memory database") }
    }
}
