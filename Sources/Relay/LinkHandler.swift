internal import NIOCore

/// Tells the relay what happens on one side of a link. It decides nothing.
final class LinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let relay: TCPRelay
    private let id: Int
    private let side: Side
    private var hasFailed = false

    init(relay: TCPRelay, id: Int, side: Side) {
        self.relay = relay
        self.id = id
        self.side = side
    }

    func channelActive(context: ChannelHandlerContext) {
        let (id, side, channel) = (id, side, context.channel)
        guard side == .client else { return }
        relay.assumeIsolated { $0.accepted(channel, id: id) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let (id, side, bytes) = (id, side, unwrapInboundIn(data))
        relay.assumeIsolated { $0.received(bytes, from: side, of: id) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        let (id, side) = (id, side)
        relay.assumeIsolated { $0.readCompleted(side, of: id) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let (id, side) = (id, side)
        relay.assumeIsolated { $0.writabilityChanged(side, of: id) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return }
        let (id, side, channel) = (id, side, context.channel)
        relay.assumeIsolated { $0.finished(side, of: id, channel) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let (id, side, hasFailed) = (id, side, hasFailed)
        relay.assumeIsolated { $0.vanished(side, of: id, byError: hasFailed) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A connection reset by its peer, mostly: channelInactive follows and hands the reset on.
        hasFailed = true
        context.close(promise: nil)
    }
}
