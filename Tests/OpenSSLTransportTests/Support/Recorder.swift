import NIOCore
import OpenSSLTransport

/// The end of a pipeline: notes what comes.
final class Recorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    var received: [UInt8] = []
    var onHandshake: (ChannelHandlerContext) -> Void = { _ in }
    var handshake: TLSHandshakeCompleted?
    /// Everything but bytes, in the order in which it came.
    var story: [String] = []
    var errors: [any Error] = []

    var error: TLSError? { errors.first as? TLSError }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += unwrapInboundIn(data).readableBytesView
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSHandshakeCompleted {
            handshake = event
            story.append("handshake")
            onHandshake(context)
        } else {
            story.append("\(event)")
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        errors.append(error)
        story.append((error as? TLSError).map { "\($0.code)" } ?? "\(error)")
    }

    func channelInactive(context: ChannelHandlerContext) { story.append("inactive") }
}
