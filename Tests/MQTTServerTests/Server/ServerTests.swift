import MQTT
import MQTTWire
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import MQTTServer

@Suite(.timeLimit(.minutes(3))) struct ServerTests {
    @Test(arguments: [ProtocolVersion.v3_1_1, .v5], QoS.allCases)
    func `a message goes from client to client`(version: ProtocolVersion, qos: QoS) async throws {
        try await withServer(configuration()) { server in
            let port = try await server.port
            try await withClient(port: port, identifier: "reader", version: version) { reader in
                try await reader.subscribe([Subscription(filter: TopicFilter("a/#"), qos: .exactlyOnce)])
                try await withClient(port: port, identifier: "writer", version: version) { writer in
                    try await writer.publish(Message("a/b", "hello", qos), until: .acknowledged)
                    let message = try await collect(1, from: reader)[0]
                    #expect(message.topic.string == "a/b")
                    #expect(String(buffer: message.payload) == "hello")
                    #expect(message.qos == qos)
                }
            }
        }
    }

    @Test func `what the server publishes reaches clients, and is kept`() async throws {
        try await withServer(configuration()) { server in
            #expect(try await server.publish(ServerMessage("door", "open", .atLeastOnce, retain: true)) == 0)
            try await withClient(port: try await server.port) { client in
                try await client.subscribe([Subscription(filter: TopicFilter("#"))])
                #expect(try await collect(1, from: client).first?.topic.string == "door")
                #expect(try await server.publish(ServerMessage("window", "shut")) == 1)
                #expect(try await collect(1, from: client).first?.topic.string == "window")
                let clients = await server.clients()
                #expect(clients.map(\.client.identifier) == ["client-under-test"])
                #expect(clients.first?.client.address.hasPrefix("127.0.0.1:") == true)
                #expect(await server.subscriptions().map(\.subscription.filter.string) == ["#"])
                #expect(await server.retainedMessages().map(\.topic.string) == ["door"])
            }
        }
    }

    @Test func `a client can be sent away, and its session deleted`() async throws {
        try await withServer(configuration()) { server in
            let client = try await RawClient.connect(port: try await server.port)
            try await client.connect("a") { $0.properties.sessionExpiryInterval = 60 }
            #expect(await server.disconnect("b") == false)
            #expect(await server.disconnect("a"))
            let goodbye = try await client.closed()
            #expect(goodbye == [.disconnect(Disconnect(reasonCode: .administrativeAction))])
            #expect(await server.sessions().map(\.clientIdentifier) == ["a"])
            #expect(await server.deleteSession("a"))
            #expect(await server.sessions().isEmpty)
        }
    }

    @Test func `stopping tells clients and closes the door`() async throws {
        let server = MQTTServer(configuration(), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        try await server.start()
        let port = try await server.port
        let client = try await RawClient.connect(port: port)
        try await client.connect("a")
        let old = try await RawClient.connect(port: port, version: .v3_1_1)
        try await old.connect("b")
        let silent = try await RawClient.connect(port: port)
        try await eventually("all connections") { await server.statistics.socketConnections == 3 }
        async let stopping: Void = server.stop()
        #expect(try await client.closed() == [.disconnect(Disconnect(reasonCode: .serverShuttingDown))])
        #expect(try await old.closed().isEmpty)
        #expect(try await silent.closed().isEmpty)
        await stopping
        #expect(!accepts(port: port))
        await #expect(throws: ServerError.self) { try await server.publish(ServerMessage("a", "b")) }
        await #expect(throws: ServerError.self) { try await server.start() }
    }

    @Test func `run ends with its task`() async throws {
        let server = MQTTServer(configuration(), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let running = Task { try await server.run() }
        try await eventually("a port") { await server.addresses.first != nil }
        let port = try await server.port
        running.cancel()
        try await within(.seconds(20), "the end") { try await running.value }
        #expect(!accepts(port: port))
    }

    @Test func `run ends when somebody stops the server`() async throws {
        let server = MQTTServer(configuration(), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let running = Task { try await server.run() }
        try await eventually("a port") { await server.addresses.first != nil }
        await server.stop()
        try await within(.seconds(20), "the end") { try await running.value }
    }

    @Test func whoeverStopsAServerThatStartsFindsItStopped() async throws {
        let gate = Gate()
        let store = DurabilityTests.SlowStore()
        let server = MQTTServer(
            configuration(),
            openStore: {
                await gate.wait()
                return (store, nil)
            }, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let starting = Task { try await server.start() }
        try await eventually("the start") { await server.phase == .starting }
        let stopping = Task { await server.stop() }
        // It cannot be seen that somebody waits.
        for _ in 0..<100 { await Task.yield() }
        await gate.open()
        try await starting.value
        try await within(.seconds(20), "the end") { await stopping.value }
        #expect(await server.phase == .stopped)
        #expect(await store.isClosed)
        let port = try await server.port
        #expect(!accepts(port: port))
    }

    @Test func eventsTellWhatHappens() async throws {
        try await withServer(configuration()) { server in
            let events = server.events
            let client = try await RawClient.connect(port: try await server.port)
            try await client.connect("a")
            try await client.send(
                .subscribe(
                    Subscribe(
                        packetIdentifier: .first,
                        subscriptions: [Subscription(filter: TopicFilter("t"), qos: .atLeastOnce)])))
            _ = try await client.next()
            try await client.send(.publish(Publish(topic: TopicName("t"), payload: ByteBuffer(string: "x"))))
            _ = try await client.next()
            try await client.send(.disconnect(Disconnect()))
            try await client.closed()
            let told = try await within(.seconds(10), "events") {
                var told: [String] = []
                for await event in events {
                    switch event {
                    case .clientConnected(let client, let sessionPresent):
                        told.append("connected \(client.identifier) \(sessionPresent)")
                    case .subscribed(let client, let subscription):
                        told.append("subscribed \(client) \(subscription.filter)")
                    case .messageReceived(let message, let client):
                        told.append("received \(message.topic) \(client ?? "")")
                    case .messageEnqueued(let message, let client): told.append("enqueued \(message.topic) \(client)")
                    case .clientDisconnected(let client, let cause):
                        told.append("disconnected \(client.identifier) \(cause == .byClient(.success))")
                    case .sessionDeleted(let client, let end): told.append("deleted \(client) \(end)")
                    default: continue
                    }
                    if told.last?.hasPrefix("deleted") == true { break }
                }
                return told
            }
            #expect(
                told == [
                    "connected a false", "subscribed a t", "received t a", "enqueued t a", "disconnected a true",
                    "deleted a disconnected",
                ])
        }
    }

    @Test func `events that nobody reads are counted`() async throws {
        try await withServer(configuration()) { server in
            let events = server.events
            for _ in 0..<1_000 { try await server.publish(ServerMessage("t", "x")) }
            // Each is received, and not consumed; the first may come before anybody is known to listen.
            #expect(await server.droppedEvents >= 2_000 - 1_024 - 100)
            withExtendedLifetime(events) {}
        }
    }

    @Test func `clients learn the state of the server`() async throws {
        var configuration = configuration()
        configuration.systemInterval = .milliseconds(50)
        try await withServer(configuration) { server in
            try await withClient(port: try await server.port) { client in
                try await client.subscribe([Subscription(filter: TopicFilter("$SYS/broker/#"))])
                let values = try await within(.seconds(20), "a changed value") {
                    var values: [String: String] = [:]
                    for await message in client.messages {
                        values[message.topic.string] = String(buffer: message.payload)
                        if values["$SYS/broker/clients/connected"] == "1", values["$SYS/broker/uptime"] != nil,
                            values["$SYS/broker/load/messages/received/1min"] != nil
                        {
                            break
                        }
                    }
                    return values
                }
                #expect(values["$SYS/broker/uptime"]?.hasSuffix(" seconds") == true)
                #expect(values["$SYS/broker/load/messages/received/1min"]?.contains(".") == true)
                let filter = try TopicFilter("$SYS/broker/clients/+")
                #expect(await server.retainedMessages(matching: filter).count == 7)
            }
        }
    }
}
