/// Frames on a serial line: unit, request or answer, checksum. MODBUS over Serial Line V1.02, section 2.5.1.
enum ModbusRTU {
    static func frame(unit: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        let frame = [unit] + bytes
        let sum = checksum(frame)
        return frame + [UInt8(sum & 0xFF), UInt8(sum >> 8)]
    }

    /// CRC-16 with the polynomial x¹⁶ + x¹⁵ + x² + 1, from its lowest bit, begun with 0xFFFF.
    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt16 {
        bytes.reduce(0xFFFF as UInt16) { sum, byte in
            (0..<8).reduce(sum ^ UInt16(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0xA001 : sum >> 1 }
        }
    }

    /// Looks for the answer in what has come since the request: behind an echo of the request, behind noise, behind a
    /// late answer to somebody else.
    ///
    /// - Returns: the answer without unit and checksum.
    /// - Throws: what there is instead; more bytes may bring the answer all the same.
    static func answer(in bytes: [UInt8], unit: UInt8, to request: ModbusRequest) throws(ModbusFailure) -> [UInt8] {
        var failure = bytes.isEmpty ? ModbusFailure.silent : .foreign("said something that is no answer")
        for start in bytes.indices where bytes[start] == unit {
            let rest = bytes[start...]
            guard rest.count >= 2 else {
                failure = .incomplete
                break
            }
            let code = rest[start + 1]
            guard code == request.function || code == request.function | 0x80 else { continue }
            let length = code == request.function ? request.answerLength : 2
            // A reader's answer tells its length, which the request's echo hardly has by chance.
            if case .read = request.action, code == request.function, rest.count >= 3,
                Int(rest[start + 2]) != length - 2
            {
                continue
            }
            guard rest.count >= length + 3 else {
                failure = .incomplete
                continue
            }
            let frame = rest.prefix(length + 3)
            if checksum(frame) == 0 { return Array(frame.dropFirst().dropLast(2)) }
            if failure != .incomplete { failure = .wrongChecksum }
        }
        throw failure
    }
}
