@testable import Sensing

/// A chip as it looks from the bus. `@unchecked Sendable`: a test reads its sensors on one thread.
class ModelChip: I2CWire, @unchecked Sendable {
    /// What the next transfers fail with, in their order; nil lets one pass.
    var failures: [I2CFailure?] = []
    /// What the chip was told, in the order of telling.
    var written: [[UInt8]] = []
    var paused = Duration.zero

    func transfer(_ bytes: [UInt8], reading count: Int) throws(I2CFailure) -> [UInt8] {
        if !failures.isEmpty, let failure = failures.removeFirst() { throw failure }
        if !bytes.isEmpty { written.append(bytes) }
        return try answer(bytes, count)
    }

    func pause(_ time: Duration) { paused += time }

    func answer(_ bytes: [UInt8], _ count: Int) throws(I2CFailure) -> [UInt8] { [] }
}

/// A chip with registers of one byte, whose numbers count up during a transfer.
class RegisterChip: ModelChip, @unchecked Sendable {
    var registers = [UInt8](repeating: 0, count: 256)

    func load(_ register: Int, _ bytes: [UInt8]) {
        for (index, byte) in bytes.enumerated() { registers[register + index] = byte }
    }

    override func answer(_ bytes: [UInt8], _ count: Int) throws(I2CFailure) -> [UInt8] {
        guard let register = bytes.first.map(Int.init) else { return [UInt8](repeating: 0xFF, count: count) }
        for (index, byte) in bytes.dropFirst().enumerated() { store(register + index, byte) }
        return (0..<count).map { fetch((register + $0) & 0xFF) }
    }

    func store(_ register: Int, _ byte: UInt8) { registers[register & 0xFF] = byte }
    func fetch(_ register: Int) -> UInt8 { registers[register] }
}

/// Measures when it is told to, for as long as the datasheet says.
final class BoschModel: RegisterChip, @unchecked Sendable {
    /// How often the chip still says that it is busy.
    var busyAnswers = 0

    init(id: UInt8) {
        super.init()
        registers[0xD0] = id
        load(0xF7, [0x80, 0, 0, 0x80, 0, 0, 0x80, 0])
    }

    /// The raw values that the next measurement gives.
    var raw: (temperature: Int, pressure: Int, humidity: Int) = (0x80000, 0x80000, 0x8000)

    override func store(_ register: Int, _ byte: UInt8) {
        super.store(register, byte)
        guard register == 0xF4, byte & 3 == 1 else { return }
        let (t, p, h) = raw
        load(
            0xF7,
            [
                UInt8(p >> 12), UInt8(p >> 4 & 0xFF), UInt8(p << 4 & 0xFF), UInt8(t >> 12), UInt8(t >> 4 & 0xFF),
                UInt8(t << 4 & 0xFF), UInt8(h >> 8), UInt8(h & 0xFF),
            ])
        registers[0xF3] = busyAnswers > 0 ? 8 : 0
    }

    override func fetch(_ register: Int) -> UInt8 {
        guard register == 0xF3, registers[0xF3] & 8 != 0 else { return super.fetch(register) }
        busyAnswers -= 1
        if busyAnswers <= 0 { registers[0xF3] = 0 }
        return 8
    }

    /// The trimming of the BMP280's datasheet (section 3.12), and a humidity's as they are found in chips.
    func loadTrimming() {
        let words = [27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000]
        load(0x88, words.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] })
        loadHumidityTrimming(75, 370, 0, 313, 50, 30)
    }

    func loadHumidityTrimming(_ h1: Int, _ h2: Int, _ h3: Int, _ h4: Int, _ h5: Int, _ h6: Int) {
        registers[0xA1] = UInt8(truncatingIfNeeded: h1)
        load(
            0xE1,
            [
                h2, h2 >> 8, h3, h4 >> 4, h4 & 15 | (h5 & 15) << 4, h5 >> 4, h6,
            ].map { UInt8(truncatingIfNeeded: $0) })
    }
}

/// Takes a command, needs time, and gives two words with their checksums.
final class SensirionModel: ModelChip, @unchecked Sendable {
    /// What it gives for each command.
    var answers: [[UInt8]: [UInt8]] = [:]
    /// Reads that come too early are not acknowledged.
    var earlyReads = 0
    private var command: [UInt8]?

    override func answer(_ bytes: [UInt8], _ count: Int) throws(I2CFailure) -> [UInt8] {
        if !bytes.isEmpty {
            guard answers[bytes] != nil else { throw .system(121) }
            command = bytes
        }
        guard count > 0 else { return [] }
        if earlyReads > 0 {
            earlyReads -= 1
            throw .system(121)
        }
        guard let command, let answer = answers[command] else { throw .system(121) }
        self.command = nil
        return answer
    }
}

/// Converts the input that its settings name.
final class ADS1115Model: ModelChip, @unchecked Sendable {
    /// Codes by the multiplexer's setting.
    var codes: [UInt16: Int16] = [:]
    /// Whether it keeps what is written to it.
    var keepsSettings = true
    private var settings: UInt16 = 0x8583

    override func answer(_ bytes: [UInt8], _ count: Int) throws(I2CFailure) -> [UInt8] {
        if bytes.count == 3, bytes[0] == 1, keepsSettings { settings = UInt16(bigEndian: bytes, at: 1) }
        guard count == 2 else { return [] }
        let word = bytes[0] == 1 ? settings | 0x8000 : UInt16(bitPattern: codes[settings >> 12 & 7] ?? 0)
        return [UInt8(word >> 8), UInt8(word & 0xFF)]
    }
}

/// Registers on pages, as far as they have a meaning that a driver can rely on.
final class VL53L0XModel: ModelChip, @unchecked Sendable {
    /// What a measurement gives.
    var status: UInt8 = 11
    var distance: UInt16 = 0
    var model: UInt8 = 0xEE
    var measures = true
    /// By page and register.
    private(set) var registers: [Int: UInt8] = [:]
    private var page = 0
    private(set) var calibrations: [UInt8] = []

    func register(_ register: Int, page: Int = 0) -> UInt8 { registers[page << 8 | register] ?? 0 }

    func losePower() {
        registers = [:]
        page = 0
        calibrations = []
    }

    override func answer(_ bytes: [UInt8], _ count: Int) throws(I2CFailure) -> [UInt8] {
        guard let register = bytes.first.map(Int.init) else { return [UInt8](repeating: 0, count: count) }
        for (index, byte) in bytes.dropFirst().enumerated() { store(register + index, byte) }
        return (0..<count).map { fetch(register + $0) }
    }

    private func store(_ register: Int, _ byte: UInt8) {
        if register == 0xFF {
            page = Int(byte)
            return
        }
        registers[page << 8 | register] = byte
        switch (page, register) {
        // The factory's settings are asked for.
        case (7, 0x83) where byte == 0: registers[7 << 8 | 0x83] = 0x10
        case (0, 0x00) where byte & 1 == 1 && measures:
            if byte & 0x40 != 0 || self.register(0x01) == 0x02 { calibrations.append(self.register(0x01)) }
            registers[0x13] = 0x04
            registers[0x14] = status << 3
            registers[0x1E] = UInt8(distance >> 8)
            registers[0x1F] = UInt8(distance & 0xFF)
        case (0, 0x0B): registers[0x13] = 0
        default: break
        }
    }

    private func fetch(_ register: Int) -> UInt8 {
        switch (page, register) {
        case (0, 0xC0): model
        // The stop variable, and what the factory has found: five detectors with an aperture.
        case (1, 0x91): 0x3C
        case (7, 0x92): 0x85
        case (0, 0xB0...0xB5): registers[register] ?? 0xFF
        default: self.register(register, page: page)
        }
    }
}
