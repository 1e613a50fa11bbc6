internal import NIOCore

/// A number of seven bits a byte, the lowest first (5.0 §1.5.5, 3.1.1 §2.2.3).
enum VariableByteInteger {
    static let maximum = 268_435_455

    /// The bytes that a value takes: 1 to 4.
    static func size(_ value: Int) -> Int {
        switch value {
        case ..<0x80: 1
        case ..<0x4000: 2
        case ..<0x20_0000: 3
        default: 4
        }
    }

    enum Result {
        case value(Int, size: Int)
        /// More bytes are needed.
        case incomplete
        /// The fourth byte announces a fifth.
        case tooLong
    }

    /// Looks at the integer that begins at an index of the buffer; moves nothing.
    static func peek(in buffer: ByteBuffer, at index: Int) -> Result {
        var value = 0
        for position in 0..<4 {
            guard let byte = buffer.getInteger(at: index + position, as: UInt8.self) else { return .incomplete }
            value |= Int(byte & 0x7F) << (7 * position)
            if byte & 0x80 == 0 { return .value(value, size: position + 1) }
        }
        return .tooLong
    }
}

extension ByteBuffer {
    /// - Parameter value: 0 to 268,435,455.
    mutating func writeVariableByteInteger(_ value: Int) {
        var rest = value
        repeat {
            let low = UInt8(rest & 0x7F)
            rest >>= 7
            writeInteger(rest == 0 ? low : low | 0x80)
        } while rest > 0
    }
}
