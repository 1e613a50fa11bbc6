internal import Settings

/// Bosch's BME280: temperature, humidity and air pressure. BST-BME280-DS002, sections 4.2 (compensation) and 5.4
/// (registers).
///
/// Each measurement is one in forced mode; the chip sleeps in between.
struct BME280: I2CChip {
    static let name = "bme280"
    static let addresses = [0x76, 0x77]

    private var core: BoschClimate

    init(_ settings: SettingsReader) { core = BoschClimate(settings) }

    func measure(_ device: I2CDevice) throws(SensorError) -> [Measurement] {
        switch try device.read(BoschClimate.id) {
        case 0x60: return try core.measure(device, hasHumidity: true)
        case 0x56...0x58:
            throw device.malformed(
                "is a BMP280, which has no humidity", mend: "write chip = \"bmp280\" for temperature and pressure")
        case let id: throw BoschClimate.stranger(id, at: device, wanted: "BME280")
        }
    }
}

/// Bosch's BMP280: as the BME280, without humidity. BST-BMP280-DS001.
struct BMP280: I2CChip {
    static let name = "bmp280"
    static let addresses = [0x76, 0x77]

    private var core: BoschClimate

    init(_ settings: SettingsReader) { core = BoschClimate(settings) }

    func measure(_ device: I2CDevice) throws(SensorError) -> [Measurement] {
        switch try device.read(BoschClimate.id) {
        // The first two are samples; a BME280 can do all that a BMP280 can.
        case 0x56...0x58, 0x60: return try core.measure(device, hasHumidity: false)
        case let id: throw BoschClimate.stranger(id, at: device, wanted: "BMP280")
        }
    }
}

/// What both chips have in common.
private struct BoschClimate {
    static let id: UInt8 = 0xD0
    private static let trimming: UInt8 = 0x88
    private static let humidityTrimming: UInt8 = 0xE1
    private static let humidityControl: UInt8 = 0xF2
    private static let status: UInt8 = 0xF3
    private static let control: UInt8 = 0xF4
    private static let config: UInt8 = 0xF5
    private static let data: UInt8 = 0xF7

    private static let busy: UInt8 = 0b1000
    private static let loadsTrimming: UInt8 = 0b0001
    private static let forced: UInt8 = 0b01

    /// Samples for one value, 1 to 16.
    private let oversampling: Int
    /// The register's code for it.
    private let oversamplingCode: UInt8
    private let filterCode: UInt8

    init(_ settings: SettingsReader) {
        let samples = [1, 2, 4, 8, 16]
        oversampling = settings.integer("oversampling", among: samples) ?? 1
        oversamplingCode = UInt8((samples.firstIndex(of: oversampling) ?? 0) + 1)
        let coefficients = [0, 2, 4, 8, 16]
        let filter = settings.integer("filter", among: coefficients) ?? 0
        filterCode = UInt8(coefficients.firstIndex(of: filter) ?? 0)
    }

    static func stranger(_ id: UInt8, at device: I2CDevice, wanted: String) -> SensorError {
        let known = id == 0x61 ? " (a BME680 or BME688)" : ""
        return device.malformed(
            "says that its chip is \(I2CPlace.text(id))\(known), not a \(wanted)", mend: "check chip and address")
    }

    func measure(_ device: I2CDevice, hasHumidity: Bool) throws(SensorError) -> [Measurement] {
        // After power-on the trimming is copied from the chip's memory within 2 ms.
        try device.wait(every: .milliseconds(1), times: 5, "is still starting") { () throws(SensorError) in
            try device.read(Self.status) & Self.loadsTrimming == 0
        }
        // Read anew each time (4 ms at 100 kHz): another chip may have been plugged in.
        let trimming = BoschTrimming(
            try device.read(Self.trimming, 26), humidity: hasHumidity ? try device.read(Self.humidityTrimming, 7) : nil)

        // Writing the filter's setting would clear its memory.
        let config = filterCode << 2
        if try device.read(Self.config) != config { try device.write(Self.config, config) }
        if hasHumidity { try device.write(Self.humidityControl, oversamplingCode) }
        try device.write(Self.control, oversamplingCode << 5 | oversamplingCode << 2 | Self.forced)

        // Appendix B: the longest that a measurement takes, in microseconds.
        let quantities = hasHumidity ? 3 : 2
        device.pause(.microseconds(1250 + quantities * 2300 * oversampling + (quantities - 1) * 575))
        try device.wait(every: .milliseconds(2), times: 20, "does not come to an end of its measurement") {
            () throws(SensorError) in
            try device.read(Self.status) & Self.busy == 0
        }
        let data = try device.read(Self.data, hasHumidity ? 8 : 6)
        let pressure = Int(data[0]) << 12 | Int(data[1]) << 4 | Int(data[2]) >> 4
        let temperature = Int(data[3]) << 12 | Int(data[4]) << 4 | Int(data[5]) >> 4
        // What these registers hold after a reset.
        guard temperature != 0x80000, pressure != 0x80000 else {
            throw SensorError(
                .unavailable, device.place, "has not measured",
                mend: "it is tried again; check its supply, and whether another program uses it")
        }
        let values = trimming.compensated(
            temperature: temperature, pressure: pressure,
            humidity: hasHumidity ? Int(UInt16(bigEndian: data, at: 6)) : nil)
        guard let hectopascals = values.hectopascals else {
            throw device.malformed("gives trimming values of nothing but zeros", mend: "the chip may be broken")
        }

        var measured = [
            Measurement(
                channel: "temperature", .number(values.celsius.rounded(toPlaces: 2)), unit: "°C",
                quality: .within(-40...85, values.celsius, "°C")),
            Measurement(
                channel: "pressure", .number(hectopascals.rounded(toPlaces: 2)), unit: "hPa",
                quality: .within(300...1100, hectopascals, "hPa")),
        ]
        if let percent = values.percent {
            measured.append(Measurement(channel: "humidity", .number(percent.rounded(toPlaces: 2)), unit: "%"))
        }
        return measured
    }
}

/// A chip's own constants, and what they make of its raw values.
struct BoschTrimming {
    private let t1: Double, t2: Double, t3: Double
    private let p: [Double]
    private let h: [Double]

    /// - Parameters:
    ///   - block: registers 0x88 to 0xA1.
    ///   - humidity: registers 0xE1 to 0xE7; nil for a chip without.
    init(_ block: [UInt8], humidity: [UInt8]?) {
        func unsigned(_ index: Int) -> Double { Double(UInt16(littleEndian: block, at: index)) }
        func signed(_ index: Int) -> Double { Double(Int16(bitPattern: UInt16(littleEndian: block, at: index))) }
        (t1, t2, t3) = (unsigned(0), signed(2), signed(4))
        p = [unsigned(6)] + stride(from: 8, through: 22, by: 2).map(signed)
        if let humidity {
            // H4 and H5 are of 12 bits each and share a byte.
            let h4 = Int(Int8(bitPattern: humidity[3])) << 4 | Int(humidity[4] & 0x0F)
            let h5 = Int(Int8(bitPattern: humidity[5])) << 4 | Int(humidity[4] >> 4)
            h = [
                Double(block[25]), Double(Int16(bitPattern: UInt16(littleEndian: humidity, at: 0))),
                Double(humidity[2]), Double(h4), Double(h5), Double(Int8(bitPattern: humidity[6])),
            ]
        } else {
            h = []
        }
    }

    /// In °C, hPa and %, by the datasheets' formulas for floating point.
    ///
    /// - Returns: no pressure where the trimming makes none possible.
    func compensated(
        temperature: Int, pressure: Int, humidity: Int?
    ) -> (celsius: Double, hectopascals: Double?, percent: Double?) {
        let raw = Double(temperature)
        let coarse = (raw / 16384 - t1 / 1024) * t2
        let bend = raw / 131072 - t1 / 8192
        let fine = coarse + bend * bend * t3
        return (fine / 5120, hectopascals(Double(pressure), fine), humidity.flatMap { percent(Double($0), fine) })
    }

    private func hectopascals(_ raw: Double, _ fine: Double) -> Double? {
        let warmth = fine / 2 - 64000
        let offset = (warmth * warmth * p[5] / 32768 + warmth * p[4] * 2) / 4 + p[3] * 65536
        let slope = (1 + (p[2] * warmth * warmth / 524288 + p[1] * warmth) / 524288 / 32768) * p[0]
        guard slope != 0 else { return nil }
        let pascals = (1048576 - raw - offset / 4096) * 6250 / slope
        let correction = p[8] * pascals * pascals / 2147483648 + pascals * p[7] / 32768 + p[6]
        return (pascals + correction / 16) / 100
    }

    private func percent(_ raw: Double, _ fine: Double) -> Double? {
        guard h.count == 6 else { return nil }
        let warmth = fine - 76800
        let linear =
            (raw - (h[3] * 64 + h[4] / 16384 * warmth))
            * (h[1] / 65536 * (1 + h[5] / 67108864 * warmth * (1 + h[2] / 67108864 * warmth)))
        return min(max(linear * (1 - h[0] * linear / 524288), 0), 100)
    }
}

extension Quality {
    /// Good within what the datasheet promises.
    static func within(_ range: ClosedRange<Double>, _ value: Double, _ unit: String) -> Quality {
        range.contains(value)
            ? .good : .outOfRange("the sensor is made for \(range.lowerBound) to \(range.upperBound) \(unit)")
    }
}

extension SettingsReader {
    /// One of a few numbers.
    func integer(_ key: String, among possible: [Int]) -> Int? {
        guard let number = integer(key) else { return nil }
        if possible.contains(number) { return number }
        problem(
            at: key, message: "\(number) is not possible",
            mend: "possible are " + possible.map { "\($0)" }.joined(separator: ", "))
        return nil
    }
}
