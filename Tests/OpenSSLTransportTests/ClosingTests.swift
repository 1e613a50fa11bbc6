import NIOCore
import NIOEmbedded
import Testing

@testable import OpenSSLTransport

struct ClosingTests {
    private func connect(
        _ pair: (client: TLSClientConfiguration, server: TLSServerConfiguration)
    ) throws -> Wire {
        try Wire(client: pair.client, server: pair.server, pieces: .random, seed: 5).connect()
    }

    @Test("Closing says close_notify, and the other side closes without an error")
    func closeNotify() async throws {
        let wire = try connect(await HandshakeTests.pair())
        wire.client.writeAndFlush(Wire.bytes("bye"), promise: nil)
        wire.client.close(promise: nil)
        try wire.carry()
        #expect(wire.atServer.received == Array("bye".utf8))
        #expect(wire.atServer.story == ["handshake", "inactive"])
        #expect(wire.atClient.story == ["handshake", "inactive"])
        #expect(!wire.server.isActive)
    }

    @Test("An end without close_notify is a truncation")
    func truncation() async throws {
        let wire = try connect(await HandshakeTests.pair())
        Wire.cut(wire.client)
        #expect(wire.atClient.story == ["handshake", "truncated", "inactive"])
        #expect(
            wire.atClient.error?.description
                == "the server closed the connection without saying so in TLS (close_notify): the last of what it sent may be missing"
        )
        #expect(wire.atClient.error?.fault == .network)
    }

    @Test("A reset says why itself, and is not called a truncation as well")
    func reset() async throws {
        let wire = try connect(await HandshakeTests.pair())
        wire.client.pipeline.fireErrorCaught(IOError(errnoCode: 104, reason: "read"))
        Wire.cut(wire.client)
        #expect(wire.atClient.errors.count == 1 && wire.atClient.errors.first is IOError)
    }

    @Test("An end in the midst of the handshake, and one before a word")
    func duringHandshake() async throws {
        let (client, server) = try await HandshakeTests.pair()
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
        let silent = try Wire(client: client, server: server)
        silent.client.connect(to: address, promise: nil)
        let write = Wire.send(Wire.bytes("kept"), on: silent.client)
        Wire.cut(silent.client)
        #expect(
            silent.atClient.error?.description
                == "the server closed the connection without a word of TLS: is this its TLS port?")
        #expect((write.error as? TLSError)?.code == .closedDuringHandshake)

        let midst = try Wire(client: client, server: server)
        midst.server.connect(to: address, promise: nil)
        midst.client.connect(to: address, promise: nil)
        try midst.carry(from: midst.client, to: midst.server)
        Wire.cut(midst.server)
        #expect(
            midst.atServer.error?.description == "the client closed the connection in the midst of the TLS handshake")
    }

    @Test("A channel that goes with the handshake's last write was never open")
    func goneWithTheLastWrite() async throws {
        let (client, server) = try await HandshakeTests.pair()
        let wire = try Wire(client: client, server: server)
        try wire.client.pipeline.syncOperations.addHandler(Breaker(), position: .first)
        try wire.connect()
        #expect(wire.atClient.story.first == "closedDuringHandshake")
        #expect(wire.atClient.handshake == nil)
    }

    @Test("Half closure before the end of the handshake closes altogether")
    func earlyHalfClosure() async throws {
        let (client, server) = try await HandshakeTests.pair()
        let wire = try Wire(client: client, server: server)
        wire.client.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        let write = Wire.send(Wire.bytes("kept"), on: wire.client)
        wire.client.close(mode: .output, promise: nil)
        #expect(!wire.client.isActive)
        #expect(write.error as? ChannelError == .ioOnClosedChannel)
    }

    @Test("Where half closure is allowed, we may write after the peer's close_notify")
    func halfClosure() async throws {
        let wire = try connect(await HandshakeTests.pair())
        wire.server.allowRemoteHalfClosure = true
        wire.client.close(mode: .output, promise: nil)
        try wire.carry()
        #expect(wire.atServer.story == ["handshake", "inputClosed"])
        #expect(wire.server.isActive)
        wire.server.writeAndFlush(Wire.bytes("last words"), promise: nil)
        try wire.carry()
        #expect(wire.atClient.received == Array("last words".utf8))
        #expect(Wire.send(Wire.bytes("too late"), on: wire.client).error as? ChannelError == .outputClosed)
        wire.server.close(promise: nil)
        try wire.carry()
        #expect(wire.atClient.story == ["handshake", "inactive"])
    }

    @Test("A FIN without close_notify is a truncation too where half closure is allowed")
    func halfTruncation() async throws {
        let wire = try connect(await HandshakeTests.pair())
        wire.server.allowRemoteHalfClosure = true
        wire.server.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(wire.atServer.story == ["handshake", "truncated", "inactive"])
    }

    @Test("Garbage after the handshake ends the connection")
    func garbage() async throws {
        let wire = try connect(await HandshakeTests.pair())
        try wire.client.writeInbound(ByteBuffer(bytes: [23, 3, 3, 0, 32] + [UInt8](repeating: 7, count: 32)))
        #expect(wire.atClient.error?.code == .protocolViolation)
        #expect(
            wire.atClient.error?.description
                == "the server broke the TLS protocol: decryption failed or bad record mac")
        try wire.carry()
        #expect(
            wire.atServer.error?.description
                == "the client refuses the connection: it answers “bad record mac” (alert 20)")
        #expect(!wire.client.isActive && !wire.server.isActive)
    }

    @Test("Nothing is read for a reader that does not ask, and the handshake is done all the same")
    func backPressure() async throws {
        let (client, server) = try await HandshakeTests.pair()
        let counter = ReadCounter()
        let recorder = Recorder()
        let channel = EmbeddedChannel(handlers: [
            counter, try TLSHandler(client: TLSClientContext(client), host: "localhost", port: 1), recorder,
        ])
        try channel.syncOptions?.setOption(.autoRead, value: false)
        let peer = EmbeddedChannel(handlers: [try TLSHandler(server: TLSServerContext(server)), Recorder()])
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
        peer.connect(to: address, promise: nil)
        channel.connect(to: address, promise: nil)
        func carry() throws {
            var moved = true
            while moved {
                moved = false
                while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
                    try peer.writeInbound(bytes); moved = true
                }
                // A channel without autoRead reads once for each time that it is asked.
                while counter.count > 0, var bytes = try peer.readOutbound(as: ByteBuffer.self) {
                    moved = true
                    while let piece = bytes.readSlice(length: min(100, bytes.readableBytes)), piece.readableBytes > 0 {
                        #expect(counter.count > 0, "bytes came that nobody had asked for")
                        counter.count = 0
                        try channel.writeInbound(piece)
                    }
                }
            }
        }
        try carry()
        #expect(recorder.handshake != nil)
        counter.count = 0
        peer.writeAndFlush(Wire.bytes("hello"), promise: nil)
        #expect(recorder.received.isEmpty)
        channel.read()
        #expect(counter.count == 1)
        try carry()
        #expect(recorder.received == Array("hello".utf8))
        #expect(counter.count == 0, "it asked for more than was wanted")
        _ = try? channel.finish(acceptAlreadyClosed: true)
        _ = try? peer.finish(acceptAlreadyClosed: true)
    }
}

/// The socket's side: is gone when the handshake's last bytes are to be written.
private final class Breaker: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private var writes = 0

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        writes += 1
        if writes == 2 {
            promise?.fail(ChannelError.ioOnClosedChannel)
            context.pipeline.fireChannelInactive()
        } else {
            context.write(data, promise: promise)
        }
    }
}

/// The socket's side: counts how often somebody asked for bytes.
private final class ReadCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    var count = 0

    func read(context: ChannelHandlerContext) {
        count += 1
        context.read()
    }
}
