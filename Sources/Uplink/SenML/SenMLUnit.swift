internal import Pipeline
internal import Sensing

/// A unit of SenML's registry, and how values get into it.
///
/// Only the registry's primary units are written (RFC 8428 §12.1, RFC 8798 §2), and none that it advises against: what
/// is measured in another one is converted. Secondary units ("hPa", "Wh") would need a version that says so (RFC 9100
/// §4), which few receivers know.
struct SenMLUnit: Sendable, Hashable {
    var symbol: String
    var scale = 1.0
    var offset = 0.0

    func value(_ value: Double) -> Double { Reading.Value.rounded(value * scale + offset) }

    /// Nil for a unit that the registry has nothing for: its values go without one.
    ///
    /// Per cent become a ratio: SenML's own "%" is one too, in spite of its name (RFC 8428 §12.1, note). Humidity is
    /// the exception, which has a unit of its own; it is known by the name of its sensor or channel.
    init?(_ unit: String, sensor: String, channel: String?) {
        if unit == "%", [sensor, channel ?? ""].contains(where: { $0.lowercased().isHumidity }) {
            self.init(symbol: "%RH")
            return
        }
        // First as the agent itself reads it: who writes "C" means degrees, and no coulombs.
        let measured = MeasurementUnit.named(unit)
        let name = measured?.name ?? unit
        if let (symbol, scale, offset) = Self.known[name] {
            self.init(symbol: symbol, scale: scale, offset: offset)
        } else if Self.registered.contains(name) {
            self.init(symbol: name)
        } else if let measured, let (primary, symbol, factor) = Self.primaries[measured.dimension],
            let zero = MeasurementUnit.named(primary)?.convert(0, from: measured),
            let one = MeasurementUnit.named(primary)?.convert(1, from: measured)
        {
            self.init(symbol: symbol, scale: (one - zero) * factor, offset: zero * factor)
        } else {
            return nil
        }
    }

    private init(symbol: String, scale: Double = 1, offset: Double = 0) {
        self.symbol = symbol
        self.scale = scale
        self.offset = offset
    }

    /// By dimension: the unit that all others of it can be converted to, and the registry's, of which it is so many.
    static let primaries: [String: (unit: String, symbol: String, factor: Double)] = [
        "temperature": ("°C", "Cel", 1), "length": ("m", "m", 1), "pressure": ("Pa", "Pa", 1),
        "speed": ("m/s", "m/s", 1), "mass": ("kg", "kg", 1), "volume": ("m³", "m3", 1), "energy": ("J", "J", 1),
        "power": ("W", "W", 1), "ratio": ("1", "/", 1), "time": ("s", "s", 1), "data": ("B", "B", 1),
        "data rate": ("bit/s", "bit/s", 1), "frequency": ("Hz", "Hz", 1), "voltage": ("V", "V", 1),
        "current": ("A", "A", 1), "charge": ("Ah", "C", 3600), "resistance": ("Ω", "Ohm", 1),
        "angle": ("rad", "rad", 1),
        "flow": ("m³/s", "m3/s", 1), "concentration": ("g/m³", "kg/m3", 1e-3),
    ]

    /// Those that owners write in the registry's own way.
    static let registered: Set<String> = [
        "m", "kg", "s", "A", "K", "cd", "mol", "Hz", "rad", "sr", "N", "Pa", "J", "W", "C", "V", "F", "Ohm", "S", "Wb",
        "T", "H", "Cel", "lm", "lx", "Bq", "Gy", "Sv", "kat", "m2", "m3", "m/s", "m/s2", "m3/s", "W/m2", "cd/m2", "bit",
        "bit/s", "lat", "lon", "pH", "dB", "dBW", "count", "/", "%RH", "%EL", "EL", "1/s", "S/m", "B", "VA", "VAs",
        "var",
        "vars", "J/m", "kg/m3", "NTU",
    ]

    static let known: [String: (symbol: String, scale: Double, offset: Double)] = [
        "°C": ("Cel", 1, 0), "°F": ("Cel", 5.0 / 9, -160.0 / 9),
        "%": ("/", 1e-2, 0), "‰": ("/", 1e-3, 0), "ppm": ("/", 1e-6, 0), "ppb": ("/", 1e-9, 0),
        "kPa": ("Pa", 1e3, 0), "hPa": ("Pa", 1e2, 0), "mbar": ("Pa", 1e2, 0), "bar": ("Pa", 1e5, 0),
        "µm": ("m", 1e-6, 0), "mm": ("m", 1e-3, 0), "cm": ("m", 1e-2, 0), "km": ("m", 1e3, 0),
        "m²": ("m2", 1, 0), "m³": ("m3", 1, 0), "l": ("m3", 1e-3, 0), "L": ("m3", 1e-3, 0), "ml": ("m3", 1e-6, 0),
        "m³/h": ("m3/s", 1.0 / 3600, 0), "l/s": ("m3/s", 1e-3, 0), "l/min": ("m3/s", 1e-3 / 60, 0),
        "l/h": ("m3/s", 1e-3 / 3600, 0),
        "km/h": ("m/s", 1 / 3.6, 0), "mm/h": ("m/s", 1 / 3.6e6, 0), "m/s²": ("m/s2", 1, 0), "g": ("kg", 1e-3, 0),
        "mg": ("kg", 1e-6, 0), "t": ("kg", 1e3, 0),
        "µV": ("V", 1e-6, 0), "mV": ("V", 1e-3, 0), "kV": ("V", 1e3, 0), "µA": ("A", 1e-6, 0), "mA": ("A", 1e-3, 0),
        "mW": ("W", 1e-3, 0), "kW": ("W", 1e3, 0), "kVA": ("VA", 1e3, 0), "kvar": ("var", 1e3, 0),
        "Wh": ("J", 3600, 0), "kWh": ("J", 3.6e6, 0), "kJ": ("J", 1e3, 0), "MJ": ("J", 1e6, 0),
        "mAh": ("C", 3.6, 0), "Ah": ("C", 3600, 0), "Ω": ("Ohm", 1, 0), "kΩ": ("Ohm", 1e3, 0),
        "µS/cm": ("S/m", 1e-4, 0), "mS/cm": ("S/m", 1e-1, 0), "µT": ("T", 1e-6, 0),
        "ns": ("s", 1e-9, 0), "µs": ("s", 1e-6, 0), "ms": ("s", 1e-3, 0), "min": ("s", 60, 0), "h": ("s", 3600, 0),
        "d": ("s", 86_400, 0),
        "kHz": ("Hz", 1e3, 0), "MHz": ("Hz", 1e6, 0), "GHz": ("Hz", 1e9, 0), "rpm": ("1/s", 1.0 / 60, 0),
        "1/min": ("1/s", 1.0 / 60, 0),
        "°": ("rad", .pi / 180, 0), "lux": ("lx", 1, 0), "W/m²": ("W/m2", 1, 0), "cd/m²": ("cd/m2", 1, 0),
        "µg/m³": ("kg/m3", 1e-9, 0), "mg/m³": ("kg/m3", 1e-6, 0), "g/m³": ("kg/m3", 1e-3, 0),
        "dBm": ("dBW", 1, -30),
        "bits": ("bit", 1, 0), "kB": ("B", 1e3, 0), "MB": ("B", 1e6, 0), "GB": ("B", 1e9, 0), "KiB": ("B", 1024, 0),
        "MiB": ("B", 1_048_576, 0), "GiB": ("B", 1_073_741_824, 0),
        "B/s": ("bit/s", 8, 0), "kB/s": ("bit/s", 8e3, 0), "MB/s": ("bit/s", 8e6, 0), "kbit/s": ("bit/s", 1e3, 0),
        "Mbit/s": ("bit/s", 1e6, 0), "Gbit/s": ("bit/s", 1e9, 0),
    ]
}
