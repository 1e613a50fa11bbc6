public import Settings
public import Units

/// `driver = "i2c"`: chips on an I²C bus that need no driver of the kernel's.
///
///     [[sensor]]
///     name = "climate"
///     driver = "i2c"
///     chip = "bme280"
///     bus = 1
///     address = 0x76
///
/// Where the kernel has a driver for the chip (a line `dtoverlay=i2c-sensor,bme280` on a Raspberry Pi), the `iio` and
/// `hwmon` drivers read it as well; an address that a driver of the kernel has taken is refused here.
///
/// Options:
/// - `chip`: "bme280", "bmp280", "sht3x", "sht4x", "ads1115" or "vl53l0x".
/// - `bus`: the adapter's number (1 for /dev/i2c-1), its device ("/dev/i2c-1"), or its name as /sys/bus/i2c/devices/*/name
///   gives it, which stays the same where numbers change. Default: 1.
/// - `address`: the chip's 7-bit address, as i2cdetect shows it (0x76). Default: the first that the chip can have.
///
/// Chips, their channels, and the options of each:
/// - bme280 (temperature in °C, pressure in hPa, humidity in %), bmp280 (the same without humidity); at 0x76, 0x77.
///   `oversampling`: 1 (default), 2, 4, 8 or 16 samples for a value; `filter`: the coefficient of the chip's own low pass,
///   0 (none, default), 2, 4, 8 or 16 values.
/// - sht3x, sht4x (temperature in °C, humidity in %); at 0x44, 0x45, an sht4x at 0x46 too. `repeatability`: "low",
///   "medium" or "high" (default), which takes 15.5 ms, or 8.3 ms for an sht4x.
/// - ads1115 (voltages in V, each channel called after its input; none if there is one only); at 0x48 to 0x4b.
///   `inputs`: one or several of "A0" … "A3", "A0-A1", "A0-A3", "A1-A3", "A2-A3"; `full_scale`: "6.144V", "4.096V",
///   "2.048V" (default), "1.024V", "0.512V" or "0.256V", both ways; no input may be above the supply, whatever it says;
///   `samples_per_second`: 8, 16, 32, 64, 128 (default), 250, 475 or 860, where slower means less noise; `scale`, `offset`
///   and `unit` for what the voltage stands for: `volts * scale + offset`.
/// - vl53l0x (distance in mm, out of range where the chip doubts it); at 0x29, for several of them use a multiplexer that
///   the kernel drives (dtoverlay=i2c-mux). `timing_budget`: 20 ms to 1 s, default "33ms"; more is more exact;
///   `long_range = true`: up to 2 m, in the dark.
///
/// Several sensors may share a bus: a measurement has the bus to itself, among the sensors of this agent, and waits at
/// most 2 s for it. Nothing is written to a chip but what a measurement needs, and no other address is touched.
///
/// Failure modes: no such bus (I2C is not switched on, or i2c-dev not loaded); the bus is closed to the agent's user
/// (group i2c); a driver of the kernel has the address; the chip does not answer, is another one than the configuration
/// says, or gives a wrong checksum; the bus hangs (200 ms at most for one transfer).
/// Documentation/i2c/dev-interface.rst.
public struct I2CDriver: SensorDriver {
    public static let name = "i2c"

    typealias Opener = @Sendable (I2CPlace) throws(SensorError) -> any I2CWire

    private static let chips: [any I2CChip.Type] = [
        BME280.self, BMP280.self, SHT3x.self, SHT4x.self, ADS1115.self, VL53L0X.self,
    ]
    /// How long others may have the bus.
    private static let patience = Duration.seconds(2)

    private let context: DriverContext
    private let bus: String
    private let address: UInt8
    private let open: Opener
    private var chip: any I2CChip

    public init?(_ settings: SettingsReader, context: DriverContext) {
        self.init(settings, context: context) { place throws(SensorError) in try LinuxI2CWire(place) }
    }

    /// - Parameter open: what is at a place: the kernel's bus, or a model.
    init?(_ settings: SettingsReader, context: DriverContext, open: @escaping Opener) {
        let names = Self.chips.map { $0.name }
        settings.require("chip", mend: "possible are \(names.joined(separator: ", "))")
        bus = settings.nameOrNumber("bus") ?? "1"
        if bus.isEmpty || bus.hasPrefix("-") {
            settings.problem(at: "bus", message: "\"\(bus)\" is no bus", mend: "write bus = 1 for /dev/i2c-1")
        }
        let address = settings.integer("address")
        let name = settings.string("chip")
        guard let type = Self.chips.first(where: { $0.name == name }) else {
            if let name {
                settings.problem(
                    at: "chip", message: "\"\(name)\" is not known", mend: names.suggestion(for: name))
            }
            settings.ignoreUnknownKeys()
            return nil
        }
        if let address { Self.check(address, of: type, settings) }
        self.context = context
        self.open = open
        self.address = UInt8(clamping: address ?? type.addresses[0])
        chip = type.init(settings)
    }

    private static func check(_ address: Int, of chip: any I2CChip.Type, _ settings: SettingsReader) {
        if chip.addresses.contains(address) { return }
        let possible = chip.addresses.map { I2CPlace.text($0) }.joined(separator: ", ")
        let mend =
            address.isMultiple(of: 2) && chip.addresses.contains(address / 2)
            ? "write \(I2CPlace.text(address / 2)), its address of 7 bits; the lowest of 8 says read or write"
            : "possible are \(possible)"
        settings.problem(
            at: "address", message: "\(I2CPlace.text(max(address, 0))) is no address of a \(chip.name)", mend: mend)
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let place = try I2CPlace(bus: bus, address: address, context: context)
        // Opened each time, which costs microseconds, so that an adapter on USB may come and go.
        var chip = chip
        defer { self.chip = chip }
        return try Turns.shared.take(place.line, for: context.sensor, atMost: Self.patience) { () throws(SensorError) in
            let device = I2CDevice(place: place.description, wire: try open(place))
            return try chip.measure(device)
        }
    }
}
