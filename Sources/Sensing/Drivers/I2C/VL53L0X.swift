internal import Settings

/// ST's VL53L0X: distance by the time that light takes, up to 1.2 m, or 2 m in the dark. Datasheet DocID029104; what has
/// to be written for a measurement is told by ST's API only (STSW-IMG005, user manual UM2039).
struct VL53L0X: I2CChip {
    static let name = "vl53l0x"
    static let addresses = [0x29]

    private static let start: UInt8 = 0x00
    private static let sequence: UInt8 = 0x01
    private static let interruptWhen: UInt8 = 0x0A
    private static let interruptClear: UInt8 = 0x0B
    private static let interruptStatus: UInt8 = 0x13
    private static let result: UInt8 = 0x14
    private static let checks: UInt8 = 0x60
    private static let interruptPin: UInt8 = 0x84
    private static let padSupply: UInt8 = 0x89
    private static let stop: UInt8 = 0x91
    private static let detectors: UInt8 = 0xB0
    private static let model: UInt8 = 0xC0

    /// Final range, pre-range and the choice of detectors.
    private static let usualSequence: UInt8 = 0xE8
    /// What a measurement without a target gives, and more.
    private static let nothing: UInt16 = 8190

    private let budget: Duration
    private let timing: VL53L0XTiming
    /// What the chip needs to be told at each start of a measurement; nil as long as it is not set up.
    private var stopVariable: UInt8?

    init(_ settings: SettingsReader) {
        let longRange = settings.boolean("long_range") ?? false
        // Below that, no time would be left for the final range.
        let least = Duration.milliseconds(20)
        budget = settings.duration("timing_budget", in: least ... .seconds(1)) ?? .milliseconds(33)
        timing = VL53L0XTiming(budget: budget, longRange: longRange)
    }

    mutating func measure(_ device: I2CDevice) throws(SensorError) -> [Measurement] {
        // Until it has measured again, nothing is known of the chip.
        let kept = stopVariable
        stopVariable = nil
        let model = try device.read(Self.model)
        guard model == 0xEE else {
            throw device.malformed(
                "says that its model is \(I2CPlace.text(model)), not 0xee", mend: "is it a VL53L0X?")
        }
        // The first thing that is set up, and that a loss of supply undoes.
        let isSetUp = try device.read(Self.padSupply) & 1 == 1
        let stop = if isSetUp, let kept { kept } else { try setUp(device) }
        let result = try range(device, stop)
        stopVariable = stop
        return [try Self.measurement(result, device)]
    }

    /// - Returns: the registers of the result.
    private func range(_ device: I2CDevice, _ stop: UInt8) throws(SensorError) -> [UInt8] {
        try write(device, [(0x80, 1), (0xFF, 1), (0x00, 0), (Self.stop, stop), (0x00, 1), (0xFF, 0), (0x80, 0)])
        try device.write(Self.start, 1)
        device.pause(budget)
        try awaitResult(device)
        let result = try device.read(Self.result, 12)
        try device.write(Self.interruptClear, 1)
        return result
    }

    private static func measurement(_ result: [UInt8], _ device: I2CDevice) throws(SensorError) -> Measurement {
        let distance = UInt16(bigEndian: result, at: 10)
        let quality: Quality
        // Datasheet and API number what ended the measurement; 11 is that it is complete.
        switch result[0] >> 3 & 0x0F {
        case 11: quality = .good
        case 1, 2, 3: throw device.malformed("reports a fault of its laser", mend: "the sensor may be broken")
        case 6, 9: quality = .outOfRange("the echo's phase is out of bounds: the target is too far away")
        case 4, 5, 14: quality = .outOfRange("the echo is too weak: no target, or a dark one")
        case 7: quality = .outOfRange("the light around is too bright, or the target too far away")
        case 8, 10: quality = .outOfRange("the target is too near")
        default: quality = .outOfRange("the measurement did not succeed")
        }
        guard distance > 0, distance < nothing else {
            throw SensorError(
                .unavailable, device.place, "sees nothing within its range" + (quality.reason.map { ": \($0)" } ?? ""),
                mend: "it reaches 1.2 m, or 2 m in the dark with long_range = true")
        }
        return Measurement(.number(Double(distance)), unit: "mm", quality: quality)
    }

    private func awaitResult(_ device: I2CDevice) throws(SensorError) {
        try device.wait(every: .milliseconds(2), times: 100, "does not come to an end of its measurement") {
            () throws(SensorError) in
            try device.read(Self.interruptStatus) & 0x07 != 0
        }
    }

    // MARK: Setting up

    private func setUp(_ device: I2CDevice) throws(SensorError) -> UInt8 {
        // Pads at 2.8 V, as on all boards with a level shifter; standard mode of I²C.
        try device.write(Self.padSupply, device.read(Self.padSupply) | 1)
        try write(device, [(0x88, 0), (0x80, 1), (0xFF, 1), (0x00, 0)])
        let stop = try device.read(Self.stop)
        try write(device, [(0x00, 1), (0xFF, 0), (0x80, 0)])
        // No limits for the signal's rate in the first two steps.
        try device.write(Self.checks, device.read(Self.checks) | 0x12)
        try device.write(Self.sequence, 0xFF)

        try chooseDetectors(device)
        try write(device, Self.tuning)
        try device.write(Self.interruptWhen, 0x04)
        try device.write(Self.interruptPin, device.read(Self.interruptPin) & ~0x10)
        try device.write(Self.interruptClear, 1)
        try write(device, timing.registers)

        try calibrate(device, sequence: 0x01, start: 0x41)
        try calibrate(device, sequence: 0x02, start: 0x01)
        try device.write(Self.sequence, Self.usualSequence)
        return stop
    }

    /// Of voltage, then of phase.
    private func calibrate(_ device: I2CDevice, sequence: UInt8, start: UInt8) throws(SensorError) {
        try device.write(Self.sequence, sequence)
        try device.write(Self.start, start)
        try awaitResult(device)
        try device.write(Self.interruptClear, 1)
        try device.write(Self.start, 0)
    }

    /// Switches on as many of the reference detectors as the factory has found to be right.
    private func chooseDetectors(_ device: I2CDevice) throws(SensorError) {
        try write(device, [(0x80, 1), (0xFF, 1), (0x00, 0), (0xFF, 6)])
        try device.write(0x83, device.read(0x83) | 4)
        try write(device, [(0xFF, 7), (0x81, 1), (0x80, 1), (0x94, 0x6B), (0x83, 0)])
        try device.wait(every: .milliseconds(1), times: 100, "does not give its factory's settings") {
            () throws(SensorError) in
            try device.read(0x83) != 0
        }
        try device.write(0x83, 1)
        let found = try device.read(0x92)
        try write(device, [(0x81, 0), (0xFF, 6)])
        try device.write(0x83, device.read(0x83) & ~4)
        try write(device, [(0xFF, 1), (0x00, 1), (0xFF, 0), (0x80, 0)])

        // Twelve have no aperture in front of them.
        let first = found & 0x80 != 0 ? 12 : 0
        var rest = Int(found & 0x7F)
        var map = try device.read(Self.detectors, 6)
        for index in 0..<48 where map[index / 8] >> (index % 8) & 1 == 1 {
            if index >= first, rest > 0 {
                rest -= 1
            } else {
                map[index / 8] &= ~(1 << (index % 8))
            }
        }
        try write(device, [(0xFF, 1), (0x4F, 0), (0x4E, 0x2C), (0xFF, 0), (0xB6, 0xB4)])
        try device.transfer([Self.detectors] + map)
    }

    private func write(
        _ device: I2CDevice, _ settings: [(register: UInt8, value: UInt8)]
    ) throws(SensorError) {
        for (register, value) in settings { try device.write(register, value) }
    }

    /// ST's default tuning, which no document explains. Register 0xFF chooses the page that the others are on.
    private static let tuning: [(register: UInt8, value: UInt8)] = [
        (0xFF, 1), (0x00, 0x00),
        (0xFF, 0), (0x09, 0x00), (0x10, 0x00), (0x11, 0x00), (0x24, 0x01), (0x25, 0xFF), (0x75, 0x00),
        (0xFF, 1), (0x4E, 0x2C), (0x48, 0x00), (0x30, 0x20),
        (0xFF, 0), (0x30, 0x09), (0x54, 0x00), (0x31, 0x04), (0x32, 0x03), (0x40, 0x83), (0x46, 0x25), (0x60, 0x00),
        (0x27, 0x00), (0x50, 0x06), (0x51, 0x00), (0x52, 0x96), (0x56, 0x08), (0x57, 0x30), (0x61, 0x00), (0x62, 0x00),
        (0x64, 0x00), (0x65, 0x00), (0x66, 0xA0),
        (0xFF, 1), (0x22, 0x32), (0x47, 0x14), (0x49, 0xFF), (0x4A, 0x00),
        (0xFF, 0), (0x7A, 0x0A), (0x7B, 0x00), (0x78, 0x21),
        (0xFF, 1), (0x23, 0x34), (0x42, 0x00), (0x44, 0xFF), (0x45, 0x26), (0x46, 0x05), (0x40, 0x40), (0x0E, 0x06),
        (0x20, 0x1A), (0x43, 0x40),
        (0xFF, 0), (0x34, 0x03), (0x35, 0x44),
        (0xFF, 1), (0x31, 0x04), (0x4B, 0x09), (0x4C, 0x05), (0x4D, 0x04),
        (0xFF, 0), (0x44, 0x00), (0x45, 0x20), (0x47, 0x08), (0x48, 0x28), (0x67, 0x00), (0x70, 0x04), (0x71, 0x01),
        (0x72, 0xFE), (0x76, 0x00), (0x77, 0x00),
        (0xFF, 1), (0x0D, 0x01),
        (0xFF, 0), (0x80, 0x01), (0x01, 0xF8),
        (0xFF, 1), (0x8E, 0x01), (0x00, 0x01),
        (0xFF, 0), (0x80, 0x00),
    ]
}
