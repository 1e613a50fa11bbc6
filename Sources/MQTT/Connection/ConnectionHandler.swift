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

/// The end of the pipeline: takes bytes apart into packets and hands them to the client, which runs on the same event
/// loop, so nothing is queued or copied in between. (A `ByteToMessageHandler` would wrap and unwrap every packet.)
final class ConnectionHandler<Owner: ConnectionOwner>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let owner: Owner
    private let connection: Int
    private var decoder: PacketDecoder
    /// The beginning of a packet whose end is still to come.
    private var rest = ByteBuffer()
    private var isBroken = false

    init(owner: Owner, connection: Int, decoder: PacketDecoder) {
        self.owner = owner
        self.connection = connection
        self.decoder = decoder
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isBroken else { return }
        var bytes = unwrapInboundIn(data)
        let hadRest = rest.readableBytes > 0
        if hadRest {
            rest.writeBuffer(&bytes)
            swap(&rest, &bytes)
            rest = ByteBuffer()
        }
        let count = bytes.readableBytes
        // A copy of its own, since what the client does with a packet may come back to this handler.
        var decoder = decoder
        let failure = owner.assumeIsolated { [connection] owner -> DecodingError? in
            do throws(DecodingError) {
                while let packet = try decoder.decode(from: &bytes) { owner.received(packet, on: connection) }
                return nil
            } catch {
                return error
            }
        }
        self.decoder = decoder
        if let failure {
            isBroken = true
            owner.assumeIsolated { [connection] in $0.failed(failure, on: connection) }
        } else if bytes.readableBytes > 0 {
            // A copy, which does not keep what was received before. What is added to is nobody else's: a large packet is
            // not copied again with each read.
            rest = hadRest && bytes.readableBytes == count ? bytes : ByteBuffer(bytes: bytes.readableBytesView)
        }
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
