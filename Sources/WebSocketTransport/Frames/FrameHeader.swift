internal import NIOCore

/// What stands before a frame's payload (RFC 6455 §5.2).
struct FrameHeader: Sendable, Hashable {
    var isFinal = true
    /// RSV1 to RSV3, for extensions.
    var reserved: UInt8 = 0
    /// An ``Opcode``, or one that means nothing yet.
    var opcode: UInt8
    var mask: MaskingKey?
    /// Of the payload, in bytes; at most 2^63 - 1.
    var length: UInt64

    /// The longest on the wire, in bytes.
    static let maximumSize = 14
}

extension ByteBuffer {
    /// Reads a header, or nothing as long as it is not whole.
    mutating func readFrameHeader() throws(FrameError) -> FrameHeader? {
        guard let first: UInt8 = getInteger(at: readerIndex), let second: UInt8 = getInteger(at: readerIndex + 1)
        else { return nil }
        var place = readerIndex + 2
        let length: UInt64
        let minimum: UInt64
        switch second & 0x7F {
        case 126:
            guard let long: UInt16 = getInteger(at: place) else { return nil }
            (length, minimum) = (UInt64(long), 126)
            place += 2
        case 127:
            guard let long: UInt64 = getInteger(at: place) else { return nil }
            (length, minimum) = (long, 65_536)
            place += 8
        case let short: (length, minimum) = (UInt64(short), 0)
        }
        guard length >> 63 == 0 else { throw .lengthTooLong }
        guard length >= minimum else { throw .lengthNotMinimal }
        var mask: MaskingKey?
        if second & 0x80 != 0 {
            guard let key: UInt32 = getInteger(at: place) else { return nil }
            mask = MaskingKey(value: key)
            place += 4
        }
        moveReaderIndex(to: place)
        return FrameHeader(
            isFinal: first & 0x80 != 0, reserved: first >> 4 & 0x7, opcode: first & 0xF, mask: mask, length: length)
    }

    /// Writes a whole frame that is a message of its own.
    mutating func writeFrame(_ opcode: Opcode, _ payload: ByteBuffer, mask: MaskingKey?) {
        let length = payload.readableBytes
        reserveCapacity(minimumWritableBytes: FrameHeader.maximumSize + length)
        writeInteger(0x80 | opcode.rawValue)
        let masked: UInt8 = mask == nil ? 0 : 0x80
        if length < 126 {
            writeInteger(masked | UInt8(length))
        } else if let short = UInt16(exactly: length) {
            writeInteger(masked | 126)
            writeInteger(short)
        } else {
            writeInteger(masked | 127)
            writeInteger(UInt64(length))
        }
        if let mask { writeInteger(mask.value) }
        writeImmutableBuffer(payload)
        guard let mask else { return }
        withUnsafeMutableReadableBytes { bytes in
            mask.apply(to: UnsafeMutableRawBufferPointer(rebasing: bytes[(bytes.count - length)...]))
        }
    }
}
