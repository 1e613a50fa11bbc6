import MQTT
import MQTTWire
import NIOCore
import NIOPosix
import TestSupport

@testable import MQTTServer

/// Lends a running server to `body`, and stops it.
func withServer(
    _ configuration: ServerConfiguration, store: (any ServerStore)? = nil,
    _ body: (MQTTServer) async throws -> Void
) async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let server =
        if let store {
            MQTTServer(configuration, openStore: { (store, nil) }, eventLoop: loop)
        } else {
            MQTTServer(configuration, eventLoop: loop)
        }
    try await server.start()
    do {
        try await body(server)
    } catch {
        await server.stop(timeout: .seconds(1))
        throw error
    }
    try await within(.seconds(30), "the server's end") { await server.stop() }
}

/// One listener on 127.0.0.1, at a free port.
func configuration(_ change: (inout Listener) -> Void = { _ in }) -> ServerConfiguration {
    var listener = Listener(name: "test", address: .tcp(host: "127.0.0.1", port: 0))
    change(&listener)
    var configuration = ServerConfiguration(listeners: [listener])
    configuration.systemInterval = .zero
    return configuration
}

extension MQTTServer {
    var connectionCount: Int { connections.count }

    /// The port of its only listener.
    var port: Int {
        get throws {
            guard let port = addresses.first?.address.port else { throw ChannelError.unknownLocalAddress }
            return port
        }
    }
}

/// Runs one of our own clients beside `body`.
func withClient(
    port: Int, identifier: String = "client-under-test", version: ProtocolVersion = .v5,
    change: (inout ClientConfiguration) -> Void = { _ in }, _ body: (MQTTClient) async throws -> Void
) async throws {
    var configuration = ClientConfiguration(
        endpoints: [Endpoint(host: "127.0.0.1", port: port)], version: version, clientIdentifier: identifier)
    configuration.backoff = Backoff(base: .milliseconds(10), cap: .milliseconds(50), stableAfter: .seconds(60))
    change(&configuration)
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

extension ServerMessage {
    init(_ topic: String, _ text: String, _ qos: QoS = .atMostOnce, retain: Bool = false) throws {
        self.init(topic: try TopicName(topic), payload: ByteBuffer(string: text), qos: qos, retain: retain)
    }
}

extension Message {
    init(_ topic: String, _ text: String, _ qos: QoS = .atLeastOnce) throws {
        self.init(topic: try TopicName(topic), payload: ByteBuffer(string: text), qos: qos)
    }
}
