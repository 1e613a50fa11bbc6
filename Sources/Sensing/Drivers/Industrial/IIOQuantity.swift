/// What a channel of the industrial I/O subsystem measures: its unit, and how many of the kernel's are one.
///
/// Documentation/ABI/testing/sysfs-bus-iio: mV, mA, mW, J, m°C, m% (humidity, relative position), kPa, m, lx, Ω, nF,
/// % (concentration, activity), µg/m³, S/m, m/s², rad/s, rad, ° (inclination), G, m/s. Intensities, UV index, pH, counts
/// and steps have none; of rotations from north the document names none.
struct IIOQuantity {
    private(set) var unit: String?
    private(set) var divisor = 1.0
    private(set) var isDistance = false

    /// - Parameter channel: its name without direction and form: "voltage0", "accel_x", "concentration_co2".
    init(channel: String) {
        switch channel.prefix(while: \.isLetter) {
        case "voltage", "altvoltage": (unit, divisor) = ("V", 1000)
        case "current", "altcurrent": (unit, divisor) = ("A", 1000)
        case "power": (unit, divisor) = (channel.hasSuffix("reactive") ? "var" : "W", 1000)
        case "energy": unit = "J"
        case "temp": (unit, divisor) = ("°C", 1000)
        case "humidityrelative", "positionrelative": (unit, divisor) = ("%", 1000)
        case "pressure": (unit, divisor) = ("hPa", 0.1)
        case "distance": (unit, isDistance) = ("m", true)
        // Metres where it has a scale, nothing where it has not; mostly it has not.
        case "proximity": isDistance = true
        case "illuminance": unit = "lx"
        case "resistance": unit = "Ω"
        case "capacitance": unit = "nF"
        case "concentration", "activity", "attention": unit = "%"
        case "massconcentration": unit = "µg/m³"
        case "electricalconductivity": unit = "S/m"
        case "colortemp": unit = "K"
        case "accel", "gravity": unit = "m/s²"
        case "anglvel": unit = "rad/s"
        case "angl", "deltaangl", "phase": unit = "rad"
        case "incli": unit = "°"
        case "magn": unit = "G"
        case "velocity", "deltavelocity": unit = "m/s"
        default: break
        }
    }
}
