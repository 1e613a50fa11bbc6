/// A rule of RFC 6455 that a frame breaks.
enum FrameError: Error, Hashable, Sendable {
    case reservedBits(UInt8)
    case reservedOpcode(UInt8)
    case masked
    case unmasked
    case lengthNotMinimal
    /// The highest bit of a length of eight bytes is set.
    case lengthTooLong
    case fragmentedControl(Opcode)
    case longControl(Opcode, UInt64)
    case nothingToContinue
    /// A new message begins within another.
    case messageNotEnded
    case text
    /// More bytes than the limit.
    case tooLarge(UInt64, limit: Int)
    case closeWithHalfCode
    case closeCode(UInt16)
    case closeReason
}

extension FrameError {
    /// What the peer is told (RFC 6455 §7.4.1).
    var closeCode: WebSocketCloseCode {
        switch self {
        case .text: .unsupportedData
        case .tooLarge: .tooLarge
        case .closeReason: .invalidData
        default: .protocolError
        }
    }

    /// What it did, as in "the server …".
    var deed: String {
        switch self {
        case .reservedBits(let bits):
            "set the reserved bits \(bits) of a frame, and no extension was agreed on (RFC 6455 §5.2)"
        case .reservedOpcode(let opcode): "sent a frame of the unknown kind \(opcode) (RFC 6455 §5.2)"
        case .masked: "masked a frame, which servers must not (RFC 6455 §5.1)"
        case .unmasked: "sent a frame that is not masked, which clients must do (RFC 6455 §5.1)"
        case .lengthNotMinimal: "told a frame's length in more bytes than it needs (RFC 6455 §5.2)"
        case .lengthTooLong: "told a frame's length with its highest bit set (RFC 6455 §5.2)"
        case .fragmentedControl(let opcode): "sent a \(opcode) frame in fragments (RFC 6455 §5.5)"
        case .longControl(let opcode, let length):
            "sent a \(opcode) frame of \(length) bytes, and 125 are allowed (RFC 6455 §5.5)"
        case .nothingToContinue: "continued a message that it had not begun (RFC 6455 §5.4)"
        case .messageNotEnded: "began a message before the end of another (RFC 6455 §5.4)"
        case .text: "sent a text frame where only binary ones are allowed: is something else spoken at this path?"
        case .tooLarge(let length, let limit):
            "sent a frame of \(length) bytes, and \(limit) are the limit (maximumFrameSize)"
        case .closeWithHalfCode: "sent a close frame with one byte, half a code (RFC 6455 §5.5.1)"
        case .closeCode(let code): "sent a close frame with the code \(code), which may not be sent (RFC 6455 §7.4)"
        case .closeReason: "sent a close frame whose reason is not UTF-8 (RFC 6455 §5.5.1)"
        }
    }
}
