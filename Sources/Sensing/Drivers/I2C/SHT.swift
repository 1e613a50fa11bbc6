internal import Settings

/// Sensirion's SHT30, SHT31, SHT35 (and 85): temperature and humidity. Datasheet SHT3x-DIS, section 4.
struct SHT3x: I2CChip {
    static let name = "sht3x"
    static let addresses = [0x44, 0x45]

    private let repeatability: SensirionRepeatability

    init(_ settings: SettingsReader) { repeatability = SensirionRepeatability(settings) }

    func measure(_ device: I2CDevice) throws(SensorError) -> [Measurement] {
        // Single shots that do not stretch the clock; table 4 gives the longest times.
        let (command, time): (UInt8, Duration) =
            switch repeatability {
            case .high: (0x00, .microseconds(15500))
            case .medium: (0x0B, .microseconds(6500))
            case .low: (0x16, .microseconds(4500))
            }
        let (temperature, humidity) = try Sensirion.measure(device, [0x24, command], time)
        return Sensirion.measurements(celsius: -45 + 175 * temperature, percent: 100 * humidity)
    }
}

/// Sensirion's SHT40, SHT41, SHT45: temperature and humidity. Datasheet SHT4x, section 4.
struct SHT4x: I2CChip {
    static let name = "sht4x"
    static let addresses = [0x44, 0x45, 0x46]

    private let repeatability: SensirionRepeatability

    init(_ settings: SettingsReader) { repeatability = SensirionRepeatability(settings) }

    func measure(_ device: I2CDevice) throws(SensorError) -> [Measurement] {
        let (command, time): (UInt8, Duration) =
            switch repeatability {
            case .high: (0xFD, .microseconds(8300))
            case .medium: (0xF6, .microseconds(4500))
            case .low: (0xE0, .microseconds(1600))
            }
        let (temperature, humidity) = try Sensirion.measure(device, [command], time)
        return Sensirion.measurements(celsius: -45 + 175 * temperature, percent: -6 + 125 * humidity)
    }
}

/// How much a value may differ from the next one of the same air; less takes longer.
private enum SensirionRepeatability: String, CaseIterable {
    case low, medium, high

    init(_ settings: SettingsReader) { self = settings.choice("repeatability", of: Self.self) ?? .high }
}

enum Sensirion {
    /// CRC-8 with the polynomial x⁸ + x⁵ + x⁴ + 1, begun with 0xFF.
    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt8 {
        bytes.reduce(0xFF) { sum, byte in
            (0..<8).reduce(sum ^ byte) { sum, _ in sum & 0x80 != 0 ? sum << 1 ^ 0x31 : sum << 1 }
        }
    }

    /// - Returns: both as shares of the full scale, 0 to 1.
    fileprivate static func measure(
        _ device: I2CDevice, _ command: [UInt8], _ time: Duration
    ) throws(SensorError) -> (temperature: Double, humidity: Double) {
        try device.transfer(command)
        device.pause(time)
        let answer = try read(device)
        for word in [answer[..<3], answer[3...]] where checksum(word.prefix(2)) != word.last {
            throw device.malformed(
                "gave a wrong checksum", mend: "shorten the wires, slow the bus down, or add stronger pull-ups")
        }
        return (Double(UInt16(bigEndian: answer, at: 0)) / 65535, Double(UInt16(bigEndian: answer, at: 3)) / 65535)
    }

    /// A chip that is not yet done does not acknowledge its address.
    private static func read(_ device: I2CDevice) throws(SensorError) -> [UInt8] {
        for _ in 0..<3 {
            do {
                return try device.transfer([], reading: 6)
            } catch  where error.kind == .unavailable {
                device.pause(.milliseconds(2))
            }
        }
        return try device.transfer([], reading: 6)
    }

    fileprivate static func measurements(celsius: Double, percent: Double) -> [Measurement] {
        [
            Measurement(
                channel: "temperature", .number(celsius.rounded(toPlaces: 2)), unit: "°C",
                quality: .within(-40...125, celsius, "°C")),
            // Beyond its ends the scale has only a little tolerance.
            Measurement(
                channel: "humidity", .number(min(max(percent, 0), 100).rounded(toPlaces: 2)), unit: "%"),
        ]
    }
}
