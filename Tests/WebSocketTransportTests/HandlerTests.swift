import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import WebSocketTransport

struct HandlerTests {
    private static let limits = WebSocketClientConfiguration(
        handshakeTimeout: .seconds(10), closeTimeout: .seconds(2))

    /// Takes the mask off a client's frames.
    private func unmasked(_ bytes: [UInt8]) throws -> [FrameDecoder.Event] {
        var decoder = FrameDecoder(isServer: true, maximumFrameSize: .max)
        decoder.receive(ByteBuffer(bytes: bytes))
        var events: [FrameDecoder.Event] = []
        while let event = try decoder.next() { events.append(event) }
        return events
    }

    private func data(_ text: String) -> FrameDecoder.Event { .data(ByteBuffer(string: text)) }

    // MARK: The handshake

    @Test("Client and server shake hands, and what was written before goes through then")
    func handshake() throws {
        let client = try Side.client()
        let server = try Side.server()
        client.write(Array("early".utf8))
        server.receive(try client.sent())
        #expect(server.recorder.story == ["mqtt at /mqtt"])
        #expect(client.recorder.story == [])
        client.receive(try server.sent())
        #expect(client.recorder.story == ["mqtt at /mqtt"])
        server.receive(try client.sent())
        #expect(server.recorder.received == Array("early".utf8))
        server.write(Array("answer".utf8))
        #expect(
            try server.channel.readOutbound(as: ByteBuffer.self).map { Array(buffer: $0) }
                == frame(0x82, Array("answer".utf8)))
    }

    @Test("A frame behind the server's answer is read with it")
    func together() throws {
        let client = try Side.client()
        let server = try Side.server()
        server.receive(try client.sent())
        client.receive(try server.sent() + frame(0x82, [1, 2, 3]))
        #expect(client.recorder.received == [1, 2, 3])
    }

    @Test("More than is kept before the handshake's end fails everything")
    func tooMuch() throws {
        let client = try Side.client()
        let first = client.channel.writeAndFlush(ByteBuffer(repeating: 1, count: 65_536))
        #expect(client.recorder.errors.isEmpty)
        let second = client.channel.writeAndFlush(ByteBuffer(repeating: 1, count: 1))
        client.channel.embeddedEventLoop.run()
        for write in [first, second] {
            let error = #expect(throws: WebSocketError.self) { try write.wait() }
            #expect(error?.code == .tooMuchBeforeHandshake)
        }
        #expect(client.recorder.story == ["tooMuchBeforeHandshake", "inactive"])
    }

    @Test("A server that does not answer is given up, with what it did")
    func timeout() throws {
        for (bytes, words) in [([], "the server said nothing"), (Array("HTTP/1.1".utf8), "did not finish")] {
            let client = try Side.client(Self.limits)
            client.receive(bytes)
            client.channel.embeddedEventLoop.advanceTime(by: .milliseconds(9_999))
            #expect(client.recorder.story == [])
            client.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
            #expect(client.recorder.story == ["handshakeTimeout", "inactive"])
            #expect(client.recorder.error?.description.contains(words) == true)
        }
    }

    @Test("The end of the connection in the handshake is told")
    func cut() throws {
        let client = try Side.client()
        let write = client.channel.writeAndFlush(ByteBuffer(bytes: [1]))
        try client.channel.close().wait()
        #expect(throws: ChannelError.self) { try write.wait() }
        // We closed it.
        #expect(client.recorder.story == ["inactive"])

        let other = try Side.client()
        other.channel.pipeline.fireErrorCaught(IOError(errnoCode: 104, reason: "read"))
        #expect(other.recorder.story == ["closedDuringHandshake", "inactive"])
    }

    @Test("A refused client is told why in HTTP")
    func refused() throws {
        let client = try Side.client(.init(path: "/other"))
        let server = try Side.server()
        server.receive(try client.sent())
        #expect(server.recorder.story == ["badRequest", "inactive"])
        client.receive(try server.sent())
        #expect(client.recorder.story == ["notFound", "inactive"])
    }

    // MARK: Open

    @Test("Writes are masked binary frames, each with a mask of its own")
    func writes() throws {
        let client = try Side.openClient()
        client.write([0, 0, 0, 0])
        client.write([])
        client.write([0, 0, 0, 0])
        let sent = try client.sent()
        #expect(sent.count == 20 && sent[0] == 0x82 && sent[1] == 0x84)
        #expect(sent[2..<6] == sent[6..<10])
        #expect(sent[2..<6] != sent[12..<16])
        #expect(
            try unmasked(sent) == [.data(ByteBuffer(bytes: [0, 0, 0, 0])), .data(ByteBuffer(bytes: [0, 0, 0, 0]))])
    }

    @Test("A ping is answered with its payload; of many at once the last")
    func ping() throws {
        let client = try Side.openClient()
        client.receive(frame(0x89, [1]) + frame(0x89, [2, 3]) + frame(0x8A, [9]))
        let sent = try client.sent()
        #expect(sent.count == 8 && sent[0] == 0x8A)
        #expect(zip(sent[6...], sent[2...]).map { $0 ^ $1 } == [2, 3])
    }

    @Test("Pings to somebody who does not read do not pile up")
    func pingFlood() throws {
        let client = try Side.openClient()
        client.channel.isWritable = false
        for number in 0..<100 as Range<UInt8> { client.receive(frame(0x89, [number])) }
        #expect(try client.sent() == [])
        client.channel.isWritable = true
        client.channel.pipeline.fireChannelWritabilityChanged()
        let sent = try client.sent()
        #expect(sent.count == 7 && sent[6] ^ sent[2] == 99)
    }

    @Test(
        "A broken frame is answered with a close frame that says so",
        arguments: [
            ([0x81, 0], "protocolViolation", 1003), ([0xC2, 0], "protocolViolation", 1002),
            ([0x82, 126, 0x27, 0x10], "frameTooLarge", 1009), ([0x88, 3, 0x03, 0xE8, 0xFF], "protocolViolation", 1007),
        ] as [([UInt8], String, UInt16)])
    func broken(bytes: [UInt8], code: String, closeCode: UInt16) throws {
        let client = try Side.openClient(.init(maximumFrameSize: 1000))
        client.receive(frame(0x82, [7]) + bytes)
        #expect(client.recorder.received == [7])
        #expect(client.recorder.story == [code, "inactive"])
        #expect(try unmasked(client.sent()) == [.close(WebSocketCloseCode(rawValue: closeCode), reason: "")])
        #expect(!client.channel.isActive)
    }

    @Test("Bytes are read only when somebody wants them, but for what the handler wants itself")
    func reading() throws {
        final class Reads: ChannelOutboundHandler {
            typealias OutboundIn = ByteBuffer
            var count = 0
            func read(context: ChannelHandlerContext) {
                count += 1
                context.read()
            }
        }
        let client = try Side.openClient()
        let reads = Reads()
        try client.channel.pipeline.syncOperations.addHandler(reads, position: .first)
        try client.channel.syncOptions?.setOption(.autoRead, value: false)
        client.receive(frame(0x82, [1]))
        #expect(reads.count == 0)
        client.channel.read()
        #expect(reads.count == 1)
        // Only a ping: who wanted bytes still wants them.
        client.receive(frame(0x89, []))
        #expect(reads.count == 2)
        client.receive(frame(0x82, [1]))
        #expect(reads.count == 2)
        client.channel.close(promise: nil)
        #expect(reads.count == 3)
        client.receive(frame(0x82, [1]))
        #expect(reads.count == 4)
    }

    // MARK: The end

    @Test("Our goodbye waits for the peer's, and drops what comes meanwhile")
    func goodbye() throws {
        let client = try Side.openClient()
        let closes = [client.channel.close(), client.channel.close()]
        #expect(try unmasked(client.sent()) == [.close(.normal, reason: "")])
        #expect(throws: ChannelError.outputClosed) { try client.channel.writeAndFlush(ByteBuffer(bytes: [1])).wait() }
        client.receive(frame(0x82, [1, 2]) + frame(0x89, [1]))
        #expect(client.channel.isActive && client.recorder.received == [])
        client.receive(frame(0x88, [0x03, 0xE8]))
        #expect(!client.channel.isActive)
        for close in closes { try close.wait() }
        #expect(client.recorder.story == ["inactive"])
        #expect(try client.sent() == [])
    }

    @Test("A peer that does not say goodbye is waited for until the deadline")
    func deadline() throws {
        let client = try Side.openClient(Self.limits)
        let close = client.channel.close()
        client.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1_999))
        #expect(client.channel.isActive)
        client.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!client.channel.isActive)
        try close.wait()
        #expect(client.recorder.story == ["inactive"])
    }

    @Test("Garbage in place of the peer's goodbye ends it too")
    func garbage() throws {
        let client = try Side.openClient()
        let close = client.channel.close()
        client.receive([0xFF, 0x00])
        try close.wait()
        #expect(client.recorder.story == ["inactive"])
    }

    @Test(
        "The peer's goodbye is answered and told",
        arguments: [
            ([], ["closed 0 ", "inactive"]), ([0x03, 0xE8], ["closed 1000 ", "inactive"]),
            ([0x03, 0xF0, 0x6E, 0x6F], ["closed 1008 no", "closedByPeer", "inactive"]),
        ] as [([UInt8], [String])])
    func peerGoodbye(payload: [UInt8], story: [String]) throws {
        let client = try Side.openClient()
        client.receive(frame(0x88, payload) + frame(0x82, [1]))
        #expect(client.recorder.story == story)
        #expect(client.recorder.received == [])
        let sent = try client.sent()
        #expect(sent[0] == 0x88 && sent.count == 6 + min(2, payload.count))
        #expect(!client.channel.isActive)
        guard let error = client.recorder.error else { return }
        #expect(error.description == "the server closed the WebSocket with 1008 (policy violation): “no”")
    }

    @Test("The connection's end without a goodbye is told once")
    func truncated() throws {
        let client = try Side.openClient()
        client.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(client.recorder.story == ["truncated", "inactive"])

        struct Underneath: Error {}
        let other = try Side.openClient()
        other.channel.pipeline.fireErrorCaught(Underneath())
        other.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(other.recorder.story == ["Underneath()", "inactive"])
    }

    @Test("Half a WebSocket cannot be closed")
    func half() throws {
        let client = try Side.openClient()
        #expect(throws: ChannelError.operationUnsupported) { try client.channel.close(mode: .output).wait() }
        #expect(client.channel.isActive)
    }

    @Test("Hostile bytes end in one error at most, and then in a closed channel (S3)")
    func hostile() throws {
        for seed in 0..<300 as Range<UInt64> {
            var generator = SplitMix64(seed: seed)
            let client = try Side.openClient()
            for _ in 0..<10 where client.channel.isActive {
                var bytes = generator.bytes(Int.random(in: 2...60, using: &generator))
                bytes[0] = [0x82, 0x02, 0x80, 0x89, 0x88, bytes[0]].randomElement(using: &generator) ?? 0
                bytes[1] %= 64
                client.receive(bytes)
            }
            #expect(client.recorder.errors.count <= 1, "seed \(seed)")
            #expect(client.recorder.errors.allSatisfy { $0 is WebSocketError }, "seed \(seed)")
            #expect(client.recorder.errors.isEmpty || !client.channel.isActive, "seed \(seed)")
        }
    }
}
