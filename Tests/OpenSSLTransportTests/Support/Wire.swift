import COpenSSL
import NIOCore
import NIOEmbedded
import TestSupport

@testable import OpenSSLTransport

/// A client and a server, back to back, without sockets. What one sends reaches the other in pieces.
final class Wire {
    enum Pieces {
        case whole
        /// Byte by byte.
        case bytes
        /// As random as the seed says.
        case random
    }

    let client: EmbeddedChannel
    let server: EmbeddedChannel
    let atClient = Recorder()
    let atServer = Recorder()
    var pieces: Pieces
    var generator: SplitMix64
    /// What becomes of bytes on the way.
    var change: (inout ByteBuffer) -> Void = { _ in }
    /// Bytes on the way, from both sides together.
    private(set) var carried = 0

    init(
        client: TLSClientContext, server: TLSServerContext, host: String = "localhost", pieces: Pieces = .whole,
        seed: UInt64 = 1
    ) throws {
        self.pieces = pieces
        generator = SplitMix64(seed: seed)
        self.client = EmbeddedChannel(handlers: [
            HalfCloser(), try TLSHandler(client: client, host: host, port: 8883), atClient,
        ])
        self.server = EmbeddedChannel(handlers: [HalfCloser(), try TLSHandler(server: server), atServer])
    }

    convenience init(
        client: TLSClientConfiguration, server: TLSServerConfiguration, host: String = "localhost",
        pieces: Pieces = .whole, seed: UInt64 = 1
    ) throws {
        try self.init(
            client: TLSClientContext(client), server: TLSServerContext(server), host: host, pieces: pieces, seed: seed)
    }

    deinit {
        _ = try? client.finish(acceptAlreadyClosed: true)
        _ = try? server.finish(acceptAlreadyClosed: true)
    }

    /// Connects both and lets the handshake go as far as it goes.
    @discardableResult
    func connect() throws -> Wire {
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 8883)
        server.connect(to: address, promise: nil)
        client.connect(to: address, promise: nil)
        try carry()
        return self
    }

    /// Carries bytes until there are none.
    func carry() throws {
        while try carry(from: client, to: server) || carry(from: server, to: client) {}
    }

    @discardableResult
    func carry(from sender: EmbeddedChannel, to receiver: EmbeddedChannel) throws -> Bool {
        sender.embeddedEventLoop.run()
        var moved = false
        while var bytes = try sender.readOutbound(as: ByteBuffer.self) {
            moved = true
            carried += bytes.readableBytes
            change(&bytes)
            while bytes.readableBytes > 0 {
                let count =
                    switch pieces {
                    case .whole: bytes.readableBytes
                    case .bytes: 1
                    case .random: Int.random(in: 1...bytes.readableBytes, using: &generator)
                    }
                guard let piece = bytes.readSlice(length: count) else { break }
                if receiver.isActive { try receiver.writeInbound(piece) }
            }
        }
        receiver.embeddedEventLoop.run()
        return moved
    }

    /// The way ends without a word.
    static func cut(_ channel: EmbeddedChannel) {
        channel.pipeline.fireChannelInactive()
        channel.embeddedEventLoop.run()
    }

    /// Writes and flushes. Nothing here awaits: an EmbeddedEventLoop stays with its thread.
    static func send(_ bytes: ByteBuffer, on channel: EmbeddedChannel) -> Outcome {
        let outcome = Outcome()
        channel.writeAndFlush(bytes).assumeIsolated().whenComplete { outcome.result = $0 }
        return outcome
    }

    /// What became of a write.
    final class Outcome {
        var result: Result<Void, any Error>?

        var isWritten: Bool { if case .success? = result { true } else { false } }
        var error: (any Error)? { if case .failure(let error)? = result { error } else { nil } }
    }

    static func bytes(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }
}

/// In the socket's place: an EmbeddedChannel would close altogether when only its output is to be closed.
private final class HalfCloser: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .output { promise?.succeed() } else { context.close(mode: mode, promise: promise) }
    }
}

extension Wire {
    /// Does a handshake with a handler that is already made.
    static func shakeHands(_ handler: TLSHandler, _ server: TLSServerContext) throws {
        let client = EmbeddedChannel(handler: handler)
        let server = EmbeddedChannel(handler: try TLSHandler(server: server))
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 8883)
        server.connect(to: address, promise: nil)
        client.connect(to: address, promise: nil)
        var moved = true
        while moved {
            moved = false
            while let bytes = try client.readOutbound(as: ByteBuffer.self) {
                try server.writeInbound(bytes); moved = true
            }
            while let bytes = try server.readOutbound(as: ByteBuffer.self) {
                try client.writeInbound(bytes); moved = true
            }
        }
        _ = try? client.finish(acceptAlreadyClosed: true)
        _ = try? server.finish(acceptAlreadyClosed: true)
    }
}

extension ContextHandle {
    /// For tests: the newest version that is spoken.
    func limit(to version: TLSVersion) { _ = fieldpost_SSL_CTX_set_max_proto_version(pointer, version.number) }
}
