public import Settings
public import Units

/// `driver = "iio"`: what the industrial I/O subsystem drives: converters, distances, climates, light, motion.
///
///     [[sensor]]
///     name = "distance"
///     driver = "iio"
///     device = "srf04"
///     channel = "distance"
///
/// Options:
/// - `device`: the device's name ("bme280"), its label from the device tree, or, where two have one name, what it hangs
///   on ("1-0076", "spi0.0"). The number of `iio:device0` changes from start to start.
/// - `channel`: one or several, by name ("temp", "voltage0", "accel_x") or by label. Default: all, a channel each, called
///   after its label if it has one of its own, else after its name.
/// - `value`: "processed" (default), which is what the kernel has computed itself (`_input`) or `(raw + offset) * scale`;
///   or "raw", without a unit.
/// - `oversampling`: how many measurements make one value; must be one of those that the device permits. Writing it
///   takes the right to; it is written only where the device says something else.
///
/// Values are in V, A, W, J, °C, %, hPa, m, lx, Ω, nF, µg/m³, S/m, m/s², rad/s, rad, °, G and others; see
/// ``IIOQuantity`` for the kernel's own. A raw value at the end of the converter's scale, where the kernel tells its
/// ends (`_raw_available`, or the type of its buffer), is out of range.
///
/// The hx711's kernel driver counts from the negative end of its scale and tells no offset: 2^23 is taken off here.
/// Its scale is that of the channel read last, so scales are read after the value.
///
/// Failure modes: no such device, several, or no such channel (the error lists those there are); the device does not
/// answer (EIO, ETIMEDOUT: an ultrasonic sensor says so when no echo comes back, as the srf04 beyond 6.45 m); a buffer
/// is running (EBUSY).
/// Documentation/ABI/testing/sysfs-bus-iio.
public struct IIODriver: SensorDriver {
    public static let name = "iio"

    private let context: DriverContext
    private let device: String
    private let choice: ChannelChoice
    private let form: IIOChannel.Form
    private let oversampling: Int?

    public init?(_ settings: SettingsReader, context: DriverContext) {
        let device = settings.requiredString("device")
        self.context = context
        choice = ChannelChoice(settings)
        form = settings.choice("value", of: IIOChannel.Form.self) ?? .processed
        oversampling = settings.integer("oversampling", in: 1...65_536)
        guard let device else { return nil }
        self.device = device
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let device = try findDevice()
        let channels = try device.channels()
        guard !channels.isEmpty else { throw SensorError(.missing, device.place, "has no channel that can be read") }

        let labels = channels.reduce(into: [:]) { $0[$1.label ?? $1.name, default: 0] += 1 }
        var report = ChannelReport(choice, of: device.place)
        for channel in channels {
            let label = channel.label.flatMap { labels[$0] == 1 ? $0 : nil }
            report.add(label ?? channel.name, or: label == nil ? nil : channel.name) { () throws(SensorError) in
                if let oversampling { try channel.setOversampling(oversampling) }
                return try channel.measure(form)
            }
        }
        return try report.measured()
    }

    private func findDevice() throws(SensorError) -> IIODevice {
        let place = context.path("/sys/bus/iio/devices")
        let all = try IIODevice.all(in: place)
        let fitting = all.filter { $0.names.contains(device) }
        switch fitting.count {
        case 1: return fitting[0]
        case 0:
            throw SensorError(
                .missing, place, "has no device \"\(device)\"",
                mend: all.isEmpty
                    ? "it has none at all: is the device's overlay or driver loaded?"
                    : "it has \(all.map(\.title).joined(separator: ", "))")
        default:
            throw SensorError(
                .ambiguous, place, "has \(fitting.count) devices \"\(device)\"",
                mend: "name one of \(fitting.map { $0.label ?? $0.parent ?? $0.name }.joined(separator: ", "))")
        }
    }
}
