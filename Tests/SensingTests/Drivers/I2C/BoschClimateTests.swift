import Settings
import TestSupport
import Testing

@testable import Sensing

/// A driver on a bus that has one chip.
func makeI2C(_ chip: ModelChip, _ options: Options, at address: UInt8? = nil) throws -> Probe<I2CDriver> {
    let settings = reader(options)
    let driver = I2CDriver(settings, context: DriverContext(sensor: "s")) { place throws(SensorError) in
        if let address { #expect(place.address == address) }
        return chip
    }
    settings.finish()
    #expect(settings.problems.all == [])
    return Probe(try #require(driver))
}

@Suite struct BoschClimateTests {
    @Test("The datasheet's example gives the datasheet's values") func datasheet() throws {
        let chip = BoschModel(id: 0x58)
        chip.loadTrimming()
        chip.raw = (519888, 415148, 0)
        let driver = try makeI2C(chip, ["chip": "bmp280"], at: 0x76)
        #expect(try driver.values() == ["temperature": "25.08 °C", "pressure": "1006.53 hPa"])
        // Humidity is not asked for.
        #expect(!chip.written.contains { $0.first == 0xF2 })
    }

    @Test("A BME280 gives all three, and is told how to measure") func bme280() throws {
        let chip = BoschModel(id: 0x60)
        chip.loadTrimming()
        chip.raw = (519888, 415148, 30000)
        chip.busyAnswers = 3
        let driver = try makeI2C(chip, ["chip": "bme280", "oversampling": 4, "filter": 16, "address": 0x77], at: 0x77)
        let measured = try driver.read(at: noon)
        #expect(measured.map(\.channel) == ["temperature", "pressure", "humidity"])
        #expect(measured.allSatisfy { $0.quality == .good })
        #expect(chip.registers[0xF5] == 4 << 2)
        #expect(chip.registers[0xF2] == 3)
        #expect(chip.registers[0xF4] == 3 << 5 | 3 << 2 | 1)
        // 1.25 + 3 · 2.3 · 4 + 2 · 0.575 ms.
        #expect(chip.paused >= .microseconds(30000))

        chip.written = []
        _ = try driver.read(at: noon)
        // The low pass keeps its memory.
        #expect(!chip.written.contains { $0.count == 2 && $0[0] == 0xF5 })
    }

    @Test(
        "The datasheet's formulas for whole numbers agree with those for floating point",
        arguments: [1, 2, 3] as [UInt64])
    func integers(seed: UInt64) throws {
        var random = TestSupport.SplitMix64(seed: seed)
        func any(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &random) }
        for _ in 0..<500 {
            let h = [any(0...100), any(300...420), any(0...10), any(250...400), any(-20...60), any(-30...30)]
            let (t, p, humidity) = (any(400_000...600_000), any(300_000...500_000), any(15_000...45_000))
            let chip = BoschModel(id: 0x60)
            chip.loadTrimming()
            chip.loadHumidityTrimming(Int(h[0]), Int(h[1]), Int(h[2]), Int(h[3]), Int(h[4]), Int(h[5]))
            let trimming = BoschTrimming(
                Array(chip.registers[0x88...0xA1]), humidity: Array(chip.registers[0xE1...0xE7]))
            let values = trimming.compensated(temperature: Int(t), pressure: Int(p), humidity: Int(humidity))

            let fine = Self.fine(t)
            #expect(abs(values.celsius - Double((fine * 5 + 128) >> 8) / 100) < 0.011, "seed \(seed)")
            let hectopascals = try #require(values.hectopascals)
            #expect(abs(hectopascals - Double(Self.pressure(p, fine)) / 25600) < 0.01, "seed \(seed)")
            let percent = try #require(values.percent)
            #expect(abs(percent - Double(Self.humidity(humidity, fine, h)) / 1024) < 0.03, "seed \(seed)")
        }
    }

    private static func fine(_ raw: Int64) -> Int64 {
        let t1: Int64 = 27504
        let coarse: Int64 = (((raw >> 3) - (t1 << 1)) * 26435) >> 11
        let bend: Int64 = (raw >> 4) - t1
        return coarse + ((((bend * bend) >> 12) * -1000) >> 14)
    }

    /// In 1/256 Pa.
    private static func pressure(_ raw: Int64, _ fine: Int64) -> Int64 {
        let p: [Int64] = [36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000]
        let warmth: Int64 = fine - 128_000
        let square: Int64 = warmth * warmth
        var offset: Int64 = square * p[5]
        offset += (warmth * p[4]) << 17
        offset += p[3] << 35
        var slope: Int64 = (square * p[2]) >> 8
        slope += (warmth * p[1]) << 12
        slope = (((1 << 47) + slope) * p[0]) >> 33
        let pressure: Int64 = ((((1_048_576 - raw) << 31) - offset) * 3125) / slope
        let first: Int64 = (p[8] * (pressure >> 13) * (pressure >> 13)) >> 25
        let second: Int64 = (p[7] * pressure) >> 19
        return ((pressure + first + second) >> 8) + (p[6] << 4)
    }

    /// In 1/1024 %.
    private static func humidity(_ raw: Int64, _ fine: Int64, _ h: [Int64]) -> Int64 {
        let warmth: Int64 = fine - 76800
        let left: Int64 = ((raw << 14) - (h[3] << 20) - h[4] * warmth + 16384) >> 15
        let third: Int64 = ((warmth * h[2]) >> 11) + 32768
        var right: Int64 = ((((warmth * h[5]) >> 10) * third) >> 10) + 2_097_152
        right = (right * h[1] + 8192) >> 14
        var value: Int64 = left * right
        let share: Int64 = value >> 15
        value -= (((share * share) >> 7) * h[0]) >> 4
        return min(max(value, 0), 419_430_400) >> 12
    }

    @Test("Another chip at the address is told from the wanted one") func strangers() throws {
        let bmp = try makeI2C(BoschModel(id: 0x58), ["chip": "bme280"])
        #expect(
            bmp.failure()?.description
                == "/dev/i2c-1 address 0x76 is a BMP280, which has no humidity; write chip = \"bmp280\" for temperature and pressure"
        )
        let bme680 = try makeI2C(BoschModel(id: 0x61), ["chip": "bme280"])
        #expect(bme680.failure()?.problem == "says that its chip is 0x61 (a BME680 or BME688), not a BME280")
        // A BME280 can be read as what it is more than.
        let chip = BoschModel(id: 0x60)
        chip.loadTrimming()
        chip.raw = (519888, 415148, 0)
        let bme = try makeI2C(chip, ["chip": "bmp280"])
        #expect(try bme.values().count == 2)
    }

    @Test("A chip that has not measured, or never comes to an end, gives no value") func unready() throws {
        let chip = BoschModel(id: 0x60)
        chip.loadTrimming()
        let driver = try makeI2C(chip, ["chip": "bme280"])
        #expect(driver.failure()?.problem == "has not measured")
        chip.raw = (519888, 415148, 30000)
        chip.busyAnswers = 1000
        #expect(driver.failure()?.problem == "does not come to an end of its measurement")
        chip.busyAnswers = 0
        #expect(try driver.values().count == 3)
    }

    @Test("A chip without trimming gives no pressure that could not be") func zeros() throws {
        let chip = BoschModel(id: 0x60)
        chip.raw = (519888, 415148, 30000)
        let driver = try makeI2C(chip, ["chip": "bme280"])
        #expect(driver.failure()?.kind == .malformed)
    }

    @Test("Beyond what the sensor is made for, a value says so") func range() throws {
        let chip = BoschModel(id: 0x60)
        chip.loadTrimming()
        chip.raw = (780_000, 415148, 30000)
        let driver = try makeI2C(chip, ["chip": "bme280"])
        let temperature = try #require(try driver.read(at: noon).first)
        #expect(temperature.quality == .outOfRange("the sensor is made for -40.0 to 85.0 °C"))
    }
}
