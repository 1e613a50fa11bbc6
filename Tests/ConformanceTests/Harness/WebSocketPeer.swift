import MQTTWire
import NIOCore
import NIOPosix
import TestSupport

/// The little of WebSocket (RFC 6455) that a test needs to send any frame.
final class WebSocketPeer: Sendable {
    enum Opcode: UInt8 {
        case continuation, text, binary
        case close = 8
        case ping, pong
    }

    /// What the broker named in its answer to the handshake.
    let selectedSubprotocol: String?
    private let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
    private let bytes: Bytes

    /// The bytes that came and were not read yet.
    private actor Bytes {
        private var buffer = ByteBuffer()
        private var isClosed = false

        func append(_ more: ByteBuffer) { buffer.writeImmutableBuffer(more) }
        func close() { isClosed = true }

        var state: (buffer: ByteBuffer, isClosed: Bool) { (buffer, isClosed) }
        func drop(_ count: Int) { buffer.moveReaderIndex(forwardBy: count) }
    }

    private init(_ channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>, _ bytes: Bytes, _ subprotocol: String?) {
        self.channel = channel
        self.bytes = bytes
        selectedSubprotocol = subprotocol
    }

    deinit { channel.channel.close(promise: nil) }

    /// Connects and goes through the handshake.
    static func open(port: Int, subprotocols: String = "mqtt") async throws -> WebSocketPeer {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(patience)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let bytes = Bytes()
        Task {
            try? await channel.executeThenClose { inbound, _ in
                for try await buffer in inbound { await bytes.append(buffer) }
            }
            await bytes.close()
        }
        let request = """
            GET /mqtt HTTP/1.1\r
            Host: 127.0.0.1:\(port)\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Protocol: \(subprotocols)\r
            \r

            """
        try await channel.channel.writeAndFlush(ByteBuffer(string: request))
        let head = try await read(bytes, "the answer to the handshake") { buffer -> (String, Int)? in
            let text = String(buffer: buffer)
            guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
            return (String(text[..<end.lowerBound]), text[..<end.upperBound].utf8.count)
        }
        guard head.hasPrefix("HTTP/1.1 101") else { throw Surprise("the handshake was answered with \(head)") }
        let line = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-protocol:") }
        let value = line?.split(separator: ":", maxSplits: 1).last.map { $0.filter { $0 != " " } }
        return WebSocketPeer(channel, bytes, value)
    }

    /// Sends one frame, masked as a client's have to be.
    func send(frame payload: [UInt8], opcode: Opcode = .binary) async throws {
        let mask: [UInt8] = [0x12, 0x34, 0x56, 0x78]
        var frame: [UInt8] = [0x80 | opcode.rawValue]
        frame += payload.count < 126 ? [0x80 | UInt8(payload.count)] : [0x80 | 126] + twoBytes(UInt16(payload.count))
        frame += mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
        try await channel.channel.writeAndFlush(ByteBuffer(bytes: frame))
    }

    /// The next packets, from binary frames.
    func packets(_ count: Int, _ version: ProtocolVersion) async throws -> [Packet] {
        var decoder = PacketDecoder(version: version, maximumPacketSize: .max)
        var stream = ByteBuffer()
        var packets: [Packet] = []
        while packets.count < count {
            stream.writeBytes(try await frame())
            while let packet = try decoder.decode(from: &stream) { packets.append(packet) }
        }
        return packets
    }

    /// Waits until the broker has closed the connection, with or without a close frame before.
    func ended() async throws {
        let bytes = bytes
        try await eventually(within: .seconds(10), "the end of the WebSocket connection") {
            let state = await bytes.state
            return state.isClosed || state.buffer.getInteger(at: state.buffer.readerIndex) == UInt8(0x88)
        }
    }

    /// The payload of the next frame, which must be a short or middling binary one.
    private func frame() async throws -> [UInt8] {
        try await Self.read(bytes, "a frame") { buffer -> ([UInt8], Int)? in
            var buffer = buffer
            guard let first: UInt8 = buffer.readInteger(), let second: UInt8 = buffer.readInteger() else { return nil }
            guard first & 0x0F == Opcode.binary.rawValue || first & 0x0F == Opcode.continuation.rawValue else {
                throw Surprise("a frame with opcode \(first & 0x0F)")
            }
            var length = Int(second)
            if length == 126 {
                guard let long: UInt16 = buffer.readInteger() else { return nil }
                length = Int(long)
            }
            guard let payload = buffer.readBytes(length: length) else { return nil }
            return (payload, length + (second == 126 ? 4 : 2))
        }
    }

    /// Waits until `parse` makes something of the bytes, and drops as many as it took.
    private static func read<Value: Sendable>(
        _ bytes: Bytes, _ what: String, _ parse: (ByteBuffer) throws -> (Value, Int)?
    ) async throws -> Value {
        let deadline = ContinuousClock.now + .nanoseconds(patience.nanoseconds)
        while true {
            let state = await bytes.state
            if let (value, count) = try parse(state.buffer) {
                await bytes.drop(count)
                return value
            }
            if state.isClosed { throw Surprise("\(what) awaited, but the connection is closed") }
            guard ContinuousClock.now < deadline else { throw Surprise("waited in vain for \(what)") }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
