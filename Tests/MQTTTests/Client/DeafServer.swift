import MQTTWire
import NIOCore
import NIOPosix
import Synchronization

/// A server on 127.0.0.1 that accepts its first client, says what it is told to say, and reads nothing; from the second
/// client on it reads, and keeps what was published.
final class DeafServer: Sendable {
    let port: Int
    private let listener: any Channel
    private let clients: Clients

    static func start() async throws -> DeafServer {
        let clients = Clients()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton.next())
            .serverChannelOption(.socketOption(.so_rcvbuf), value: 4096)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        ByteToMessageHandler(PacketDecoder(version: .v5, maximumPacketSize: 1 << 20)),
                        Ear(clients),
                    ])
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        guard let port = listener.localAddress?.port else { throw ChannelError.unknownLocalAddress }
        return DeafServer(port: port, listener: listener, clients: clients)
    }

    private init(port: Int, listener: any Channel, clients: Clients) {
        self.port = port
        self.listener = listener
        self.clients = clients
    }

    /// The payloads of what the second client and those after it published.
    var published: [String] { clients.state.withLock { $0.published } }

    /// Says something to its newest client.
    func send(_ bytes: ByteBuffer) { clients.state.withLock { $0.channels.last }?.writeAndFlush(bytes, promise: nil) }

    /// Closes its newest client's connection.
    func hangUp() { clients.state.withLock { $0.channels.last }?.close(promise: nil) }

    func stop() async {
        for channel in clients.state.withLock({ $0.channels }) { channel.close(promise: nil) }
        try? await listener.close()
    }
}

private final class Clients: Sendable {
    struct State {
        var channels: [any Channel] = []
        var published: [String] = []
    }

    let state = Mutex(State())
}

private final class Ear: ChannelInboundHandler {
    typealias InboundIn = Packet

    private let clients: Clients

    init(_ clients: Clients) { self.clients = clients }

    func channelActive(context: ChannelHandlerContext) {
        let isFirst = clients.state.withLock {
            $0.channels.append(context.channel)
            return $0.channels.count == 1
        }
        context.writeAndFlush(NIOAny(ByteBuffer(bytes: [0x20, 0x03, 0x00, 0x00, 0x00])), promise: nil)
        if !isFirst { context.channel.setOption(.autoRead, value: true).whenFailure { _ in } }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .publish(let publish) = unwrapInboundIn(data) else { return }
        clients.state.withLock { $0.published.append(String(buffer: publish.payload)) }
    }
}
