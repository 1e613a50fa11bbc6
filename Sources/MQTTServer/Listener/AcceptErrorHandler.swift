internal import NIOCore

/// Tells of connections that the system could not give us, for want of file descriptors or memory. SwiftNIO then leaves
/// the listener alone for a second.
final class AcceptErrorHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let server: MQTTServer
    private let door: Int

    init(server: MQTTServer, door: Int) {
        self.server = server
        self.door = door
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is IOError { server.assumeIsolated { [door] in $0.acceptFailed(error, at: door) } }
        context.fireErrorCaught(error)
    }
}
