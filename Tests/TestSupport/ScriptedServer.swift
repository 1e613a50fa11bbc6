internal import NIOCore
internal import NIOPosix
internal import Relay
internal import Synchronization

/// A TCP server on 127.0.0.1 that does what it is told, however rude.
///
/// ```swift
/// let server = try await ScriptedServer.start([.receive(14), .send([0x20, 0x02, 0x00, 0x00]), .close])
/// ```
///
/// After its script's last step a connection stays open and silent; what it sends is kept.
public final class ScriptedServer: Sendable {
    /// What is done on a connection, one after the other.
    public enum Step: Sendable {
        /// Waits until so many more bytes have come.
        case receive(Int)
        case send([UInt8])
        case pause(Duration)
        /// Closes, with a FIN.
        case close
        /// Closes, with a RST.
        case reset
    }

    /// Where it listens.
    public let port: Int
    private let listener: any Channel
    private let connections: Connections

    /// Starts a server whose first connection follows the first script, and so on; the last script repeats.
    public static func start(_ scripts: [Step]...) async throws -> ScriptedServer {
        let connections = Connections(scripts: scripts)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton.next())
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let (number, script) = connections.open(channel)
                    try channel.pipeline.syncOperations.addHandler(
                        ScriptHandler(number: number, script: script, connections: connections))
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        guard let port = listener.localAddress?.port else { throw ChannelError.unknownLocalAddress }
        return ScriptedServer(port: port, listener: listener, connections: connections)
    }

    private init(port: Int, listener: any Channel, connections: Connections) {
        self.port = port
        self.listener = listener
        self.connections = connections
    }

    deinit {
        listener.close(promise: nil)
        connections.closeAll()
    }

    /// How many connections were accepted so far.
    public var connectionCount: Int { connections.state.withLock { $0.received.count } }

    /// What has come on each connection so far, in the order in which they were accepted.
    public var received: [[UInt8]] { connections.state.withLock { $0.received } }

    /// Waits until so many connections were accepted.
    public func waitForConnection(count: Int = 1, timeout: Duration = .seconds(30)) async throws {
        try await eventually(within: timeout, "connection number \(count)") { self.connectionCount >= count }
    }

    /// Stops listening and closes all connections.
    public func stop() async {
        connections.closeAll()
        try? await listener.close()
    }
}

/// What the server and its connections share.
private final class Connections: Sendable {
    struct State {
        var received: [[UInt8]] = []
        var channels: [any Channel] = []
    }

    let scripts: [[ScriptedServer.Step]]
    let state = Mutex(State())

    init(scripts: [[ScriptedServer.Step]]) {
        self.scripts = scripts
    }

    func open(_ channel: any Channel) -> (Int, [ScriptedServer.Step]) {
        let number = state.withLock {
            $0.received.append([])
            $0.channels.append(channel)
            return $0.received.count - 1
        }
        return (number, number < scripts.count ? scripts[number] : scripts.last ?? [])
    }

    func closeAll() {
        for channel in state.withLock({ $0.channels }) { channel.close(promise: nil) }
    }
}

/// Carries out one connection's script.
private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let number: Int
    private var script: ArraySlice<ScriptedServer.Step>
    private let connections: Connections
    private var unread = 0
    private var isPausing = false

    init(number: Int, script: [ScriptedServer.Step], connections: Connections) {
        self.number = number
        self.script = script[...]
        self.connections = connections
    }

    func channelActive(context: ChannelHandlerContext) { proceed(context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Array(buffer: unwrapInboundIn(data))
        connections.state.withLock { $0.received[number] += bytes }
        unread += bytes.count
        proceed(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func proceed(_ context: ChannelHandlerContext) {
        while !isPausing, let step = script.first {
            if case .receive(let count) = step {
                guard unread >= count else { return }
                unread -= count
            }
            script.removeFirst()
            switch step {
            case .receive: break
            case .send(let bytes): context.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
            case .pause(let duration):
                isPausing = true
                context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(duration)) {
                    self.isPausing = false
                    self.proceed(context)
                }
            case .close: context.close(promise: nil)
            case .reset: context.channel.reset()
            }
        }
    }
}
