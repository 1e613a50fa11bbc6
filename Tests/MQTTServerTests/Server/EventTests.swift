import MQTTWire
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import MQTTServer

/// Every hook and every event there is, once, over real connections.
@Suite(.timeLimit(.minutes(3))) struct EventTests {
    private func name(_ event: ServerEvent) -> String {
        switch event {
        case .started: "started"
        case .stopped: "stopped"
        case .clientConnected(let client, _): "\(client.identifier) connected \(client.version)"
        case .clientDisconnected(let client, let cause): "\(client.identifier) disconnected \(cause)"
        case .connectionRefused(let identifier, _, _, let code): "\(identifier) refused \(code.rawValue)"
        case .subscribed(let client, let subscription): "\(client) subscribed \(subscription.filter)"
        case .unsubscribed(let client, let filter): "\(client) unsubscribed \(filter)"
        case .messageReceived(let message, let client): "\(message.topic) received from \(client ?? "the server")"
        case .messageNotConsumed(let message, _): "\(message.topic) not consumed"
        case .messageEnqueued(let message, let client): "\(message.topic) enqueued for \(client)"
        case .messageDropped(let message, let client, let cause): "\(message.topic) dropped for \(client): \(cause)"
        case .messageAcknowledged(let topic, let client): "\(topic) acknowledged by \(client)"
        case .retainedChanged(let topic, let message): "\(topic) retained: \(message != nil)"
        case .sessionDeleted(let client, let end): "\(client) deleted: \(end)"
        }
    }

    @Test func eachHookIsAskedAndEachEventToldOnce() async throws {
        let asked = Seen()
        let told = NIOLockedValueBox<[ServerEvent]>([])
        var configuration = configuration()
        // Its own values are none of anybody's business.
        configuration.systemInterval = .milliseconds(10)
        configuration.limits.queuedMessages = 0
        configuration.hooks.validateConnection = { request in
            asked.note("connection \(request.client.identifier)")
            return request.client.identifier == "stranger" ? .refuse(.banned) : .accept
        }
        configuration.hooks.interceptSubscription = { subscription, client in
            asked.note("subscription \(subscription.filter) \(client.identifier)")
            return .accept
        }
        configuration.hooks.interceptUnsubscription = { filter, client in
            asked.note("unsubscription \(filter) \(client.identifier)")
            return .accept
        }
        configuration.hooks.interceptPublish = { message, client in
            asked.note("publish \(message.topic) \(client?.identifier ?? "the server")")
            return .accept
        }
        configuration.hooks.interceptEnqueue = { message, receiver in
            asked.note("enqueue \(message.topic) \(receiver)")
            return true
        }
        configuration.hooks.onEvent = { event in told.withLockedValue { $0.append(event) } }
        let server = MQTTServer(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let events = server.events
        try await server.start()
        let port = try await server.port
        let stranger = try await RawClient.connect(port: port)
        #expect(try await stranger.connect("stranger").reasonCode == .banned)
        let reader = try await RawClient.connect(port: port, version: .v3_1_1)
        try await reader.connect("reader") { $0.cleanStart = false }
        let subscription = Subscription(filter: try TopicFilter("t"), qos: .atLeastOnce)
        try await reader.send(.subscribe(Subscribe(packetIdentifier: .first, subscriptions: [subscription])))
        #expect(try await reader.next().type == .suback)
        let writer = try await RawClient.connect(port: port)
        try await writer.connect("writer")
        func publish(_ topic: String, retain: Bool = false) async throws {
            try await writer.send(
                .publish(
                    Publish(
                        topic: try TopicName(topic), payload: ByteBuffer(string: "x"), qos: .atLeastOnce,
                        retain: retain, packetIdentifier: .first)))
            #expect(try await writer.next().type == .puback)
        }
        try await publish("t", retain: true)
        guard case .publish(let message) = try await reader.next() else { throw RawClient.End.closed }
        let identifier = try #require(message.packetIdentifier)
        try await reader.send(.puback(Acknowledgement(packetIdentifier: identifier)), .disconnect(Disconnect()))
        try await reader.closed()
        // Nothing waits for who is away.
        try await publish("t")
        let again = try await RawClient.connect(port: port, version: .v3_1_1)
        try await again.connect("reader") { $0.cleanStart = false }
        try await again.send(.unsubscribe(Unsubscribe(packetIdentifier: .first, filters: [try TopicFilter("t")])))
        #expect(try await again.next().type == .unsuback)
        try await server.publish(ServerMessage("nobody", "x"))
        #expect(await server.disconnect("writer"))
        #expect(await server.deleteSession("reader"))
        try await within(.seconds(20), "the end") { await server.stop() }

        #expect(
            asked.all == [
                "connection stranger", "connection reader", "subscription t reader", "connection writer",
                "publish t writer", "enqueue t reader", "publish t writer", "enqueue t reader", "connection reader",
                "unsubscription t reader", "publish nobody the server",
            ])
        let expected = [
            "started", "stranger refused 138", "reader connected 3.1.1", "reader subscribed t",
            "writer connected 5.0", "t received from writer", "t retained: true", "t enqueued for reader",
            "t acknowledged by reader", "reader disconnected byClient(Success)", "t received from writer",
            "t dropped for reader: queueFull", "reader connected 3.1.1", "reader unsubscribed t",
            "nobody received from the server", "nobody not consumed", "writer disconnected",
            "writer deleted: disconnected",
            "reader disconnected", "reader deleted: deleted", "stopped",
        ]
        let names = told.withLockedValue { $0 }.map(name)
        #expect(names.count == expected.count, "\(names)")
        for (name, expected) in zip(names, expected) { #expect(name.hasPrefix(expected)) }
        // The stream tells the same, and ends.
        let streamed = try await within(.seconds(10), "the stream's end") {
            var all: [ServerEvent] = []
            for await event in events { all.append(event) }
            return all
        }
        #expect(streamed.map(name) == names)
    }
}
