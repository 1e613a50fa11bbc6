import Glibc
import MQTTWire
import NIOCore
import NIOPosix
import OpenSSLTransport
import Relay
import TestSupport
import Testing

@testable import MQTT

/// A server that reads nothing for a while, behind TLS and WebSocket: what they have not handed to the socket is not
/// written, nothing piles up in them, and afterwards everything comes, in order.
@Suite(.timeLimit(.minutes(3))) struct FullSocketTests {
    /// A broker that can be reached over this scheme, too, and a configuration that does.
    private func withBroker(
        _ scheme: String, _ body: (Mosquitto, ClientConfiguration) async throws -> Void
    ) async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.leaf("broker")
        let reservation = try ReservedPort()
        let port = reservation.number
        defer { withExtendedLifetime(reservation) {} }
        var lines = ["max_queued_messages 0", "listener \(port) 127.0.0.1"]
        if scheme.hasPrefix("ws") { lines.append("protocol websockets") }
        if ["mqtts", "wss"].contains(scheme) { lines += ["certfile \(leaf.chain)", "keyfile \(leaf.key)"] }
        let transports: [String: Endpoint.Transport] = [
            "mqtt": .tcp, "mqtts": .tls, "ws": .webSocket(path: "/mqtt"), "wss": .secureWebSocket(path: "/mqtt"),
        ]
        let transport = try #require(transports[scheme])
        try await withMosquitto(lines: lines) { broker in
            try await eventually("the second listener") { accepts(port: port) }
            var configuration = quick(port: port)
            configuration.endpoints = [Endpoint(transport: transport, host: "127.0.0.1", port: port)]
            configuration.tls.trustRoots = .file(authority.root)
            try await body(broker, configuration)
        }
    }

    /// Reading from the socket pauses meanwhile, with records cut anywhere. Not over WebSocket: Mosquitto 2.0.11 gives no
    /// more than a few messages a second there, to other clients too, once the receive maximum was reached.
    @Test(arguments: ["mqtt", "mqtts"])
    func whoeverReadsSlowlyGetsEverything(scheme: String) async throws {
        try await withBroker(scheme) { broker, configuration in
            let store = MemoryStore()
            try await withClient(configuration) { client in
                let filter = try TopicFilter("#")
                _ = try await client.subscribe([Subscription(filter: filter, qos: .atLeastOnce)])
                var source = quick(port: broker.port)
                source.clientIdentifier = "source"
                let publisher = MQTTClient(
                    source, store: store, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
                let running = Task { await publisher.run() }
                for number in 1...2000 {
                    var large = try message("t", "\(number) ")
                    large.payload.writeRepeatingByte(0x30, count: number % 7 * 5000)
                    try await publisher.publish(large, until: number == 2000 ? .acknowledged : .accepted)
                }
                var expected = 1
                for await message in client.messages {
                    let bytes = message.payload.readableBytesView
                    let text = "\(expected) "
                    guard bytes.starts(with: text.utf8), bytes.count == text.utf8.count + expected % 7 * 5000 else {
                        Issue.record("number \(expected) is missing")
                        break
                    }
                    if expected.isMultiple(of: 500) { try await Task.sleep(for: .milliseconds(100)) }
                    if expected == 2000 { break }
                    expected += 1
                }
                #expect(await client.statistics.connections == 1)
                await publisher.disconnect()
                await running.value
            }
        }
    }

    @Test(arguments: ["mqtt", "mqtts", "ws", "wss"])
    func whatTheSocketDoesNotTakeIsNotWritten(scheme: String) async throws {
        try await withBroker(scheme) { broker, configuration in
            let subscriber = try await MosquittoSub.start(port: broker.port, ["#"], format: "%t %l")
            try await withClient(configuration) { client in
                try await eventually("a connection") { await client.isConnected }
                let program = try #require(await broker.program)
                program.send(SIGSTOP)
                var large = try message("t", "")
                large.qos = .atMostOnce
                large.payload.writeRepeatingByte(0x30, count: Self.size)
                for number in 0..<Self.count {
                    large.topic = try TopicName("\(number)")
                    try await client.publish(large)
                }
                // Until the kernel has all that it takes.
                var written = -1
                while await written != client.statistics.completed {
                    written = await client.statistics.completed
                    try await Task.sleep(for: .milliseconds(300))
                }
                #expect(await !client.link.isWritable)
                #expect(written < Self.count, "the kernel took everything: this has shown nothing")
                let (unwritten, bytes) = await (client.link.unwritten.count, client.link.bytesUnwritten)
                #expect((1...8).contains(unwritten), "no more than was under way when the socket had enough")
                #expect(bytes <= unwritten * (Self.size + 1024))
                #expect(bytes > (unwritten - 1) * Self.size, "and no less")

                program.send(SIGCONT)
                try await client.publish(message("last", "x"), until: .acknowledged)
                let statistics = await client.statistics
                #expect(statistics.completed == Self.count + 1)
                #expect(statistics.connections == 1)
            }
            let received = try await subscriber.wait(for: "the last one") { $0.last == "last 1" }
            #expect(received.dropLast() == (0..<Self.count).map { "\($0) \(Self.size)" }[...])
        }
    }

    private static let size = 256 * 1024
    private static let count = 96
}
