import Settings
import Testing

@testable import Sensing

@Suite struct SHTTests {
    @Test("The datasheet's example of a checksum") func checksum() {
        #expect(Sensirion.checksum([0xBE, 0xEF]) == 0x92)
        #expect(Sensirion.checksum([]) == 0xFF)
    }

    static func word(_ value: UInt16) -> [UInt8] {
        let bytes = [UInt8(value >> 8), UInt8(value & 0xFF)]
        return bytes + [Sensirion.checksum(bytes)]
    }

    @Test(
        "An SHT3x is asked with the command of its repeatability",
        arguments: [("high", 0x00 as UInt8), ("medium", 0x0B), ("low", 0x16)])
    func sht3x(repeatability: String, command: UInt8) throws {
        let chip = SensirionModel()
        chip.answers = [[0x24, command]: Self.word(0x6666) + Self.word(0x8000)]
        let driver = try makeI2C(chip, ["chip": "sht3x", "repeatability": .string(repeatability)], at: 0x44)
        #expect(try driver.values() == ["temperature": "25.0 °C", "humidity": "50.0 %"])
    }

    @Test(
        "An SHT4x too; its humidity's scale goes beyond both ends, which no humidity does",
        arguments: [("high", 0xFD as UInt8), ("medium", 0xF6), ("low", 0xE0)])
    func sht4x(repeatability: String, command: UInt8) throws {
        let chip = SensirionModel()
        let driver = try makeI2C(chip, ["chip": "sht4x", "repeatability": .string(repeatability), "address": 0x46])
        for (code, humidity) in [(0x0000 as UInt16, "0.0 %"), (0x7AE1, "54.0 %"), (0xFFFF, "100.0 %")] {
            chip.answers = [[command]: Self.word(0x6666) + Self.word(code)]
            #expect(try driver.values() == ["temperature": "25.0 °C", "humidity": humidity])
        }
    }

    @Test("A wrong checksum is no value") func wrongChecksum() throws {
        let chip = SensirionModel()
        for index in 0..<6 {
            var answer = Self.word(0x6666) + Self.word(0x8000)
            answer[index] ^= 0x10
            chip.answers = [[0xFD]: answer]
            let driver = try makeI2C(chip, ["chip": "sht4x"])
            #expect(driver.failure()?.problem == "gave a wrong checksum")
        }
    }

    @Test("A chip that is not yet done is asked again, but not for ever") func early() throws {
        let chip = SensirionModel()
        chip.answers = [[0xFD]: Self.word(0x6666) + Self.word(0x8000)]
        chip.earlyReads = 2
        let driver = try makeI2C(chip, ["chip": "sht4x"])
        #expect(try driver.values().count == 2)
        chip.earlyReads = 4
        #expect(driver.failure()?.kind == .unavailable)
    }
}
