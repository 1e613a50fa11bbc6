internal import NIOCore

/// Tells of connections that the system could not give us, for want of file descriptors or memory. The listener
/// is left alone for a second then.
final class AcceptErrorHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let server: MQTTServer
    private let door: Int

    init(server: MQTTServer, door: Int) {
        self.server = server
        self.door = door
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError else { return context.fireErrorCaught(error) }
        server.assumeIsolated { [door] in $0.acceptFailed(error, at: door) }
        // Since the listener stays readable, it must not be looked at for a while.
        let options = context.channel.syncOptions
        try? options?.setOption(.autoRead, value: false)
        context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) {
            try? options?.setOption(.autoRead, value: true)
        }
    }
}
