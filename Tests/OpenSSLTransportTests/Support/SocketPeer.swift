import NIOCore
import NIOPosix
import TestSupport

@testable import OpenSSLTransport

/// The end of a real connection's pipeline: promises of what is to come.
final class SocketEnd: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    let handshake: EventLoopPromise<TLSHandshakeCompleted>
    let lines = LineLog()
    /// The first error, or nil when the channel ended without one.
    let end: EventLoopPromise<(any Error)?>

    init(on eventLoop: any EventLoop) {
        handshake = eventLoop.makePromise()
        end = eventLoop.makePromise()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let text = String(buffer: unwrapInboundIn(data))
        Task { for line in text.split(separator: "\n") { await lines.append(String(line)) } }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSHandshakeCompleted { handshake.succeed(event) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        handshake.fail(error)
        end.succeed(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        handshake.fail(ChannelError.ioOnClosedChannel)
        end.succeed(nil)
    }
}

/// A client over TCP.
struct SocketClient {
    let channel: any Channel
    let end: SocketEnd

    static func connect(
        _ configuration: TLSClientConfiguration, host: String = "localhost", port: Int
    ) async throws -> SocketClient {
        let context = try TLSClientContext(configuration)
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let end = SocketEnd(on: eventLoop)
        let channel = try await ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        TLSHandler(client: context, host: host, port: port), end,
                    ])
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return SocketClient(channel: channel, end: end)
    }

    /// The error that ends a connection.
    static func error(
        _ configuration: TLSClientConfiguration, host: String = "localhost", port: Int
    ) async throws -> TLSError? {
        let client = try await connect(configuration, host: host, port: port)
        let error = try await within(.seconds(10), "the end") { try await client.end.end.futureResult.get() }
        try await within(.seconds(10), "the channel's end") { try await client.channel.closeFuture.get() }
        return error as? TLSError
    }

    func completed() async throws -> TLSHandshakeCompleted {
        try await within(.seconds(10), "the handshake") { try await end.handshake.futureResult.get() }
    }
}

/// `openssl s_server` on a free port; it echoes lines reversed.
struct OpenSSLServer {
    let program: Program
    let port: Int

    static func start(_ leaf: Authority.Leaf?, _ options: String...) async throws -> OpenSSLServer {
        let port = try freePort()
        let certificate = leaf.map { ["-cert", $0.chain, "-key", $0.key] } ?? ["-nocert"]
        let program = try await Program.start(
            try systemProgram("openssl"),
            ["s_server", "-accept", "127.0.0.1:\(port)", "-rev"] + certificate + options)
        // Not by connecting, which it would take for a client.
        try await program.output.line(containing: "ACCEPT")
        return OpenSSLServer(program: program, port: port)
    }
}
