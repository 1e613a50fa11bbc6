import Testing

@testable import Sensing

@Suite struct ADS1115Tests {
    /// Table 3 of the datasheet, at ±2.048 V: 62.5 µV a step.
    @Test(
        "Codes are volts",
        arguments: [
            (0x7FFF as UInt16, 2.0479375, false), (0x4000, 1.024, true), (1, 0.0000625, true), (0, 0.0, true),
            (0xFFFF, -0.0000625, true), (0x8000, -2.048, false),
        ])
    func codes(code: UInt16, volts: Double, isGood: Bool) throws {
        let chip = ADS1115Model()
        chip.codes = [4: Int16(bitPattern: code)]
        let driver = try makeI2C(chip, ["chip": "ads1115", "inputs": "A0"], at: 0x48)
        let measured = try driver.read(at: noon)
        #expect(measured.map(\.value) == [.number(volts)])
        #expect(measured.map(\.channel) == [nil])
        #expect(measured.map(\.unit) == ["V"])
        #expect((measured.first?.quality == .good) == isGood)
    }

    @Test("Several inputs are a channel each, converted one after the other") func inputs() throws {
        let chip = ADS1115Model()
        chip.codes = [4: 1000, 7: 2000, 0: -3000]
        let driver = try makeI2C(
            chip,
            ["chip": "ads1115", "inputs": ["A0", "A3", "A0-A1"], "full_scale": "4.096V", "samples_per_second": 8])
        #expect(try driver.values() == ["A0": "0.125 V", "A3": "0.25 V", "A0-A1": "-0.375 V"])
        // Start, input, ±4.096 V, single shot, 8 samples a second, no comparator.
        #expect(chip.written.filter { $0.count == 3 } == [[1, 0xC3, 0x03], [1, 0xF3, 0x03], [1, 0x83, 0x03]])
        #expect(chip.paused >= .milliseconds(3 * 125))
    }

    @Test("A voltage can stand for something else") func scale() throws {
        let chip = ADS1115Model()
        chip.codes = [5: 16000]
        let driver = try makeI2C(
            chip, ["chip": "ads1115", "inputs": "A1", "scale": 100, "offset": -50, "unit": "%"])
        #expect(try driver.values() == ["": "50.0 %"])
    }

    @Test("A chip that does not keep its settings is another one") func stranger() throws {
        let chip = ADS1115Model()
        chip.keepsSettings = false
        let driver = try makeI2C(chip, ["chip": "ads1115", "inputs": "A0"])
        #expect(driver.failure()?.problem == "does not keep its settings")
    }

    @Test("When the chip goes between two inputs, what it gave counts") func gone() throws {
        let chip = ADS1115Model()
        chip.codes = [4: 1000]
        chip.failures = [nil, nil, nil, .system(6)]
        let driver = try makeI2C(chip, ["chip": "ads1115", "inputs": ["A0", "A1", "A2"]])
        let error = try #require(driver.failure())
        #expect(error.measured.map(\.channel) == ["A0"])
        #expect(error.problem.hasPrefix("does not answer"), "\(error)")
    }

    @Test("Wrong options are told with their mend") func options() {
        #expect(
            problems(of: I2CDriver.self, ["chip": "ads1115"]) == [
                "1:1: sensor[1].inputs: is missing: write inputs = \"A0\", or [\"A0\", \"A1\"] for a channel each"
            ])
        #expect(
            problems(
                of: I2CDriver.self,
                [
                    "chip": "ads1115", "inputs": ["A0", "A4"], "full_scale": "5V", "samples_per_second": 100,
                    "scale": 0,
                ]) == [
                    #"1:1: sensor[1].inputs[2]: "A4" is no input: did you mean "A0"? (possible are A0-A1, A0-A3, A1-A3, A2-A3, A0, A1, A2, A3)"#,
                    #"4:14: sensor[1].full_scale: "5V" is not possible: possible are 6.144V, 4.096V, 2.048V, 1.024V, 0.512V, 0.256V"#,
                    "5:22: sensor[1].samples_per_second: 100 is not possible: possible are 8, 16, 32, 64, 128, 250, 475, 860",
                    "6:9: sensor[1].scale: 0 would make every value the same",
                ])
        #expect(
            problems(of: I2CDriver.self, ["chip": "ads1115", "inputs": ["A0", "A0"]]).count == 1)
    }
}
