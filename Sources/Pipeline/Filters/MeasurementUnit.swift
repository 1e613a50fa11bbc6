public import Units

/// A unit that values can be converted to and from: `convert = "°F"`.
///
/// A value is `(value - zero) * numerator / denominator` in its dimension's base unit. Factors are exact by definition
/// (SI brochure, 9th edition; NIST SP 811, appendix B) but for the horsepower-like ones, which are left out.
public struct MeasurementUnit: Sendable, Hashable {
    /// As values carry it: "°F".
    public var name: String
    /// "temperature", "length", …
    public var dimension: String

    private var zero: Double
    private var numerator: Double
    private var denominator: Double

    private init(_ name: String, _ dimension: String, _ numerator: Double, _ denominator: Double, zero: Double = 0) {
        self.name = name
        self.dimension = dimension
        self.numerator = numerator
        self.denominator = denominator
        self.zero = zero
    }

    /// Reads a unit by its name, or one of the spellings that other devices use ("degC", "l", "m3").
    /// - Throws: ``InvalidText`` that names what was probably meant, and what is possible.
    public init(parsing text: String) throws(InvalidText) {
        guard let unit = Self.named(text) else {
            let names = Self.all.map(\.name)
            let mend = names.nearest(to: text).map { "did you mean \"\($0)\"? " } ?? ""
            throw InvalidText(
                "\"\(text)\" is no known unit", mend: "\(mend)(possible are \(names.joined(separator: ", ")))")
        }
        self = unit
    }

    /// Nil for an unknown one.
    package static func named(_ text: String) -> MeasurementUnit? {
        byName[text] ?? aliases[text].flatMap { byName[$0] }
    }

    /// `value`, which is in `other`, in this unit; nil if they measure different things.
    package func convert(_ value: Double, from other: MeasurementUnit) -> Double? {
        guard other.dimension == dimension else { return nil }
        if other.name == name { return value }
        return (value - other.zero) * (other.numerator * denominator) / (other.denominator * numerator) + zero
    }

    /// Why what is in `unit` becomes none of `targets`, and what it could become.
    static func refusal(of unit: String?, _ targets: [MeasurementUnit]) -> String {
        let wanted = targets.map(\.name).joined(separator: ", ")
        guard let unit else { return "a value without a unit cannot be converted to \(wanted)" }
        guard let known = named(unit) else {
            return "\(unit) cannot be converted to \(wanted): it is a unit that is not known"
        }
        let possible = all.filter { $0.dimension == known.dimension && $0.name != known.name }.map(\.name)
        return "\(unit) cannot be converted to \(wanted): possible are \(possible.joined(separator: ", "))"
    }

    private static let byName = Dictionary(all.map { ($0.name, $0) }) { first, _ in first }

    private static let aliases = [
        "C": "°C", "degC": "°C", "Cel": "°C", "celsius": "°C", "F": "°F", "degF": "°F", "fahrenheit": "°F",
        "kelvin": "K", "μm": "µm", "um": "µm", "μs": "µs", "us": "µs", "metre": "m", "meter": "m", "kt": "kn",
        "m3": "m³", "cm3": "cm³", "l": "L", "ml": "mL", "m³/hour": "m³/h", "m3/h": "m³/h", "l/min": "L/min",
        "l/s": "L/s", "l/h": "L/h", "percent": "%", "ratio": "1", "sec": "s", "hour": "h", "mbar": "hPa", "deg": "°",
        "rpm": "1/min", "ug/m³": "µg/m³", "μg/m³": "µg/m³", "ug/m3": "µg/m³", "mg/m3": "mg/m³", "bits": "bit",
        "kb/s": "kbit/s", "Mb/s": "Mbit/s",
    ]

    private static let all: [MeasurementUnit] = [
        .init("°C", "temperature", 1, 1), .init("K", "temperature", 1, 1, zero: 273.15),
        .init("°F", "temperature", 5, 9, zero: 32),
        .init("m", "length", 1, 1), .init("µm", "length", 1, 1e6), .init("mm", "length", 1, 1000),
        .init("cm", "length", 1, 100), .init("km", "length", 1000, 1), .init("in", "length", 254, 10_000),
        .init("ft", "length", 3048, 10_000), .init("yd", "length", 9144, 10_000),
        .init("mi", "length", 1_609_344, 1000),
        .init("nmi", "length", 1852, 1),
        .init("Pa", "pressure", 1, 1), .init("hPa", "pressure", 100, 1), .init("kPa", "pressure", 1000, 1),
        .init("MPa", "pressure", 1e6, 1), .init("bar", "pressure", 1e5, 1), .init("psi", "pressure", 6894.757293168, 1),
        .init("mmHg", "pressure", 133.322387415, 1), .init("inHg", "pressure", 3386.388640341, 1),
        .init("atm", "pressure", 101_325, 1),
        .init("m/s", "speed", 1, 1), .init("km/h", "speed", 10, 36), .init("mph", "speed", 44704, 100_000),
        .init("kn", "speed", 1852, 3600), .init("ft/s", "speed", 3048, 10_000), .init("mm/s", "speed", 1, 1000),
        .init("kg", "mass", 1, 1), .init("g", "mass", 1, 1000), .init("mg", "mass", 1, 1e6),
        .init("t", "mass", 1000, 1),
        .init("lb", "mass", 45_359_237, 1e8), .init("oz", "mass", 45_359_237, 16e8),
        .init("m³", "volume", 1, 1), .init("L", "volume", 1, 1000), .init("mL", "volume", 1, 1e6),
        .init("cm³", "volume", 1, 1e6), .init("gal", "volume", 3_785_411_784, 1e12),
        .init("J", "energy", 1, 1), .init("kJ", "energy", 1000, 1), .init("MJ", "energy", 1e6, 1),
        .init("Wh", "energy", 3600, 1), .init("kWh", "energy", 3.6e6, 1), .init("MWh", "energy", 3.6e9, 1),
        .init("W", "power", 1, 1), .init("mW", "power", 1, 1000), .init("kW", "power", 1000, 1),
        .init("MW", "power", 1e6, 1),
        .init("1", "ratio", 1, 1), .init("%", "ratio", 1, 100), .init("‰", "ratio", 1, 1000),
        .init("ppm", "ratio", 1, 1e6), .init("ppb", "ratio", 1, 1e9),
        .init("s", "time", 1, 1), .init("ns", "time", 1, 1e9), .init("µs", "time", 1, 1e6),
        .init("ms", "time", 1, 1000),
        .init("min", "time", 60, 1), .init("h", "time", 3600, 1), .init("d", "time", 86_400, 1),
        .init("B", "data", 1, 1), .init("bit", "data", 1, 8), .init("kB", "data", 1000, 1), .init("MB", "data", 1e6, 1),
        .init("GB", "data", 1e9, 1), .init("TB", "data", 1e12, 1), .init("KiB", "data", 1024, 1),
        .init("MiB", "data", 1_048_576, 1), .init("GiB", "data", 1_073_741_824, 1),
        .init("TiB", "data", 1_099_511_627_776, 1),
        .init("B/s", "data rate", 1, 1), .init("kB/s", "data rate", 1000, 1), .init("MB/s", "data rate", 1e6, 1),
        .init("bit/s", "data rate", 1, 8), .init("kbit/s", "data rate", 1000, 8), .init("Mbit/s", "data rate", 1e6, 8),
        .init("Gbit/s", "data rate", 1e9, 8),
        .init("Hz", "frequency", 1, 1), .init("kHz", "frequency", 1000, 1), .init("MHz", "frequency", 1e6, 1),
        .init("GHz", "frequency", 1e9, 1), .init("1/min", "frequency", 1, 60),
        .init("V", "voltage", 1, 1), .init("mV", "voltage", 1, 1000), .init("µV", "voltage", 1, 1e6),
        .init("kV", "voltage", 1000, 1),
        .init("A", "current", 1, 1), .init("mA", "current", 1, 1000), .init("µA", "current", 1, 1e6),
        .init("Ah", "charge", 1, 1), .init("mAh", "charge", 1, 1000),
        .init("Ω", "resistance", 1, 1), .init("kΩ", "resistance", 1000, 1), .init("MΩ", "resistance", 1e6, 1),
        .init("°", "angle", 1, 1), .init("rad", "angle", 180, .pi),
        .init("m³/h", "flow", 1, 1), .init("L/h", "flow", 1, 1000), .init("L/min", "flow", 60, 1000),
        .init("L/s", "flow", 3600, 1000), .init("m³/s", "flow", 3600, 1),
        .init("g/m³", "concentration", 1, 1), .init("mg/m³", "concentration", 1, 1000),
        .init("µg/m³", "concentration", 1, 1e6),
    ]
}
