import MQTTWire
import NIOCore
import TestSupport
import Testing

@testable import MQTTServer

/// What goes out, and clients that do not take it.
@Suite(.timeLimit(.minutes(3))) struct OutputTests {
    private func connect(
        _ server: MQTTServer, _ identifier: String, subscribesTo filter: String? = nil, reads: Bool = true,
        qos: QoS = .atMostOnce, _ change: (inout Connect) -> Void = { _ in }
    ) async throws -> RawClient {
        let client = try await RawClient.connect(port: try await server.port, reads: true)
        try await client.connect(identifier, change)
        if let filter {
            let subscription = Subscription(filter: try TopicFilter(filter), qos: qos)
            try await client.send(.subscribe(Subscribe(packetIdentifier: .first, subscriptions: [subscription])))
            _ = try await client.next()
        }
        try await client.channel.setOption(.autoRead, value: reads).get()
        return client
    }

    @Test func `a client that does not read holds nobody up, and loses what is too much`() async throws {
        var configuration = configuration()
        configuration.limits.queuedMessages = 100
        try await withServer(configuration) { server in
            let deaf = try await connect(server, "deaf", subscribesTo: "t", reads: false)
            let reader = try await connect(server, "reader", subscribesTo: "t")
            let payload = ByteBuffer(repeating: 1, count: 64 << 10)
            for _ in 0..<400 {
                try await server.publish(ServerMessage(topic: try TopicName("t"), payload: payload))
                #expect(try await reader.next().type == .publish)
            }
            let statistics = await server.statistics
            #expect(statistics.messagesDropped[.notReading] ?? 0 > 100)
            #expect(statistics.queuedMessages <= 100)
            // What was kept comes when it reads again.
            try await deaf.channel.setOption(.autoRead, value: true).get()
            let count = 400 - (statistics.messagesDropped[.notReading] ?? 0)
            for _ in 0..<count { #expect(try await deaf.next().type == .publish) }
            #expect(await server.statistics.queuedMessages == 0)
        }
    }

    @Test func `a client that floods and does not read is not read either`() async throws {
        try await withServer(configuration()) { server in
            await server.allowAnswers(4 << 10)
            let client = try await connect(server, "flood", reads: false)
            try await client.channel.setOption(.socketOption(.so_rcvbuf), value: 4 << 10).get()
            let count = 2_000_000
            var pings = ByteBuffer()
            for _ in 0..<count { pings.writeBytes([0xC0, 0]) }
            let flooding = Task { [pings] in try await client.channel.writeAndFlush(pings).get() }
            try await eventually("a pause") { await server.isAnyPausedForAnswers }
            let heard = await server.statistics.packetsReceived
            #expect(heard < count)
            // It goes on when it reads.
            try await client.channel.setOption(.autoRead, value: true).get()
            try await eventually("another answer") { await server.statistics.packetsReceived > heard }
            client.channel.close(promise: nil)
            _ = try? await flooding.value
        }
    }

    @Test func `a client that takes nothing is given up`() async throws {
        try await withServer(configuration()) { server in
            await server.loseStalled(after: .milliseconds(100))
            let deaf = try await connect(server, "deaf", subscribesTo: "t", reads: false)
            let payload = ByteBuffer(repeating: 1, count: 64 << 10)
            try await eventually("its end") {
                try await server.publish(ServerMessage(topic: try TopicName("t"), payload: payload))
                return await server.clients().isEmpty
            }
            withExtendedLifetime(deaf) {}
        }
    }

    @Test func `beginnings of large packets are bounded`() async throws {
        try await withServer(configuration()) { server in
            await server.allowInput(1_000_000)
            var clients: [RawClient] = []
            for number in 0..<3 {
                clients.append(try await connect(server, "client \(number)"))
                try await clients[number].send([0x30, 0x80, 0x80, 0x80, 0x01] + [UInt8](repeating: 0, count: 400_000))
            }
            try await eventually("what is too much") { await server.clients().count == 2 }
            #expect(await server.inputBytes <= 1_000_000)
            for client in clients { client.channel.close(promise: nil) }
            try await eventually("nothing") { await server.inputBytes == 0 }
        }
    }

    @Test func strangersDoNotTakeTheRoomOfThoseWhoAreIn() async throws {
        try await withServer(configuration()) { server in
            await server.allowInput(1 << 20)
            let client = try await connect(server, "a")
            // CONNECT, of which a byte is missing.
            let half = [UInt8]([0x10, 0xA0, 0x8D, 0x06]) + [UInt8](repeating: 0, count: 99_999)
            var strangers: [RawClient] = []
            for _ in 0..<12 {
                let stranger = try await RawClient.connect(port: try await server.port)
                try? await stranger.send(half)
                strangers.append(stranger)
            }
            try await eventually("strangers") { await server.statistics.connectionsRefused >= 12 - 3 }
            #expect((100_000...1 << 18).contains(await server.inputBytes))
            let large = Publish(topic: try TopicName("t"), payload: ByteBuffer(repeating: 1, count: 700_000))
            try await client.send(.publish(large), .pingreq)
            #expect(try await client.next() == .pingresp)
            withExtendedLifetime(strangers) {}
        }
    }

    /// The socket fills while messages are on their way at every step, and empties again, at random.
    @Test(arguments: [true, false])
    func everyStepOfQoS2GoesOnWhenASocketThatWasFullEmpties(isStored: Bool) async throws {
        let store = DurabilityTests.SlowStore()
        await store.finish(1_000_000)
        var configuration = configuration()
        configuration.limits.maximumInFlight = 10
        configuration.limits.queuedBytes = 32 << 20
        try await withServer(configuration, store: isStored ? store : nil) { server in
            let client = try await connect(server, "reader", subscribesTo: "t", qos: .exactlyOnce) {
                $0.properties.sessionExpiryInterval = 600
            }
            try await client.channel.setOption(.socketOption(.so_rcvbuf), value: 64 << 10).get()
            try await server.narrowSockets()
            let count = 100
            let payload = ByteBuffer(repeating: 1, count: 300 << 10)
            let publishing = Task {
                for _ in 0..<count {
                    try await server.publish(
                        ServerMessage(topic: try TopicName("t"), payload: payload, qos: .exactlyOnce))
                    while await server.statistics.queuedMessages > 20 { try await Task.sleep(for: .milliseconds(1)) }
                }
            }
            var random = SplitMix64(seed: 7)
            var (completed, full) = (0, 0)
            while completed < count {
                // Not read for a while: what is sent meanwhile fills the socket.
                if random.next() % 8 == 0 {
                    try await client.channel.setOption(.autoRead, value: false).get()
                    try await Task.sleep(for: .milliseconds(Int(random.next() % 20)))
                    if await server.isAnySocketFull { full += 1 }
                    try await client.channel.setOption(.autoRead, value: true).get()
                }
                switch try await client.next() {
                case .publish(let publish):
                    guard let identifier = publish.packetIdentifier else { throw RawClient.End.closed }
                    try await client.send(.pubrec(Acknowledgement(packetIdentifier: identifier)))
                case .pubrel(let release):
                    try await client.send(.pubcomp(Acknowledgement(packetIdentifier: release.packetIdentifier)))
                    completed += 1
                case let other: Issue.record("\(other.type)")
                }
            }
            try await publishing.value
            #expect(full > 0)
            try await eventually("the end of all") { await server.statistics.queuedMessages == 0 }
        }
    }

    @Test func aMessageThatAHookHasSpoiledHoldsNothingUp() async throws {
        var configuration = configuration()
        configuration.hooks.interceptPublish = { message, _ in
            if message.topic.string == "bad" {
                message.properties = [.contentType(String(repeating: "x", count: 70_000))]
            }
            return .accept
        }
        try await withServer(configuration) { server in
            let client = try await connect(server, "reader", subscribesTo: "#")
            let payload = ByteBuffer(repeating: 1, count: 200 << 10)
            for topic in ["bad", "good"] {
                try await server.publish(ServerMessage(topic: try TopicName(topic), payload: payload))
            }
            guard case .publish(let publish) = try await client.next() else { throw RawClient.End.closed }
            #expect(publish.topic?.string == "good")
            let topic = try TopicName("good")
            let spoilers: [Properties] = [
                [.contentType(String(repeating: "x", count: 70_000))], [.sessionExpiryInterval(1)],
            ]
            for properties in spoilers {
                let message = ServerMessage(topic: topic, payload: payload, properties: properties)
                await #expect(throws: ServerError.self) { try await server.publish(message) }
            }
        }
    }

    @Test func topicsThatComeOftenTravelAsAliases() async throws {
        try await withServer(configuration()) { server in
            let client = try await connect(server, "a", subscribesTo: "#") { $0.properties.topicAliasMaximum = 1 }
            var seen: [(String?, UInt16?)] = []
            for topic in ["long/topic", "long/topic", "other", "long/topic"] {
                try await server.publish(ServerMessage(topic, "x"))
                guard case .publish(let publish) = try await client.next() else { throw RawClient.End.closed }
                seen.append((publish.topic?.string, publish.properties.topicAlias))
            }
            #expect(seen.map(\.0) == ["long/topic", nil, "other", nil])
            #expect(seen.map(\.1) == [1, 1, nil, 1])
        }
    }

    @Test(arguments: [true, false])
    func `explanations are left out for who does not want them`(wanted: Bool) async throws {
        var configuration = configuration()
        configuration.limits.subscriptions = 1
        try await withServer(configuration) { server in
            let client = try await connect(server, "a") { $0.properties.requestProblemInformation = wanted }
            var packet = Packet.puback(
                Acknowledgement(packetIdentifier: .first, properties: [.reasonString("why")]))
            await server.sendToAll(packet)
            if !wanted { packet = .puback(Acknowledgement(packetIdentifier: .first)) }
            #expect(try await client.next() == packet)
        }
    }

    @Test func `the last word arrives although the client goes on talking`() async throws {
        try await withServer(configuration()) { server in
            for number in 0..<20 {
                let client = try await connect(server, "a \(number)")
                // A second CONNECT is an error; what follows is never read.
                try await client.send(.connect(Connect(version: .v5, clientIdentifier: "b")))
                try? await client.send([UInt8](repeating: 0, count: 200_000))
                guard case .disconnect(let disconnect)? = try await client.closed().first else {
                    Issue.record("no DISCONNECT")
                    return
                }
                #expect(disconnect.reasonCode == .protocolError)
            }
        }
    }
}

extension MQTTServer {
    fileprivate var isAnyPausedForAnswers: Bool {
        connections.all.contains {
            if case .remote(let connection) = $0 { connection.pauses.contains(.answers) } else { false }
        }
    }

    fileprivate var isAnySocketFull: Bool {
        connections.all.contains {
            if case .remote(let connection) = $0 { !connection.channel.isWritable } else { false }
        }
    }

    fileprivate func narrowSockets() throws {
        for case .remote(let connection) in connections.all {
            try connection.channel.syncOptions?.setOption(.socketOption(.so_sndbuf), value: 32 << 10)
        }
    }

    fileprivate func loseStalled(after time: Duration) { stalls = Patience(time) }

    fileprivate func allowInput(_ bytes: Int) { maximumInput = bytes }

    fileprivate func allowAnswers(_ bytes: Int) { maximumAnswers = bytes }

    fileprivate func sendToAll(_ packet: Packet) {
        for case .remote(let connection) in connections.all { send(packet, on: connection, at: .now()) }
    }
}
