import NIOCore
import NIOEmbedded
import WebSocketTransport

/// The end of a pipeline: notes what comes.
final class Recorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    var received: [UInt8] = []
    /// Everything but bytes, in the order in which it came.
    var story: [String] = []
    var errors: [any Error] = []

    var error: WebSocketError? { errors.first as? WebSocketError }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += unwrapInboundIn(data).readableBytesView
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as WebSocketHandshakeCompleted: story.append("\(event.subprotocol) at \(event.target)")
        case let event as WebSocketClosed: story.append("closed \(event.code?.rawValue ?? 0) \(event.reason)")
        default: story.append("\(event)")
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        errors.append(error)
        story.append((error as? WebSocketError).map { "\($0.code)" } ?? "\(error)")
    }

    func channelInactive(context: ChannelHandlerContext) { story.append("inactive") }
}

/// A handler in a channel without a network.
struct Side {
    let channel: EmbeddedChannel
    let recorder = Recorder()

    init(_ handler: WebSocketHandler) throws {
        channel = EmbeddedChannel(handlers: [handler, recorder])
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    }

    static func client(_ configuration: WebSocketClientConfiguration = .init()) throws -> Side {
        try Side(WebSocketHandler(client: configuration, host: "broker.example", port: 9001, isSecure: false))
    }

    static func server(_ configuration: WebSocketServerConfiguration = .init()) throws -> Side {
        try Side(WebSocketHandler(server: configuration))
    }

    /// What it sent since the last time.
    func sent() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let next = try channel.readOutbound(as: ByteBuffer.self) { bytes += next.readableBytesView }
        return bytes
    }

    func receive(_ bytes: [UInt8]) {
        channel.pipeline.fireChannelRead(ByteBuffer(bytes: bytes))
        channel.pipeline.fireChannelReadComplete()
        channel.embeddedEventLoop.run()
    }

    func write(_ bytes: [UInt8]) {
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
        channel.embeddedEventLoop.run()
    }

    /// A client whose handshake is done.
    static func openClient(_ configuration: WebSocketClientConfiguration = .init()) throws -> Side {
        let client = try client(configuration)
        let server = try server(WebSocketServerConfiguration(path: nil))
        server.receive(try client.sent())
        client.receive(try server.sent())
        client.recorder.story = []
        return client
    }
}

/// A frame as it is on the wire.
func frame(_ first: UInt8, _ payload: [UInt8], mask: [UInt8]? = nil) -> [UInt8] {
    precondition(payload.count < 65_536)
    let flag: UInt8 = mask == nil ? 0 : 0x80
    let length: [UInt8] =
        payload.count < 126
        ? [flag | UInt8(payload.count)]
        : [flag | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    let key = mask ?? [0, 0, 0, 0]
    return [first] + length + (mask ?? []) + payload.enumerated().map { $1 ^ key[$0 % 4] }
}
