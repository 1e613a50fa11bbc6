import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import WebSocketTransport

/// The end of a real connection's pipeline.
private final class SocketEnd: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    /// What came, a line for each time: hexadecimal bytes, and events and errors in words.
    let lines = LineLog()
    private let continuation: AsyncStream<String>.Continuation
    private let pump: Task<Void, Never>

    init() {
        let (stream, continuation) = AsyncStream<String>.makeStream()
        self.continuation = continuation
        pump = Task { [lines] in for await line in stream { await lines.append(line) } }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        continuation.yield(hex(Array(unwrapInboundIn(data).readableBytesView)))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) { continuation.yield("\(event)") }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { continuation.yield("\(error)") }

    func channelInactive(context: ChannelHandlerContext) {
        continuation.yield("inactive")
        continuation.finish()
    }
}

private func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// Against a real broker, whose WebSocket listener is libwebsockets'.
struct MosquittoTests {
    private static let connect: [UInt8] = [0x10, 13, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 60, 0, 1, 97]

    private func open(
        _ configuration: WebSocketClientConfiguration = .init(), port: Int
    ) async throws -> (any Channel, LineLog) {
        let end = SocketEnd()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton.next())
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        WebSocketHandler(client: configuration, host: "127.0.0.1", port: port, isSecure: false), end,
                    ])
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return (channel, end.lines)
    }

    /// Waits for the second listener; the broker is said to run when it has the first.
    private func listens(_ port: Int) async throws {
        try await eventually("a WebSocket listener") {
            let channel = try? await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: port).get()
            try await channel?.close()
            return channel != nil
        }
    }

    @Test("MQTT over Mosquitto's WebSocket listener: connect, publish both ways, goodbye")
    func conversation() async throws {
        let port = try freePort()
        try await withMosquitto(lines: ["listener \(port) 127.0.0.1", "protocol websockets"]) { broker in
            try await listens(port)
            let (channel, lines) = try await open(port: port)
            // Before the handshake is done.
            try await channel.writeAndFlush(ByteBuffer(bytes: Self.connect))
            try await lines.line(containing: "WebSocketHandshakeCompleted")
            try await lines.line(containing: "20020000")

            // SUBSCRIBE to t at QoS 0, and its SUBACK.
            try await channel.writeAndFlush(ByteBuffer(bytes: [0x82, 6, 0, 1, 0, 1, 0x74, 0]))
            try await lines.line(containing: "9003000100")
            try await mosquittoPub(port: broker.port, "t", "hello", version: .v3)
            let there = "3008000174" + hex("hello".utf8)
            try await lines.line(containing: there)

            // A long PUBLISH at QoS 1 in many small writes, which come back in one message.
            let body = [UInt8](repeating: 0x61, count: 70_000)
            let packet: [UInt8] = [0x30, 0xF3, 0xA2, 0x04, 0, 1, 0x74] + body
            for start in stride(from: 0, to: packet.count, by: 1000) {
                channel.write(ByteBuffer(bytes: packet[start..<min(start + 1000, packet.count)]), promise: nil)
            }
            channel.flush()
            let all = try await lines.wait(for: "the long message") { lines in
                lines.joined().contains(hex(body.prefix(1000))) && lines.map(\.utf8.count).reduce(0, +) > 140_000
            }
            #expect(!all.contains("inactive"))

            try await within(.seconds(10), "the goodbye") { try await channel.close() }
            try await lines.line(containing: "inactive")
            #expect(await !lines.lines.joined().contains("rror"))
        }
    }

    @Test("Mosquitto's refusals are told in words")
    func refusals() async throws {
        let port = try freePort()
        try await withMosquitto(lines: ["listener \(port) 127.0.0.1", "protocol websockets"]) { broker in
            try await listens(port)
            // The other listener speaks MQTT.
            let (plain, plainLines) = try await open(port: broker.port)
            try await plainLines.line(
                containing: "closed the connection without an answer to the WebSocket handshake")
            try await within(.seconds(10), "the end") { try await plain.closeFuture.get() }
            let (other, otherLines) = try await open(.init(subprotocol: "chat"), port: port)
            try await within(.seconds(15), "the end") { try await other.closeFuture.get() }
            let told = try await otherLines.wait(for: "an error") { $0.contains("inactive") }
            #expect(told.first != "inactive" && !told.joined().contains("Completed"), "\(told)")
        }
    }

    @Test("The same handler on both sides of a socket carries a megabyte both ways")
    func bothSides() async throws {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton.next())
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        WebSocketHandler(server: WebSocketServerConfiguration()), Echo(),
                    ])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        let (channel, lines) = try await open(port: port)
        try await lines.line(containing: "WebSocketHandshakeCompleted")
        var generator = SplitMix64(seed: 1)
        let bytes = generator.bytes(1 << 20)
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
        let received = try await lines.wait(for: "the echo") { lines in
            lines.dropFirst().map(\.utf8.count).reduce(0, +) >= 2 << 20
        }
        #expect(received.dropFirst().joined() == hex(bytes))
        try await within(.seconds(10), "the goodbye") { try await channel.close() }
        try await listener.close()
    }
}

private final class Echo: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(data, promise: nil)
    }
}
