package import NIOCore

#if canImport(Musl)
internal import Musl
#else
internal import Glibc
#endif

/// One of the two ends of a link.
enum Side: Sendable {
    case client
    case server

    /// The way that this side's bytes take.
    var outgoing: Direction { self == .client ? .toServer : .toClient }
}

extension Direction {
    var source: Side { self == .toServer ? .client : .server }
    var destination: Side { self == .toServer ? .server : .client }
}

/// A client's connection with its counterpart to the server. Confined to the relay.
final class Link {
    let id: Int
    private var client: (any Channel)?
    private var server: (any Channel)?
    var pipes = PerDirection(Pipe())
    /// The server's connection is being made: nothing is read yet.
    var isConnecting = false
    /// The ways on which something was swallowed: such a stream cannot go on after the mend.
    var lossy: Set<Direction> = []
    /// A write can call back into the relay; this keeps the order.
    var isDraining = false

    init(id: Int, client: any Channel) {
        self.id = id
        self.client = client
    }

    subscript(_ side: Side) -> (any Channel)? {
        get { side == .client ? client : server }
        set {
            switch side {
            case .client: client = newValue
            case .server: server = newValue
            }
        }
    }

    /// Ends both connections and drops what waits in the pipes.
    func close(_ ending: Ending) {
        for direction in Direction.allCases {
            pipes[direction].alarm?.cancel()
            _ = pipes[direction].drop()
        }
        for channel in [client, server].compactMap(\.self) {
            channel.end(ending)
        }
        client = nil
        server = nil
    }
}

extension Channel {
    /// Ends a connection; on its event loop.
    func end(_ ending: Ending) {
        switch ending {
        case .reset:
            reset()
        case .orderly:
            finishWriting()
            // Who closes with unread bytes resets, and the reset may overtake what was sent: read on until the peer
            // closes, for a second at most.
            setOption(.autoRead, value: true).whenFailure { _ in }
            let limit = eventLoop.scheduleTask(in: .seconds(1)) { self.end(.reset) }
            closeFuture.whenComplete { _ in limit.cancel() }
        }
    }

    /// Closes with a RST; what was written and not yet sent is lost.
    package func reset() {
        // Lingering for zero seconds makes close(2) send a RST (socket(7)).
        (self as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenFailure { _ in }
        close(promise: nil)
    }

    /// Sends a FIN after everything that was written.
    func finishWriting() {
        // An output closed after the input would close at once and drop what waits: so wait for it.
        writeAndFlush(ByteBuffer()).whenComplete { _ in self.close(mode: .output, promise: nil) }
    }
}
