import MQTTWire
import NIOCore
import TestSupport
import Testing

@testable import MQTTServer

/// What happens from the first byte to CONNACK.
@Suite(.timeLimit(.minutes(3))) struct ConnectTests {
    private static func connect(_ protocolName: String = "MQTT", level: UInt8, rest: [UInt8] = []) -> [UInt8] {
        let name = Array(protocolName.utf8)
        let body = [0, UInt8(name.count)] + name + [level] + rest
        return [0x10, UInt8(body.count)] + body
    }

    @Test(
        arguments: [
            // Versions that nobody speaks here, in the forms that their clients may understand.
            (connect(level: 3, rest: [2, 0, 60, 0, 1, 0x61]), [0x20, 2, 0, 1]),
            (connect(level: 6, rest: [2, 0, 60, 0, 0, 1, 0x61]), [0x20, 3, 0, 0x84, 0]),
            (connect("MQIsdp", level: 4, rest: [2, 0, 60, 0, 1, 0x61]), [0x20, 2, 0, 1]),
            (connect("MQIsdp", level: 0, rest: [2, 0, 60, 0, 1, 0x61]), [0x20, 2, 0, 1]),
            (connect("MQIsdp", level: 6, rest: [2, 0, 60, 0, 1, 0x61]), [0x20, 2, 0, 1]),
            // Another protocol, another packet, an unknown one.
            (connect("MQXX", level: 4, rest: [2, 0, 60, 0, 1, 0x61]), []),
            ([0xC0, 0], []),
            ([0x00, 0], []),
            // 3.1.1: the reserved flag, and no identifier for a lasting session.
            (connect(level: 4, rest: [3, 0, 60, 0, 1, 0x61]), []),
            (connect(level: 4, rest: [0, 0, 60, 0, 0]), [0x20, 2, 0, 2]),
            // 3.1: no identifier, and a password without a user name.
            (connect("MQIsdp", level: 3, rest: [2, 0, 60, 0, 0]), [0x20, 2, 0, 2]),
            (connect("MQIsdp", level: 3, rest: [0x42, 0, 60, 0, 1, 0x61, 0, 1, 0x62]), []),
        ] as [([UInt8], [UInt8])])
    func `a CONNECT that cannot be accepted is answered`(request: [UInt8], answer: [UInt8]) async throws {
        try await withServer(configuration()) { server in
            let client = try await RawClient.connect(port: try await server.port)
            try await client.send(request)
            #expect(try await client.bytes() == answer)
            #expect(await server.statistics.connectionsRefused == 1)
        }
    }

    @Test(
        arguments: [
            (connect(level: 5, rest: [3, 0, 60, 0, 0, 1, 0x61]), ReasonCode.malformedPacket),
            // Receive Maximum 0.
            (connect(level: 5, rest: [2, 0, 60, 3, 0x21, 0, 0, 0, 1, 0x61]), .protocolError),
            // A will topic with a wildcard.
            (connect(level: 5, rest: [6, 0, 60, 0, 0, 1, 0x61, 0, 0, 1, 0x23, 0, 0]), .topicNameInvalid),
        ] as [([UInt8], ReasonCode)])
    func `a broken CONNECT of version 5 is told why`(request: [UInt8], code: ReasonCode) async throws {
        try await withServer(configuration()) { server in
            let client = try await RawClient.connect(port: try await server.port)
            try await client.send(request)
            guard case .connack(let connack)? = try await client.closed().first else {
                Issue.record("no CONNACK")
                return
            }
            #expect(connack.reasonCode == code)
        }
    }

    @Test(arguments: ProtocolVersion.allCases)
    func `a listener speaks only the versions that it should`(version: ProtocolVersion) async throws {
        try await withServer(configuration { $0.versions.remove(version) }) { server in
            let client = try await RawClient.connect(port: try await server.port, version: version)
            #expect(try await client.connect("a").reasonCode == .unsupportedProtocolVersion)
            try await client.closed()
        }
    }

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5])
    func `a client without an identifier is given one`(version: ProtocolVersion) async throws {
        try await withServer(configuration()) { server in
            let client = try await RawClient.connect(port: try await server.port, version: version)
            let connack = try await client.connect("")
            let identifier = try #require(await server.clients().first?.client.identifier)
            #expect(identifier.hasPrefix("auto-"))
            #expect(identifier.utf8.count == 27)
            #expect(connack.properties.assignedClientIdentifier == (version == .v5 ? identifier : nil))
        }
    }

    @Test func `a client that says nothing is left alone`() async throws {
        var configuration = configuration()
        configuration.limits.connectTimeout = .milliseconds(100)
        try await withServer(configuration) { server in
            let silent = try await RawClient.connect(port: try await server.port)
            let slow = try await RawClient.connect(port: try await server.port)
            try? await slow.send([0x10, 20, 0, 4])
            #expect(try await silent.bytes().isEmpty)
            #expect(try await slow.bytes().isEmpty)
            #expect(await server.statistics.connectionsRefused == 2)
        }
    }

    @Test func `a client that connects in time stays`() async throws {
        var configuration = configuration()
        configuration.limits.connectTimeout = .seconds(2)
        try await withServer(configuration) { server in
            let client = try await RawClient.connect(port: try await server.port)
            try await client.connect("a")
            // Somebody else's time passes meanwhile.
            let silent = try await RawClient.connect(port: try await server.port)
            try await silent.closed()
            try await client.send(.pingreq)
            #expect(try await client.next() == .pingresp)
        }
    }

    @Test func `packets may be larger after CONNECT than before`() async throws {
        var configuration = configuration()
        configuration.limits.maximumConnectSize = 1_000
        configuration.limits.maximumPacketSize = 100_000
        try await withServer(configuration) { server in
            let port = try await server.port
            let large = try await RawClient.connect(port: port)
            let connack = try await large.connect(String(repeating: "x", count: 2_000))
            #expect(connack.reasonCode == .packetTooLarge)
            let client = try await RawClient.connect(port: port)
            #expect(try await client.connect("a").properties.maximumPacketSize == 100_000)
            let publish = Publish(
                topic: try TopicName("t"), payload: ByteBuffer(repeating: 1, count: 90_000), qos: .atLeastOnce,
                packetIdentifier: .first)
            try await client.send(.publish(publish))
            #expect(try await client.next().type == .puback)
            try await client.send([0x30, 0xFF, 0xFF, 0x7F])
            guard case .disconnect(let disconnect)? = try await client.closed().first else {
                Issue.record("no DISCONNECT")
                return
            }
            #expect(disconnect.reasonCode == .packetTooLarge)
        }
    }

    @Test func `connections beyond the limits are closed at once`() async throws {
        var configuration = configuration { $0.maximumConnections = 2 }
        configuration.listeners.append(Listener(name: "other", address: .tcp(host: "127.0.0.1", port: 0)))
        configuration.limits.maximumConnections = 3
        try await withServer(configuration) { server in
            let ports = await server.addresses.compactMap(\.address.port)
            var clients: [RawClient] = []
            for (index, port) in [ports[0], ports[0], ports[1]].enumerated() {
                clients.append(try await RawClient.connect(port: port))
                try await clients[index].connect("client \(index)")
            }
            for port in ports { #expect(try await RawClient.connect(port: port).bytes().isEmpty) }
            #expect(await server.statistics.connectionsRefused == 2)
            // A place that is free again can be had.
            try await clients[0].send(.disconnect(Disconnect()))
            try await clients[0].closed()
            try await eventually("a free place") { await server.connectionCount == 2 }
            let next = try await RawClient.connect(port: ports[0])
            #expect(try await next.connect("next").reasonCode == .success)
        }
    }

    @Test func `what a client sends before it is let in is handled afterwards`() async throws {
        let gate = Gate()
        var configuration = configuration()
        configuration.hooks.validateConnection = { _ in
            await gate.wait()
            return .accept
        }
        try await withServer(configuration) { server in
            let client = try await RawClient.connect(port: try await server.port)
            try await client.send(
                .connect(Connect(version: .v5, clientIdentifier: "a")),
                .subscribe(
                    Subscribe(packetIdentifier: .first, subscriptions: [Subscription(filter: TopicFilter("t"))])),
                .publish(Publish(topic: TopicName("t"), payload: ByteBuffer(string: "x"))))
            try await eventually("the hook") { await gate.count == 1 }
            try await client.send(.pingreq)
            #expect(await server.subscriptions().isEmpty)
            await gate.open()
            var types: [PacketType] = []
            for _ in 0..<4 { types.append(try await client.next().type) }
            #expect(types == [.connack, .suback, .publish, .pingresp])
        }
    }

    @Test func `what a refused client sent is dropped`() async throws {
        var configuration = configuration()
        configuration.hooks.validateConnection = { _ in .refuse(.banned) }
        try await withServer(configuration) { server in
            let client = try await RawClient.connect(port: try await server.port)
            try await client.send(
                .connect(Connect(version: .v5, clientIdentifier: "a")),
                .publish(Publish(topic: TopicName("t"), payload: ByteBuffer(string: "x"), retain: true)))
            let answer = try await client.closed()
            #expect(answer == [.connack(ConnAck(sessionPresent: false, reasonCode: .banned))])
            #expect(await server.retainedMessages().isEmpty)
        }
    }
}

/// Holds up those who wait until it is opened.
actor Gate {
    private var isOpen = false
    private var waiters: [CheckedContinuation<Void, Never>] = []
    /// How many have come.
    private(set) var count = 0

    func wait() async {
        count += 1
        if isOpen { return }
        await withCheckedContinuation { waiters.append($0) }
    }

    func open() {
        isOpen = true
        waiters.forEach { $0.resume() }
        waiters = []
    }
}
