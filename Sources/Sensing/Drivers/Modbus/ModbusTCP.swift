/// Frames on a connection: a header with the transaction's number, the length and the unit. MODBUS Messaging on TCP/IP
/// V1.0b, section 3.1.3.
enum ModbusTCP {
    struct Frame: Hashable {
        var transaction: UInt16
        var unit: UInt8
        /// Request or answer.
        var bytes: [UInt8]

        var encoded: [UInt8] {
            let length = UInt16(clamping: bytes.count + 1)
            return [
                UInt8(transaction >> 8), UInt8(transaction & 0xFF), 0, 0, UInt8(length >> 8), UInt8(length & 0xFF),
                unit,
            ] + bytes
        }
    }

    /// Takes frames out of a stream.
    struct Reader {
        private var rest: [UInt8] = []

        /// Whether a frame has begun to come.
        var isWithinFrame: Bool { !rest.isEmpty }

        mutating func take(_ bytes: [UInt8]) { rest += bytes }

        /// - Returns: nil as long as no frame is whole.
        /// - Throws: the stream is no longer to be understood.
        mutating func next() throws(ModbusFailure) -> Frame? {
            guard rest.count >= 7 else { return nil }
            let length = Int(UInt16(bigEndian: rest, at: 4))
            guard UInt16(bigEndian: rest, at: 2) == 0, (2...254).contains(length) else {
                throw .broken("what comes is not Modbus")
            }
            guard rest.count >= 6 + length else { return nil }
            let frame = Frame(
                transaction: UInt16(bigEndian: rest, at: 0), unit: rest[6], bytes: Array(rest[7..<(6 + length)]))
            rest.removeFirst(6 + length)
            return frame
        }
    }
}
