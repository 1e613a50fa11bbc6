import Glibc
import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// One end of a TCP connection that keeps what it receives and how it ended.
final class Peer: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    enum Ending {
        case none
        case end
        case reset
    }

    struct State {
        var channel: (any Channel)?
        var received: [UInt8] = []
        /// The size of each piece as it was read.
        var pieces: [Int] = []
        var ending = Ending.none
        var isFinished = false
        var hasFailed = false
    }

    private let state = Mutex(State())
    private let isEcho: Bool

    init(isEcho: Bool = false) {
        self.isEcho = isEcho
    }

    static func connect(to port: Int) async throws -> Peer {
        let peer = Peer()
        _ = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in channel.eventLoop.makeCompletedFuture { try peer.attach(to: channel) } }
            .connect(host: "127.0.0.1", port: port)
            .get()
        return peer
    }

    /// Connects to one who may reset at once, and so early that the connect already fails: nil then.
    static func connectUnlessReset(to port: Int) async throws -> Peer? {
        do {
            return try await connect(to: port)
        } catch let error as NIOConnectionError
            where error.connectionErrors.allSatisfy({ ($0.error as? IOError)?.errnoCode == ECONNRESET })
        {
            return nil
        }
    }

    /// Connects to one who closes at once, and sees how.
    static func connectAndSeeTheEnd(of port: Int) async throws -> Ending {
        try await connectUnlessReset(to: port)?.waitForEnding() ?? .reset
    }

    func attach(to channel: any Channel) throws {
        try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        try channel.pipeline.syncOperations.addHandler(self)
        state.withLock { $0.channel = channel }
    }

    var received: [UInt8] { state.withLock { $0.received } }
    var pieces: [Int] { state.withLock { $0.pieces } }
    var ending: Ending { state.withLock { $0.ending } }
    private var channel: (any Channel)? { state.withLock { $0.channel } }

    func send(_ bytes: [UInt8]) { channel?.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }
    func send(_ text: String) { send(Array(text.utf8)) }
    /// Sends a FIN and goes on reading.
    func finish() {
        state.withLock { $0.isFinished = true }
        channel?.close(mode: .output, promise: nil)
    }
    func close() { channel?.close(promise: nil) }
    func reset() {
        (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in
            self.close()
        }
    }
    func setReading(_ on: Bool) async throws { try await channel?.setOption(.autoRead, value: on).get() }

    func waitFor(_ expected: [UInt8]) async throws {
        try await eventually("\(expected.count) bytes") { self.received.count >= expected.count }
    }
    func waitFor(_ text: String) async throws { try await waitFor(Array(text.utf8)) }
    func waitForEnding() async throws -> Ending {
        try await eventually("the connection's end") { self.ending != .none }
        return ending
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        state.withLock {
            $0.received += Array(buffer: bytes)
            $0.pieces.append(bytes.readableBytes)
        }
        if isEcho { context.writeAndFlush(NIOAny(bytes), promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return }
        state.withLock { if $0.ending == .none { $0.ending = .end } }
        if isEcho { context.writeAndFlush(NIOAny(ByteBuffer())).whenComplete { _ in self.close() } }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // With our own side finished, the other's FIN closes the channel at once.
        state.withLock {
            if $0.ending == .none { $0.ending = $0.isFinished && !$0.hasFailed ? .end : .reset }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        state.withLock { $0.hasFailed = true }
        context.close(promise: nil)
    }
}

/// A server that keeps each of its connections, and sends back what comes if told to.
final class PeerServer: Sendable {
    let port: Int
    private let listener: any Channel
    private let accepted: Accepted

    private final class Accepted: Sendable {
        let peers = Mutex<[Peer]>([])
    }

    static func start(
        isEcho: Bool = true, on eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()
    ) async throws -> PeerServer {
        let accepted = Accepted()
        let listener = try await ServerBootstrap(group: eventLoop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let peer = Peer(isEcho: isEcho)
                    try peer.attach(to: channel)
                    accepted.peers.withLock { $0.append(peer) }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return PeerServer(port: listener.localAddress?.port ?? 0, listener: listener, accepted: accepted)
    }

    private init(port: Int, listener: any Channel, accepted: Accepted) {
        self.port = port
        self.listener = listener
        self.accepted = accepted
    }

    var peers: [Peer] { accepted.peers.withLock { $0 } }

    /// The first connection, as soon as it was accepted.
    func peer() async throws -> Peer {
        try await eventually("a connection at the server") { !self.peers.isEmpty }
        return peers[0]
    }

    func stop() async throws {
        for peer in peers { peer.close() }
        try await listener.close()
    }
}
