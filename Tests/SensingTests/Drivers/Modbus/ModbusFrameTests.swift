import TestSupport
import Testing

@testable import Sensing

@Suite struct ModbusFrameTests {
    @Test("Checksums as the specification and the world know them") func checksums() {
        // MODBUS over Serial Line, appendix B.
        #expect(ModbusRTU.frame(unit: 2, [0x07]) == [0x02, 0x07, 0x41, 0x12])
        let request = ModbusRequest(.read(.holding, count: 3), at: 0x6B)
        #expect(
            ModbusRTU.frame(unit: 0x11, request.bytes) == [0x11, 0x03, 0x00, 0x6B, 0x00, 0x03, 0x76, 0x87])
        #expect(ModbusRTU.checksum("123456789".utf8) == 0x4B37)
    }

    private let request = ModbusRequest(.read(.holding, count: 2), at: 0)
    private let right = ModbusRTU.frame(unit: 5, [3, 4, 0x12, 0x34, 0x56, 0x78])

    private func answer(_ bytes: [UInt8]) throws(ModbusFailure) -> [UInt8] {
        try ModbusRTU.answer(in: bytes, unit: 5, to: request)
    }

    @Test("An answer is found behind whatever came before it") func found() throws {
        let expected: [UInt8] = [3, 4, 0x12, 0x34, 0x56, 0x78]
        #expect(try answer(right) == expected)
        let others: [[UInt8]] = [
            [0], [0xFF, 0xFF], [5], [5, 3], [5, 3, 4],
            // The echo of the question, an answer of another unit, ours to another question.
            ModbusRTU.frame(unit: 5, request.bytes), ModbusRTU.frame(unit: 6, [3, 4, 1, 2, 3, 4]),
            ModbusRTU.frame(unit: 5, [3, 2, 1, 2]), ModbusRTU.frame(unit: 5, [4, 4, 1, 2, 3, 4]),
        ]
        for other in others { #expect(try answer(other + right) == expected, "\(other)") }
        #expect(try answer(right + [0, 0]) == expected)
        #expect(try answer(ModbusRTU.frame(unit: 5, [0x83, 2])) == [0x83, 2])
    }

    @Test("What is not yet whole, damaged, or somebody else's is told apart") func others() {
        #expect(throws: ModbusFailure.silent) { try answer([]) }
        for count in 1..<right.count {
            #expect(throws: ModbusFailure.incomplete, "\(count)") { try answer(Array(right.prefix(count))) }
        }
        var damaged = right
        damaged[4] ^= 1
        #expect(throws: ModbusFailure.wrongChecksum) { try answer(damaged) }
        #expect(throws: ModbusFailure.foreign("said something that is no answer")) {
            try answer(ModbusRTU.frame(unit: 6, [3, 4, 1, 2, 3, 4]))
        }
    }

    @Test("One wrong bit anywhere is noticed") func bits() {
        for bit in 0..<(right.count * 8) {
            var damaged = right
            damaged[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: ModbusFailure.self, "\(bit)") { try answer(damaged) }
        }
    }

    @Test("Garbage is no answer, and no crash", arguments: [1, 2, 3] as [UInt64]) func garbage(seed: UInt64) {
        var random = TestSupport.SplitMix64(seed: seed)
        for _ in 0..<2000 {
            let bytes = random.bytes(Int.random(in: 0...40, using: &random)).map { $0 % 4 == 0 ? 5 : $0 % 8 }
            #expect(throws: ModbusFailure.self, "seed \(seed)") { try answer(bytes) }
            var reader = ModbusTCP.Reader()
            reader.take(bytes)
            while (try? reader.next()) ?? nil != nil {}
        }
    }

    @Test("Frames over TCP: the guide's example, in any pieces") func tcp() throws {
        // MODBUS Messaging on TCP/IP, section 3.1.3: one input register of the unit 255.
        let request = ModbusRequest(.read(.input, count: 1), at: 0)
        let frame = ModbusTCP.Frame(transaction: 0x1501, unit: 0xFF, bytes: request.bytes)
        #expect(frame.encoded == [0x15, 0x01, 0, 0, 0, 6, 0xFF, 4, 0, 0, 0, 1])

        let answers = [
            ModbusTCP.Frame(transaction: 1, unit: 2, bytes: [4, 2, 0, 5]),
            ModbusTCP.Frame(transaction: 2, unit: 2, bytes: [0x84, 2]),
        ]
        var reader = ModbusTCP.Reader()
        var found: [ModbusTCP.Frame] = []
        for byte in answers.flatMap(\.encoded) {
            reader.take([byte])
            if let frame = try reader.next() { found.append(frame) }
        }
        #expect(found == answers)
        #expect(!reader.isWithinFrame)
    }

    @Test(
        "A header that is none breaks the connection",
        arguments: [
            [0, 1, 0, 1, 0, 6, 1], [0, 1, 0, 0, 1, 0, 1], [0, 1, 0, 0, 0, 1, 1],
            [0x48, 0x54, 0x54, 0x50, 0x2F, 0x31, 0x2E],
        ]
            as [[UInt8]])
    func header(bytes: [UInt8]) {
        var reader = ModbusTCP.Reader()
        reader.take(bytes)
        #expect(throws: ModbusFailure.broken("what comes is not Modbus")) { try reader.next() }
    }
}
