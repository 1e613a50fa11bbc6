internal import Settings

/// One address on an open I²C bus: the kernel's, or a model of a chip.
protocol I2CWire {
    /// Writes, or reads, or writes and then reads without letting go of the bus between the two.
    func transfer(_ bytes: [UInt8], reading count: Int) throws(I2CFailure) -> [UInt8]

    /// Leaves the chip alone for a while.
    func pause(_ time: Duration)
}

enum I2CFailure: Error, Hashable {
    /// The kernel's `errno`.
    case system(Int32)
    /// The adapter only knows SMBus, and this transfer is none of SMBus.
    case beyondSMBus
}

/// A chip that the `i2c` driver can read. What it keeps between reads it must be able to do without: a chip may be
/// exchanged, or lose its supply, at any time.
protocol I2CChip: Sendable {
    /// What a configuration calls it: `chip = "…"`.
    static var name: String { get }
    /// The addresses that it can have; the first is the default.
    static var addresses: [Int] { get }

    /// Reads the chip's own options.
    init(_ settings: SettingsReader)

    /// Measures once, with the bus to itself.
    mutating func measure(_ device: I2CDevice) throws(SensorError) -> [Measurement]
}
