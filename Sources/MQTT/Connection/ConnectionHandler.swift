internal import MQTTWire
internal import NIOCore
internal import OpenSSLTransport
internal import WebSocketTransport

/// What a channel tells its client; always called on the client's event loop.
protocol ConnectionOwner: Actor {
    func received(_ packet: Packet, on connection: Int)
    func readCompleted(on connection: Int)
    func writabilityChanged(to isWritable: Bool, on connection: Int)
    /// TLS, or WebSocket behind it.
    func handshakeCompleted(connection: Int)
    func failed(_ error: any Error, on connection: Int)
    func closed(connection: Int)
}

/// The end of the pipeline: hands what the channel says to the client, which runs on the same event loop, so
/// nothing is queued or copied in between.
final class ConnectionHandler<Owner: ConnectionOwner>: ChannelInboundHandler {
    typealias InboundIn = Packet

    private let owner: Owner
    private let connection: Int

    init(owner: Owner, connection: Int) {
        self.owner = owner
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let packet = unwrapInboundIn(data)
        owner.assumeIsolated { [connection] in $0.received(packet, on: connection) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        owner.assumeIsolated { [connection] in $0.readCompleted(on: connection) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        owner.assumeIsolated { [connection] in $0.writabilityChanged(to: isWritable, on: connection) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is TLSHandshakeCompleted || event is WebSocketHandshakeCompleted else { return }
        owner.assumeIsolated { [connection] in $0.handshakeCompleted(connection: connection) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        owner.assumeIsolated { [connection] in $0.failed(error, on: connection) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        owner.assumeIsolated { [connection] in $0.closed(connection: connection) }
    }
}
