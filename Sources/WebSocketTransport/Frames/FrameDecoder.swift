internal import NIOCore

/// Turns what comes into the byte stream that binary frames carry, and the control frames between them.
///
/// A payload is passed on as it comes, whole or not: what is kept is a header or a control frame that is not whole, at
/// most 139 bytes. After an error it must not be used any more.
struct FrameDecoder: Sendable {
    enum Event: Hashable, Sendable {
        /// More of the stream, at least a byte.
        case data(ByteBuffer)
        case ping(ByteBuffer)
        case pong
        case close(WebSocketCloseCode?, reason: String)
    }

    private enum State {
        case header
        /// Within a binary payload, that many bytes from its beginning and from its end.
        case payload(MaskingKey?, done: UInt64, rest: UInt64)
        case control(Opcode, MaskingKey?, length: Int)
    }

    private let maximumFrameSize: Int
    /// A server takes masked frames only, a client only others.
    private let isServer: Bool
    private var state = State.header
    /// The last data frame was not its message's last.
    private var isWithinMessage = false
    private var received = ByteBuffer()

    init(isServer: Bool, maximumFrameSize: Int) {
        self.isServer = isServer
        self.maximumFrameSize = maximumFrameSize
    }

    /// What was received and not used yet, in bytes.
    var pendingBytes: Int { received.readableBytes }

    mutating func receive(_ bytes: ByteBuffer) {
        if received.readableBytes == 0 {
            received = bytes
        } else {
            received.discardReadBytes()
            received.writeImmutableBuffer(bytes)
        }
    }

    /// What comes next in what was received; to be called until there is nothing more.
    mutating func next() throws(FrameError) -> Event? {
        while true {
            switch state {
            case .header:
                guard let header = try received.readFrameHeader() else { return nil }
                try begin(header)
            case .payload(_, _, rest: 0): state = .header
            case .payload(let mask, let done, let rest):
                let count = Int(min(rest, UInt64(received.readableBytes)))
                guard count > 0, var bytes = received.readSlice(length: count) else { return nil }
                state = .payload(mask, done: done + UInt64(count), rest: rest - UInt64(count))
                mask?.uncover(&bytes, phase: Int(done & 3))
                return .data(bytes)
            case .control(let opcode, let mask, let length):
                guard var bytes = received.readSlice(length: length) else { return nil }
                state = .header
                mask?.uncover(&bytes, phase: 0)
                switch opcode {
                case .ping: return .ping(bytes)
                case .pong: return .pong
                default: return try Self.close(bytes)
                }
            }
        }
    }

    private mutating func begin(_ header: FrameHeader) throws(FrameError) {
        guard header.reserved == 0 else { throw .reservedBits(header.reserved) }
        guard let opcode = Opcode(rawValue: header.opcode) else { throw .reservedOpcode(header.opcode) }
        guard (header.mask != nil) == isServer else { throw isServer ? .unmasked : .masked }
        if opcode.isControl {
            guard header.isFinal else { throw .fragmentedControl(opcode) }
            guard header.length <= 125 else { throw .longControl(opcode, header.length) }
            state = .control(opcode, header.mask, length: Int(header.length))
            return
        }
        switch opcode {
        case .text: throw .text
        case .continuation where !isWithinMessage: throw .nothingToContinue
        case .binary where isWithinMessage: throw .messageNotEnded
        default: break
        }
        guard header.length <= UInt64(maximumFrameSize) else {
            throw .tooLarge(header.length, limit: maximumFrameSize)
        }
        isWithinMessage = !header.isFinal
        state = .payload(header.mask, done: 0, rest: header.length)
    }

    /// RFC 6455 §5.5.1.
    private static func close(_ payload: ByteBuffer) throws(FrameError) -> Event {
        guard payload.readableBytes > 0 else { return .close(nil, reason: "") }
        var payload = payload
        guard let number: UInt16 = payload.readInteger() else { throw .closeWithHalfCode }
        let code = WebSocketCloseCode(rawValue: number)
        guard code.isValid else { throw .closeCode(number) }
        guard let reason = String(validating: payload.readableBytesView, as: UTF8.self) else { throw .closeReason }
        return .close(code, reason: reason)
    }
}

extension MaskingKey {
    fileprivate func uncover(_ bytes: inout ByteBuffer, phase: Int) {
        bytes.withUnsafeMutableReadableBytes { apply(to: $0, phase: phase) }
    }
}
