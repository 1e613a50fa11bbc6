import MQTT
import MQTTWire
import NIOCore
import NIOPosix
import TestSupport
import Testing

/// The client as a program uses it that knows nothing but its public names.
@Suite(.timeLimit(.minutes(3))) struct ExampleTests {
    let group = MultiThreadedEventLoopGroup.singleton

    @Test func theReadmesExample() async throws {
        try await withMosquitto { broker in
            let client = MQTTClient(
                ClientConfiguration(
                    endpoints: [Endpoint(host: "localhost", port: broker.port)], clientIdentifier: "gate-7"),
                eventLoop: group.next())
            async let running: Void = client.run()

            try await client.subscribe([Subscription(filter: TopicFilter("gate/7/#"))])
            try await client.publish(
                Message(topic: TopicName("gate/7/status"), payload: ByteBuffer(string: "closed")))
            for await message in client.messages {
                #expect(message.topic.string == "gate/7/status")
                await client.disconnect()
            }
            await running
        }
    }

    /// MqttFx's three callbacks: OnConnected with the return code, OnMessageReceived, OnDisconnected.
    @Test func threeCallbacksAsSequences() async throws {
        try await withMosquitto { broker in
            let client = MQTTClient(
                ClientConfiguration(
                    endpoints: [Endpoint(host: "127.0.0.1", port: broker.port)], clientIdentifier: "fx"),
                eventLoop: group.next())

            await withThrowingTaskGroup { tasks in
                tasks.addTask { await client.run() }
                tasks.addTask {
                    var story: [String] = []
                    for await event in client.events {
                        switch event {
                        case .connected(let result): story.append("connected, session \(result.sessionPresent)")
                        case .connectFailed(_, let failure, _): story.append("refused: \(failure)")
                        case .disconnected(let reason, _): story.append("disconnected: \(reason)")
                        }
                    }
                    #expect(story == ["connected, session false", "disconnected: requested"])
                }
                tasks.addTask {
                    let granted = try await client.subscribe([
                        Subscription(filter: TopicFilter("time/+"), qos: .exactlyOnce)
                    ])
                    #expect(granted == [.grantedQoS2])
                    for number in 1...3 {
                        try await client.publish(
                            Message(
                                topic: TopicName("time/now"), payload: ByteBuffer(string: "\(number)"),
                                qos: .exactlyOnce),
                            until: .acknowledged)
                    }
                    var texts: [String] = []
                    for await message in client.messages {
                        texts.append(String(buffer: message.payload))
                        if texts.count == 3 { break }
                    }
                    #expect(texts == ["1", "2", "3"])
                    await client.disconnect()
                }
            }
        }
    }

    /// MQTTnet's managed client: what is enqueued while there is no connection is delivered later.
    @Test func enqueuedWhileOffline() async throws {
        try await withMosquitto { broker in
            let listener = try await MosquittoSub.start(port: broker.port, ["detrd/#"], format: "%p")
            let store = MemoryStore(maximumCount: 1000)
            let client = MQTTClient(
                ClientConfiguration(
                    endpoints: [Endpoint(host: "127.0.0.1", port: broker.port)], version: .v3_1_1,
                    clientIdentifier: "managed"),
                store: store, eventLoop: group.next())
            for number in 1...100 {
                try await client.publish(
                    Message(topic: TopicName("detrd/status"), payload: ByteBuffer(string: "\(number)")))
            }
            #expect(try await client.pendingCount() == 100)
            let running = Task { await client.run() }
            try await client.waitUntilDelivered(timeout: .seconds(10))
            #expect(try await listener.wait { $0.count == 100 } == (1...100).map { "\($0)" })
            await client.disconnect()
            await running.value
            try await listener.stop()
        }
    }

    /// What a program is told when it asks for what cannot be.
    @Test func mistakesAreToldToTheCaller() async throws {
        #expect(throws: TopicError.self) { try TopicName("") }
        #expect(throws: TopicError.self) { try TopicName("a/+") }
        #expect(throws: TopicError.self) { try TopicFilter("a/#/b") }
        let client = MQTTClient(ClientConfiguration(endpoints: []), eventLoop: group.next())
        await #expect(throws: ClientError.notConnected) {
            try await client.publishNow(Message(topic: TopicName("t"), payload: ByteBuffer()))
        }
        await client.run()
        await #expect(throws: ClientError.stopped) {
            try await client.subscribe([Subscription(filter: TopicFilter("a"))])
        }
    }
}
