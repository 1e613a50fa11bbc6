import MQTT
import MQTTWire
import NIOPosix
import TestSupport

typealias Outcome = (ending: Program.Ending, output: [String], errors: [String])

/// Runs `fieldpost pub`, `fieldpost sub` or `fieldpost request` to its end.
func fieldpost(_ command: String, port: Int, _ arguments: [String]) async throws -> Outcome {
    try await runProgram(
        Program.built("fieldpost"), [command, "-h", "127.0.0.1", "-p", "\(port)"] + arguments, timeout: .seconds(30))
}

/// Starts `fieldpost sub`, and returns when the broker has granted the subscriptions.
func startSub(_ broker: Mosquitto, _ arguments: [String]) async throws -> Program {
    try await broker.settleLog()
    let count = await broker.log.lines.count { $0.contains("Sending SUBACK") }
    let program = try await Program.start(
        Program.built("fieldpost"), ["sub", "-h", "127.0.0.1", "-p", "\(broker.port)"] + arguments)
    try await broker.log.wait(for: "a SUBACK") { $0.count { $0.contains("Sending SUBACK") } > count }
    return program
}

/// Lends a client of ours to `body`.
func withClient(
    of broker: Mosquitto, _ version: ProtocolVersion = .v5, _ body: (MQTTClient) async throws -> Void
) async throws {
    let client = MQTTClient(
        ClientConfiguration(endpoints: [Endpoint(host: "127.0.0.1", port: broker.port)], version: version),
        eventLoop: MultiThreadedEventLoopGroup.singleton.next())
    let running = Task { await client.run() }
    do { try await body(client) } catch {
        await client.disconnect()
        throw error
    }
    await client.disconnect()
    await running.value
}
