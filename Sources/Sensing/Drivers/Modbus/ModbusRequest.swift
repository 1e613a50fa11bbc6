/// What a device has to be read.
enum ModbusTable: String, CaseIterable, Sendable {
    case coil, discrete, holding, input

    /// The function code that reads it.
    var function: UInt8 {
        switch self {
        case .coil: 1
        case .discrete: 2
        case .holding: 3
        case .input: 4
        }
    }

    var holdsBits: Bool { self == .coil || self == .discrete }
    var isWritable: Bool { self == .coil || self == .holding }
    /// The most that one request may ask for.
    var limit: Int { holdsBits ? 2000 : 125 }
    /// The digit in front of the numbers that manuals give: 40001 is the first holding register.
    var digit: Int {
        switch self {
        case .coil: 0
        case .discrete: 1
        case .input: 3
        case .holding: 4
        }
    }
}

/// A question to a device, and what its answer must look like. MODBUS Application Protocol Specification V1.1b3, section
/// 6; without the unit and the checksum around it.
struct ModbusRequest: Sendable, Hashable {
    enum Action: Sendable, Hashable {
        /// Function 1 to 4.
        case read(ModbusTable, count: Int)
        /// Function 5.
        case writeCoil(Bool)
        /// Function 6, or 16 for several.
        case writeRegisters([UInt16])
    }

    var action: Action
    /// Counted from 0.
    var address: UInt16

    init(_ action: Action, at address: UInt16) {
        self.action = action
        self.address = address
    }

    var function: UInt8 {
        switch action {
        case .read(let table, _): table.function
        case .writeCoil: 5
        case .writeRegisters(let words): words.count == 1 ? 6 : 16
        }
    }

    var bytes: [UInt8] {
        var bytes = [function] + Self.bytes(address)
        switch action {
        case .read(_, let count): bytes += Self.bytes(UInt16(clamping: count))
        case .writeCoil(let isOn): bytes += [isOn ? 0xFF : 0, 0]
        case .writeRegisters(let words):
            if words.count != 1 {
                bytes += Self.bytes(UInt16(clamping: words.count)) + [UInt8(clamping: words.count * 2)]
            }
            bytes += words.flatMap(Self.bytes)
        }
        return bytes
    }

    /// How many bytes the right answer has.
    var answerLength: Int {
        switch action {
        case .read(let table, let count): 2 + (table.holdsBits ? (count + 7) / 8 : count * 2)
        case .writeCoil, .writeRegisters: 5
        }
    }

    /// What an answer gives: bits or registers as they come, nothing for a write.
    func data(of answer: [UInt8]) throws(ModbusFailure) -> [UInt8] {
        guard let code = answer.first else { throw .foreign("gave an empty answer") }
        if code == function | 0x80, answer.count == 2 { throw .exception(answer[1]) }
        guard code == function else { throw .foreign("answered function \(code & 0x7F) instead of \(function)") }
        guard answer.count == answerLength else {
            throw .foreign("gave \(answer.count) bytes instead of \(answerLength)")
        }
        switch action {
        case .read:
            guard Int(answer[1]) == answerLength - 2 else {
                throw .foreign("announced \(answer[1]) bytes instead of \(answerLength - 2)")
            }
            return Array(answer[2...])
        case .writeCoil, .writeRegisters:
            // The address, and the value or the number of values.
            guard answer[1...] == bytes[1..<5] else { throw .foreign("confirmed another value than was set") }
            return []
        }
    }

    private static func bytes(_ word: UInt16) -> [UInt8] { [UInt8(word >> 8), UInt8(word & 0xFF)] }
}
