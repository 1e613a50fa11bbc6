import Testing

@testable import Sensing

@Suite struct VL53L0XTests {
    @Test("A distance is measured after the chip was set up, and then without") func distance() throws {
        let chip = VL53L0XModel()
        chip.distance = 423
        let driver = try makeI2C(chip, ["chip": "vl53l0x"], at: 0x29)
        #expect(try driver.values() == ["": "423.0 mm"])
        #expect(chip.calibrations == [0x01, 0x02])
        #expect(chip.register(0x01) == 0xE8)
        #expect(chip.register(0x91, page: 1) == 0x3C)
        // Five of the detectors with an aperture, which begin with the twelfth.
        #expect((0..<6).map { chip.register(0xB0 + $0) } == [0, 0xF0, 0x01, 0, 0, 0])

        let setUp = chip.written.count
        chip.distance = 1200
        #expect(try driver.values() == ["": "1200.0 mm"])
        #expect(chip.written.count - setUp < 20)
    }

    @Test("A chip that lost its supply is set up again") func supply() throws {
        let chip = VL53L0XModel()
        chip.distance = 423
        let driver = try makeI2C(chip, ["chip": "vl53l0x"])
        _ = try driver.values()
        chip.losePower()
        #expect(try driver.values() == ["": "423.0 mm"])
        #expect(chip.calibrations == [0x01, 0x02])
    }

    @Test(
        "What the chip doubts is out of range",
        arguments: [
            (6, "too far away"), (9, "too far away"), (4, "too weak"), (7, "too bright"), (8, "too near"),
            (0, "did not succeed"),
        ]
            as [(UInt8, String)])
    func doubts(status: UInt8, reason: String) throws {
        let chip = VL53L0XModel()
        (chip.distance, chip.status) = (900, status)
        let driver = try makeI2C(chip, ["chip": "vl53l0x"])
        let measured = try driver.read(at: noon)
        #expect(measured.map(\.value) == [.number(900)])
        #expect(measured.first?.quality.reason?.contains(reason) ?? false)
    }

    @Test("Nothing in sight is no distance, and no reason to set the chip up anew") func nothing() throws {
        let chip = VL53L0XModel()
        let driver = try makeI2C(chip, ["chip": "vl53l0x"])
        (chip.distance, chip.status) = (8190, 4)
        #expect(driver.failure()?.problem.hasPrefix("sees nothing within its range: the echo is too weak") ?? false)
        let setUp = chip.written.count
        #expect(driver.failure()?.kind == .unavailable)
        #expect(chip.written.count - setUp < 20)
    }

    @Test("Faults, strangers, and a measurement without an end are errors") func faults() throws {
        let chip = VL53L0XModel()
        (chip.distance, chip.status) = (400, 2)
        let driver = try makeI2C(chip, ["chip": "vl53l0x"])
        #expect(driver.failure()?.problem == "reports a fault of its laser")
        chip.measures = false
        #expect(driver.failure()?.problem == "does not come to an end of its measurement")
        chip.model = 0xEA
        #expect(driver.failure()?.problem == "says that its model is 0xea, not 0xee")
    }

    @Test("Times are kept as the chip keeps them: a byte and a power of two", arguments: 1...4000)
    func encoding(periods: Int) {
        let (high, low) = VL53L0XTiming.encoded(periods)
        let decoded = Int(low) << Int(high) + 1
        #expect(decoded <= periods && periods - decoded < 1 << Int(high))
    }

    @Test("The usual pulses have the periods and times of ST's tuning") func usual() {
        let registers = VL53L0XTiming(budget: .milliseconds(33), longRange: false).registers
        func value(_ register: UInt8) -> UInt8? { registers.last { $0.register == register }?.value }
        #expect(value(0x50) == 0x06 && value(0x51) == 0x00 && value(0x52) == 0x96 && value(0x46) == 0x25)
        #expect(value(0x70) == 0x04 && value(0x71) == 0x02)
        #expect(value(0x45) == 0x20)
    }

    @Test("A longer budget and slower pulses are told to the chip") func longRange() throws {
        let chip = VL53L0XModel()
        chip.distance = 1800
        let driver = try makeI2C(chip, ["chip": "vl53l0x", "timing_budget": "200ms", "long_range": true])
        _ = try driver.values()
        #expect(chip.register(0x50) == 8 && chip.register(0x70) == 6)
        #expect(chip.register(0x45) == 12)
        #expect(chip.register(0x57) == 0x50 && chip.register(0x48) == 0x48)
        #expect(chip.paused >= .milliseconds(200))
    }
}
