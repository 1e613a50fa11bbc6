import MQTT
import MQTTWire
import NIOCore
import Relay
import TestSupport
import Testing

/// What the client and a broker have to say to each other, with topics and client identifiers of its own.
/// `mosquitto_sub` and `mosquitto_pub` are the other side.
struct Conversation {
    let broker: Broker
    let name: String

    init(with broker: Broker, name: String) {
        self.broker = broker
        self.name = name
    }

    /// A client's, which connects to the broker itself unless told of a relay.
    func configuration(_ suffix: String = "", port: Int? = nil) -> ClientConfiguration {
        quick(port ?? broker.port, identifier: name + suffix, version: broker.version)
    }

    func subscriber(
        _ topics: String..., qos: Int = 1, clientID: String? = nil, format: String = "%t %q %r %p"
    ) async throws -> MosquittoSub {
        try await MosquittoSub.start(port: broker.port, topics, qos: qos, clientID: clientID, format: format)
    }

    func publish(_ topic: String, _ payload: String, qos: Int = 1) async throws {
        try await mosquittoPub(port: broker.port, topic, payload, qos: qos, version: broker.clients)
    }

    // MARK: Connecting

    func connecting() async throws {
        try await withClient(configuration()) { client in
            let result = try await client.connected()
            #expect(result.endpoint.port == broker.port)
            #expect(!result.sessionPresent)
            #expect(await client.isConnected)
        }
    }

    func showingAPassword() async throws {
        func configuration(_ password: String) -> ClientConfiguration {
            var configuration = self.configuration("-\(password)")
            configuration.parameters = { _ in
                ConnectParameters(username: "guest", password: ByteBuffer(string: password))
            }
            return configuration
        }
        try await withClient(configuration("guest")) { _ = try await $0.connected() }
        try await withClient(configuration("guess")) { client in
            let failure = try await client.failure()
            #expect(failure.isRefusal)
            #expect("\(failure)".contains("check user name, password"))
        }
    }

    func findingTheVersion() async throws {
        let relay = try await TCPRelay.start(port: broker.port)
        var configuration = configuration(port: relay.port)
        configuration.version = nil
        let spoken: ProtocolVersion = [.mosquitto, .mosquitto5].contains(broker.kind) ? .v5 : .v3_1_1
        try await withClient(configuration) { client in
            #expect(try await client.connected(number: 1).sessionPresent == false)
            #expect(await client.version == spoken)
            // What RabbitMQ calls a session is the queue of one that subscribes.
            try await client.subscribe([filter("\(name)/in")])
            await relay.cut(newcomers: .served)
            #expect(try await client.connected(number: 2).sessionPresent)
            #expect(await client.version == spoken)
            try await client.publish(message("\(name)/t", "x"), until: .acknowledged)
        }
        await relay.stop()
    }

    func speakingVersion5() async throws {
        var configuration = configuration()
        configuration.version = .v5
        try await withClient(configuration) { client in
            _ = try await client.connected()
            try await client.publish(message("\(name)/t", "-"), until: .acknowledged)
        }
    }
}
