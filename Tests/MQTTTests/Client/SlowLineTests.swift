import MQTTWire
import NIOCore
import NIOPosix
import Testing

@testable import MQTT

/// A message that takes longer on its way out than answers may take.
@Suite(.timeLimit(.minutes(3))) struct SlowLineTests {
    @Test func aLargeMessageGetsThroughASlowLine() async throws {
        // Threads of their own: other tests would slow the line down further.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let server = try await SlowServer.start(on: group.next())
        var configuration = quick(port: server.port)
        configuration.keepAlive = .seconds(1)
        configuration.responseTimeout = .seconds(1)
        configuration.acknowledgementTimeout = .seconds(2)
        let client = MQTTClient(configuration, eventLoop: group.next())
        let running = Task { await client.run() }
        var large = try message("t", "")
        large.payload.writeRepeatingByte(0x30, count: 2_400_000)
        try await client.publish(large, until: .acknowledged)
        await client.disconnect()
        await running.value
        var ends: [String] = []
        for await event in client.events {
            if case .disconnected(let reason, _) = event { ends.append("\(reason)") }
        }
        #expect(ends == ["requested"])
        await server.stop()
        try await group.shutdownGracefully()
    }
}

/// Takes 4 KiB every 10 ms, 400 kB/s, and answers as a broker does.
private final class SlowServer: Sendable {
    let port: Int
    private let listener: any Channel

    static func start(on eventLoop: any EventLoop) async throws -> SlowServer {
        let listener = try await ServerBootstrap(group: eventLoop)
            .serverChannelOption(.socketOption(.so_rcvbuf), value: 8192)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4096))
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        ByteToMessageHandler(PacketDecoder(version: .v5, maximumPacketSize: 1 << 24)), Answers(),
                    ])
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        guard let port = listener.localAddress?.port else { throw ChannelError.unknownLocalAddress }
        return SlowServer(port: port, listener: listener)
    }

    private init(port: Int, listener: any Channel) {
        self.port = port
        self.listener = listener
    }

    func stop() async { try? await listener.close() }

    private final class Answers: ChannelInboundHandler {
        typealias InboundIn = Packet

        private var reading: RepeatedTask?

        func channelActive(context: ChannelHandlerContext) {
            let channel = context.channel
            reading = context.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(10)) { _ in
                channel.read()
            }
        }

        func channelInactive(context: ChannelHandlerContext) { reading?.cancel() }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let answer: Packet
            switch unwrapInboundIn(data) {
            case .connect: answer = .connack(ConnAck(sessionPresent: false, reasonCode: .success))
            case .publish(let publish):
                guard let identifier = publish.packetIdentifier else { return }
                answer = .puback(Acknowledgement(packetIdentifier: identifier))
            case .pingreq: answer = .pingresp
            default: return
            }
            var bytes = ByteBuffer()
            guard (try? answer.encode(into: &bytes, version: .v5)) != nil else { return }
            context.writeAndFlush(NIOAny(bytes), promise: nil)
        }
    }
}
