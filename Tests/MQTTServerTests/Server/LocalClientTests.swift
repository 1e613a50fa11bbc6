import MQTTWire
import NIOCore
import TestSupport
import Testing

@testable import MQTTServer

@Suite(.timeLimit(.minutes(3))) struct LocalClientTests {
    private func subscription(_ filter: String, _ qos: QoS) throws -> Subscription {
        Subscription(filter: try TopicFilter(filter), qos: qos)
    }

    private func take(_ count: Int, from client: LocalClient, acknowledge: Bool = true) async throws -> [LocalMessage] {
        try await within(.seconds(60), "\(count) messages") {
            var messages: [LocalMessage] = []
            for await message in client.messages {
                messages.append(message)
                if acknowledge { message.acknowledge() }
                if messages.count == count { break }
            }
            return messages
        }
    }

    @Test(arguments: QoS.allCases)
    func `it publishes and receives`(qos: QoS) async throws {
        try await withServer(configuration()) { server in
            let client = try await server.connectLocal(identifier: "bridge")
            #expect(!client.isSessionPresent)
            let codes = try await client.subscribe(
                [try subscription("t/#", qos), try subscription("u", qos)], identifier: 7)
            #expect(codes.map(\.rawValue) == [qos.rawValue, qos.rawValue])
            for number in 0..<100 {
                #expect(try await client.publish(ServerMessage("t/\(number)", "x", qos)) == .success)
            }
            let messages = try await take(100, from: client)
            #expect(messages.map(\.message.topic.string) == (0..<100).map { "t/\($0)" })
            #expect(messages.allSatisfy { $0.message.qos == qos && $0.subscriptionIdentifiers == [7] })
            #expect(
                try await client.unsubscribe([try TopicFilter("t/#"), try TopicFilter("v")]) == [
                    .success, .noSubscriptionExisted,
                ])
            #expect(try await client.publish(ServerMessage("t/1", "x", .atLeastOnce)) == .noMatchingSubscribers)
            try await eventually("acknowledgements") { await server.statistics.queuedMessages == 0 }
            await client.disconnect()
            await #expect(throws: ServerError.self) { try await client.publish(ServerMessage("t", "x", qos)) }
            #expect(await server.clients().isEmpty)
        }
    }

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce])
    func `what is not acknowledged comes again`(qos: QoS) async throws {
        var configuration = configuration()
        configuration.limits.maximumInFlight = 5
        try await withServer(configuration) { server in
            let first = try await server.connectLocal(identifier: "bridge", sessionExpiry: .seconds(600))
            try await first.subscribe([try subscription("t", qos)])
            for number in 0..<8 { try await server.publish(ServerMessage("t", "\(number)", qos)) }
            let seen = try await take(5, from: first, acknowledge: false)
            seen[0].acknowledge()
            // One more comes for the one that is done.
            _ = try await take(1, from: first, acknowledge: false)
            await first.disconnect()
            let second = try await server.connectLocal(
                identifier: "bridge", cleanStart: false, sessionExpiry: .seconds(600))
            #expect(second.isSessionPresent)
            let messages = try await take(7, from: second)
            #expect(messages.map { String(buffer: $0.message.payload) } == (1..<8).map(String.init))
            #expect(messages.prefix(5).allSatisfy { $0.isDuplicate })
        }
    }

    @Test func `nobody else can take its place, and it goes with its owner`() async throws {
        try await withServer(configuration()) { server in
            var local: LocalClient? = try await server.connectLocal(identifier: "bridge")
            let client = try await RawClient.connect(port: try await server.port)
            #expect(try await client.connect("bridge").reasonCode == .clientIdentifierNotValid)
            #expect(await server.clients().map(\.client.listener) == ["local"])
            withExtendedLifetime(local) {}
            local = nil
            try await eventually("its end") { await server.clients().isEmpty }
        }
    }

    @Test func `a reader ends with the server`() async throws {
        let gate = Gate()
        try await withServer(configuration()) { server in
            let client = try await server.connectLocal(identifier: "bridge")
            Task {
                for await _ in client.messages {}
                await gate.open()
            }
        }
        try await within(.seconds(10), "the reader's end") { await gate.wait() }
    }

    @Test func `publishers wait for a reader that must get everything`() async throws {
        var configuration = configuration()
        configuration.limits.queuedMessages = 20
        try await withServer(configuration) { server in
            let reader = try await server.connectLocal(identifier: "bridge", losesNothing: true)
            try await reader.subscribe([try subscription("t", .atLeastOnce)])
            let publisher = try await RawClient.connect(port: try await server.port, version: .v3_1_1)
            try await publisher.connect("device")
            let count = 5_000
            let publishing = Task {
                for number in 0..<count {
                    try await publisher.send(
                        .publish(
                            Publish(
                                topic: try TopicName("t"), payload: ByteBuffer(string: "\(number)"), qos: .atLeastOnce,
                                packetIdentifier: PacketIdentifier(rawValue: UInt16(1 + number)))))
                }
            }
            try await eventually("the reader falls behind") { await server.isReaderBehind }
            let taken = try await take(count, from: reader)
            #expect(taken.map { String(buffer: $0.message.payload) } == (0..<count).map(String.init))
            #expect(await server.statistics.messagesDropped.isEmpty)
            try await publishing.value
        }
    }

    @Test func `a reader that is gone holds nobody back`() async throws {
        var configuration = configuration()
        configuration.limits.queuedMessages = 20
        try await withServer(configuration) { server in
            let reader = try await server.connectLocal(identifier: "bridge", losesNothing: true)
            try await reader.subscribe([try subscription("t", .atLeastOnce)])
            for _ in 0..<50 { try await server.publish(ServerMessage("t", "x", .atLeastOnce)) }
            #expect(await server.isReaderBehind)
            await reader.disconnect()
            try await eventually("others are read again") { await !server.isReaderBehind }
        }
    }

    @Test func `a slow reader bounds what waits`() async throws {
        var configuration = configuration()
        configuration.limits.queuedMessages = 50
        try await withServer(configuration) { server in
            let client = try await server.connectLocal(identifier: "bridge")
            try await client.subscribe([try subscription("t", .atMostOnce)])
            let payload = ByteBuffer(repeating: 1, count: 32 << 10)
            for _ in 0..<200 { try await server.publish(ServerMessage(topic: try TopicName("t"), payload: payload)) }
            let dropped = await server.statistics.messagesDropped[.notReading] ?? 0
            #expect(dropped > 100)
            _ = try await take(200 - dropped, from: client)
        }
    }
}
