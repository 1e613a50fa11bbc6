public import Settings
public import Units

/// `driver = "w1"`: thermometers on a 1-Wire bus: DS18B20 and its relatives, in °C.
///
///     [[sensor]]
///     name = "boiler"
///     driver = "w1"
///     device = "28-0000075d6ab2"
///     resolution = 12
///
/// Options:
/// - `device`: one or several, by the number that is burnt into them, as in `/sys/bus/w1/devices`. Default: all
///   thermometers there are (families 10, 22, 28, 3b, 42). Of one device the temperature has no channel; several have a
///   channel each, called after the number.
/// - `resolution`: 9 to 12 bits. Kept by the device until it loses its power; written where it says something else.
/// - `conversion_time`: how long the kernel waits for a value, for copies that need longer than the 94 ms (9 bits) to
///   750 ms (12 bits) of the data sheet; 2 ms to 10 s. Both options need the right to write, and an error about them
///   stands beside the values.
///
/// A read takes as long as the conversion, and several devices one after the other so many times as long, unless the
/// sensor has all thermometers of its bus and may write to the bus's `therm_bulk_read`: then all convert at once.
///
/// **85.00 °C** is what a thermometer says that lost its power after it was asked to measure. It is believed where the
/// last quarter of an hour had a temperature within 10 °C of it, or where the device itself tells (`w1_slave`: byte 6 of
/// a DS18B20 is 0x0C at power-up and 0x10 after a true measurement; or the kernel checks that, `features` bit 0). If not
/// it is measured again, and if it says the same it is an error. So a boiler at 85 °C is read, as soon as it was seen
/// a little above or below. **127.94 °C** (too little power) and **-127 °C** are errors always.
/// What lies beyond -55 °C to 125 °C is out of range; family 3b may be a thermocouple and is not limited.
///
/// Failure modes: no such device (the error lists those there are); no value (an empty file), a checksum that does not
/// fit (`NO`), no answer (EIO).
/// Documentation/w1/slaves/w1_therm.rst, Documentation/ABI/testing/sysfs-driver-w1_therm, DS18B20 data sheet.
public struct W1Driver: SensorDriver {
    public static let name = "w1"

    private let context: DriverContext
    private let devices: [String]?
    private let resolution: Int?
    private let conversionTime: Duration?
    /// Of the devices that there were at the last read.
    private var histories: [String: W1History] = [:]

    public init?(_ settings: SettingsReader, context: DriverContext) {
        self.context = context
        devices = settings.parsedAll("device") { text throws(InvalidText) in
            let text = text.lowercased()
            guard W1Thermometer.isAddress(text) else {
                throw InvalidText(
                    "\"\(text)\" is no 1-Wire device", mend: "write one like \"28-0000075d6ab2\", with 12 digits")
            }
            guard W1Thermometer.isFamily(text) else {
                throw InvalidText(
                    "\"\(text)\" is no thermometer",
                    mend: "the families are \(W1Thermometer.families.joined(separator: ", "))")
            }
            return text
        }
        if devices?.isEmpty == true {
            settings.problem(at: "device", message: "is empty", mend: "leave it out for all devices")
        }
        resolution = settings.integer("resolution", in: 9...12)
        conversionTime = settings.duration("conversion_time", in: .milliseconds(2) ... .seconds(10))
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let place = context.path("/sys/bus/w1/devices")
        let present = try W1Thermometer.all(in: place)
        let chosen: [W1Thermometer]
        if let devices {
            chosen = present.filter { devices.contains($0.address) }
        } else {
            guard !present.isEmpty else {
                throw SensorError(
                    .missing, place, "has no thermometer",
                    mend: "check wiring, supply and the pull-up of 4.7 kΩ between data and supply")
            }
            chosen = present
        }

        var results: [Result<Measurement, SensorError>] = []
        for thermometer in chosen {
            do throws(SensorError) {
                if let resolution { try thermometer.setResolution(resolution) }
                if let conversionTime { try thermometer.setConversionTime(conversionTime) }
            } catch {
                results.append(.failure(error))
            }
        }
        if chosen.count > 1 { W1Bus.convert(chosen.map(\.address), context: context) }

        let isAlone = devices?.count == 1
        var seen: [String: W1History] = [:]
        for thermometer in chosen {
            var history = histories[thermometer.address] ?? W1History()
            results.append(
                Result { () throws(SensorError) in
                    var measurement = try thermometer.measure(&history, at: now)
                    measurement.channel = isAlone ? nil : thermometer.address
                    return measurement
                }.of(isAlone ? nil : thermometer.address))
            seen[thermometer.address] = history
        }
        histories = seen

        let known = present.map(\.address).joined(separator: ", ")
        for missing in (devices ?? []) where !chosen.contains(where: { $0.address == missing }) {
            results.append(
                Result.failure(
                    SensorError(
                        .missing, place, "has no device \"\(missing)\"",
                        mend: known.isEmpty
                            ? "it has no thermometer at all: check wiring, supply and pull-up" : "it has \(known)")
                ).of(missing))
        }
        return try SensorError.collect(results)
    }
}
