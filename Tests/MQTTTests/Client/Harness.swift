import MQTT
import MQTTWire
import NIOCore
import NIOPosix
import TestSupport

func message(_ topic: String, _ text: String, _ qos: QoS = .atLeastOnce) throws -> Message {
    Message(topic: try TopicName(topic), payload: ByteBuffer(string: text), qos: qos)
}

/// A configuration with a patience fit for tests.
func quick(port: Int, version: ProtocolVersion = .v5) -> ClientConfiguration {
    var configuration = ClientConfiguration(
        endpoints: [Endpoint(host: "127.0.0.1", port: port)], version: version, clientIdentifier: "client-under-test")
    configuration.backoff = Backoff(base: .milliseconds(10), cap: .milliseconds(50), stableAfter: .seconds(60))
    return configuration
}

func withClient(
    port: Int, version: ProtocolVersion = .v5, _ body: (MQTTClient) async throws -> Void
) async throws {
    try await withClient(quick(port: port, version: version), body)
}

/// Runs a client beside `body` and stops it afterwards.
func withClient(
    _ configuration: ClientConfiguration, _ body: (MQTTClient) async throws -> Void
) async throws {
    let client = MQTTClient(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
    let running = Task { await client.run() }
    do {
        try await body(client)
    } catch {
        running.cancel()
        await running.value
        throw error
    }
    await client.disconnect()
    try await within(.seconds(30), "the client's end") { await running.value }
}

/// The first messages that arrive.
func collect(_ count: Int, from client: MQTTClient) async throws -> [ReceivedMessage] {
    try await within(.seconds(30), "\(count) messages") {
        var messages: [ReceivedMessage] = []
        for await message in client.messages {
            messages.append(message)
            if messages.count == count { break }
        }
        return messages
    }
}
