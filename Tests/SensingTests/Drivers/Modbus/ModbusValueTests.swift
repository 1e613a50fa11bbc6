import TestSupport
import Testing

@testable import Sensing

@Suite struct ModbusValueTests {
    private static func format(
        _ kind: ModbusFormat.Kind, _ words: ModbusFormat.Order = .big, _ bytes: ModbusFormat.Order = .big,
        registers: Int? = nil
    ) -> ModbusFormat {
        var format = ModbusFormat(kind, registers: registers)
        format.wordOrder = words
        format.byteOrder = bytes
        return format
    }

    @Test(
        "Registers are numbers, in whatever order",
        arguments: [
            (format(.uint16), [0x80, 0x01], 32769), (format(.int16), [0x80, 0x01], -32767),
            (format(.uint16, .big, .little), [0x80, 0x01], 384), (format(.uint32), [0x80, 0, 0, 1], 2_147_483_649),
            (format(.int32), [0xFF, 0xFF, 0xFF, 0xFE], -2), (format(.int32, .little), [0xFF, 0xFE, 0xFF, 0xFF], -2),
            (format(.uint64), [0, 0, 0, 1, 0, 0, 0, 0], 4_294_967_296),
            (format(.int64), [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], -1),
            // 123456.0 of the IEEE 754 examples that manuals give: big, words swapped, bytes swapped, both.
            (format(.float32), [0x47, 0xF1, 0x20, 0x00], 123456),
            (format(.float32, .little), [0x20, 0x00, 0x47, 0xF1], 123456),
            (format(.float32, .big, .little), [0xF1, 0x47, 0x00, 0x20], 123456),
            (format(.float32, .little, .little), [0x00, 0x20, 0xF1, 0x47], 123456),
            (format(.float64), [0x40, 0x09, 0x21, 0xFB, 0x54, 0x44, 0x2D, 0x18], .pi),
        ] as [(ModbusFormat, [UInt8], Double)])
    func numbers(format: ModbusFormat, bytes: [UInt8], number: Double) {
        #expect(format.decoded(bytes) == .number(number))
        let words = stride(from: 0, to: bytes.count, by: 2).map { UInt16(bigEndian: bytes, at: $0) }
        #expect(format.encoded(number) == words)
    }

    @Test("A bit of a register, and text") func others() {
        var bit = ModbusFormat(.bool)
        for index in 0..<16 {
            bit.bit = index
            #expect(bit.decoded([0x80, 0x05]) == .boolean([0, 2, 15].contains(index)))
        }
        #expect(Self.format(.text, registers: 4).decoded(Array("AB-12 \0\0".utf8)) == .text("AB-12"))
        #expect(Self.format(.text, .big, .little, registers: 2).decoded(Array("BA\0C".utf8)) == .text("ABC"))
        #expect(Self.format(.text, registers: 1).decoded([0, 0]) == .text(""))
    }

    @Test("A float that is no number is no value") func noNumbers() {
        #expect(ModbusFormat(.float32).decoded([0x7F, 0xC0, 0, 0]) == nil)
        #expect(ModbusFormat(.float32).decoded([0x7F, 0x80, 0, 0]) == nil)
        #expect(ModbusFormat(.float64).decoded([0xFF, 0xF0, 0, 0, 0, 0, 0, 0]) == nil)
    }

    @Test(
        "What does not fit is not cut",
        arguments: [
            (.uint16, -1), (.uint16, 65536), (.int16, 32768), (.uint32, 4_294_967_296), (.int32, -2_147_483_649),
            (.uint64, -1), (.int64, 1e19), (.float32, 1e39), (.uint16, .nan), (.int64, .infinity), (.bool, 1),
            (.text, 1),
        ] as [(ModbusFormat.Kind, Double)])
    func tooMuch(kind: ModbusFormat.Kind, number: Double) {
        #expect(ModbusFormat(kind).encoded(number) == nil)
    }
}
