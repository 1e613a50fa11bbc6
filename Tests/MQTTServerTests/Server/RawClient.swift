import MQTTWire
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport

/// A client that sends what it is told, packet or not, and gives what comes.
final class RawClient: Sendable {
    enum End: Error { case closed }

    let channel: any Channel
    private let packets: AsyncStream<Packet>
    private let reader: Task<Void, Never>
    private let version: ProtocolVersion
    private let inbox: Inbox

    static func connect(port: Int, version: ProtocolVersion = .v5, reads: Bool = true) async throws -> RawClient {
        try await connect(to: SocketAddress(ipAddress: "127.0.0.1", port: port), version: version, reads: reads)
    }

    static func connect(
        to address: SocketAddress, version: ProtocolVersion = .v5, reads: Bool = true
    ) async throws -> RawClient {
        let inbox = Inbox()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton.next())
            .channelOption(.autoRead, value: reads)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(inbox))
                }
            }
            .connect(to: address).get()
        return RawClient(channel, inbox, version)
    }

    private init(_ channel: any Channel, _ inbox: Inbox, _ version: ProtocolVersion) {
        self.channel = channel
        self.inbox = inbox
        self.version = version
        let (packets, continuation) = AsyncStream<Packet>.makeStream()
        self.packets = packets
        reader = Task {
            var decoder = PacketDecoder(version: version, maximumPacketSize: 268_435_460)
            var bytes = ByteBuffer()
            for await var part in inbox.stream {
                bytes.writeBuffer(&part)
                while let packet = try? decoder.decode(from: &bytes) { continuation.yield(packet) }
            }
            continuation.finish()
        }
    }

    deinit {
        reader.cancel()
        channel.close(promise: nil)
    }

    func send(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get() }

    func send(_ packets: Packet...) async throws {
        var bytes = ByteBuffer()
        for packet in packets { try packet.encode(into: &bytes, version: version) }
        try await channel.writeAndFlush(bytes).get()
    }

    /// The next packet.
    ///
    /// - Throws: ``End`` when the server has closed.
    func next() async throws -> Packet {
        try await within(.seconds(20), "a packet") { [packets] in
            for await packet in packets { return packet }
            throw End.closed
        }
    }

    /// CONNECT, and what comes of it.
    @discardableResult
    func connect(_ identifier: String, _ change: (inout Connect) -> Void = { _ in }) async throws -> ConnAck {
        var connect = Connect(version: version, clientIdentifier: identifier)
        change(&connect)
        try await send(.connect(connect))
        guard case .connack(let connack) = try await next() else { throw End.closed }
        return connack
    }

    /// Waits until the server has closed the connection.
    ///
    /// - Returns: what it said before.
    @discardableResult
    func closed() async throws -> [Packet] {
        try await within(.seconds(20), "the end of the connection") { [packets] in
            var last: [Packet] = []
            for await packet in packets { last.append(packet) }
            return last
        }
    }

    /// Bytes as they come, until the server closes.
    func bytes() async throws -> [UInt8] {
        reader.cancel()
        return try await within(.seconds(20), "the end of the connection") { [inbox] in
            while !inbox.isClosed { try await Task.sleep(for: .milliseconds(5)) }
            return inbox.all
        }
    }

    private final class Inbox: Sendable {
        let stream: AsyncStream<ByteBuffer>
        let continuation: AsyncStream<ByteBuffer>.Continuation
        private let state = NIOLockedValueBox<(bytes: [UInt8], isClosed: Bool)>(([], false))

        init() { (stream, continuation) = AsyncStream.makeStream() }

        var isClosed: Bool { state.withLockedValue { $0.isClosed } }
        var all: [UInt8] { state.withLockedValue { $0.bytes } }

        func received(_ bytes: ByteBuffer) {
            state.withLockedValue { $0.bytes += bytes.readableBytesView }
            continuation.yield(bytes)
        }

        func closed() {
            state.withLockedValue { $0.isClosed = true }
            continuation.finish()
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let inbox: Inbox
        init(_ inbox: Inbox) { self.inbox = inbox }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) { inbox.received(unwrapInboundIn(data)) }
        func channelInactive(context: ChannelHandlerContext) { inbox.closed() }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
