import MQTT
import MQTTWire
import NIOCore
import NIOPosix
import TestSupport

func message(_ topic: String, _ text: String, _ qos: QoS = .atLeastOnce, retain: Bool = false) throws -> Message {
    Message(topic: try TopicName(topic), payload: ByteBuffer(string: text), qos: qos, retain: retain)
}

func filter(_ filter: String, _ qos: QoS = .atLeastOnce) throws -> Subscription {
    Subscription(filter: try TopicFilter(filter), qos: qos)
}

/// A configuration with a patience fit for tests.
func quick(_ ports: Int..., identifier: String, version: ProtocolVersion = .v3_1_1) -> ClientConfiguration {
    var configuration = ClientConfiguration(
        endpoints: ports.map { Endpoint(host: "127.0.0.1", port: $0) }, version: version, clientIdentifier: identifier)
    configuration.backoff = Backoff(base: .milliseconds(10), cap: .milliseconds(100), stableAfter: .seconds(60))
    return configuration
}

/// Runs a client beside `body` and stops it afterwards.
func withClient(_ configuration: ClientConfiguration, _ body: (MQTTClient) async throws -> Void) async throws {
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

/// The payloads of the first messages that arrive.
func payloads(_ count: Int, from client: MQTTClient) async throws -> [String] {
    try await messages(count, from: client).map { String(buffer: $0.payload) }
}

/// The first messages that arrive.
func messages(_ count: Int, from client: MQTTClient) async throws -> [ReceivedMessage] {
    try await within(.seconds(20), "\(count) messages") {
        var messages: [ReceivedMessage] = []
        for await message in client.messages {
            messages.append(message)
            if messages.count == count { break }
        }
        return messages
    }
}

extension MQTTClient {
    /// Waits for a connection of this number.
    nonisolated func connected(number: Int = 1) async throws -> ConnectResult {
        try await within(.seconds(20), "connection number \(number)") {
            for await event in self.events {
                if case .connected(let result) = event, result.number == number { return result }
            }
            throw ClientError.stopped
        }
    }

    /// Waits for the end of a connection.
    nonisolated func disconnection() async throws -> DisconnectReason {
        try await within(.seconds(20), "a disconnection") {
            for await event in self.events {
                if case .disconnected(let reason, _) = event { return reason }
            }
            throw ClientError.stopped
        }
    }

    /// Waits for an attempt that fails.
    nonisolated func failure() async throws -> ConnectFailure {
        try await within(.seconds(20), "an attempt that fails") {
            for await event in self.events {
                if case .connectFailed(_, let failure, _) = event { return failure }
            }
            throw ClientError.stopped
        }
    }
}
