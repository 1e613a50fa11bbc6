/// What Home Assistant calls a device class: what a number is about, which units it may have, and how it adds up.
///
/// Home Assistant refuses an entity whose unit does not belong to its class, so the class is only given where it does.
/// The tables hold what its versions since 2024 agree on: units with a micro sign are left out, for which it has changed
/// the character (`DEVICE_CLASS_UNITS` and `DEVICE_CLASS_STATE_CLASSES` of its sensor component). A sensor without a
/// class keeps its unit, and is shown just the same.
struct DeviceClass: Sendable {
    enum StateClass: String, Sendable, CaseIterable {
        case measurement, total
        case totalIncreasing = "total_increasing"
    }

    var units: Set<String?>
    var states: [StateClass] = [.measurement]

    static let known: [String: DeviceClass] = [
        "apparent_power": DeviceClass(units: ["VA"]),
        "aqi": DeviceClass(units: [nil]),
        "battery": DeviceClass(units: ["%"]),
        "carbon_dioxide": DeviceClass(units: ["ppm"]),
        "carbon_monoxide": DeviceClass(units: ["ppm"]),
        "current": DeviceClass(units: ["A", "mA"]),
        "data_rate": DeviceClass(units: [
            "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "B/s", "kB/s", "MB/s", "GB/s", "KiB/s", "MiB/s", "GiB/s",
        ]),
        "data_size": DeviceClass(
            units: [
                "bit", "kbit", "Mbit", "Gbit", "B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB",
            ], states: [.measurement, .total, .totalIncreasing]),
        "distance": DeviceClass(
            units: ["mm", "cm", "m", "km", "in", "ft", "yd", "mi"], states: [.measurement, .total, .totalIncreasing]),
        "duration": DeviceClass(units: ["s", "min", "h", "d"], states: [.measurement, .total, .totalIncreasing]),
        "energy": DeviceClass(units: ["Wh", "kWh", "MWh"], states: [.totalIncreasing, .total]),
        "energy_storage": DeviceClass(units: ["Wh", "kWh", "MWh"]),
        "frequency": DeviceClass(units: ["Hz", "kHz", "MHz", "GHz"]),
        "gas": DeviceClass(units: ["m³"], states: [.totalIncreasing, .total]),
        "humidity": DeviceClass(units: ["%"]),
        "illuminance": DeviceClass(units: ["lx"]),
        "irradiance": DeviceClass(units: ["W/m²"]),
        "moisture": DeviceClass(units: ["%"]),
        "power": DeviceClass(units: ["W", "kW"]),
        "power_factor": DeviceClass(units: ["%", nil]),
        "precipitation": DeviceClass(
            units: ["mm", "cm", "in"], states: [.measurement, .total, .totalIncreasing]),
        "precipitation_intensity": DeviceClass(units: ["mm/h", "mm/d", "in/h", "in/d"]),
        "pressure": DeviceClass(units: ["Pa", "hPa", "kPa", "bar", "cbar", "mbar", "mmHg", "inHg", "psi"]),
        "reactive_power": DeviceClass(units: ["var"]),
        "signal_strength": DeviceClass(units: ["dB", "dBm"]),
        "sound_pressure": DeviceClass(units: ["dB", "dBA"]),
        "speed": DeviceClass(units: ["m/s", "km/h", "mph", "kn", "ft/s", "mm/h", "mm/d", "in/h", "in/d"]),
        "temperature": DeviceClass(units: ["°C", "°F", "K"]),
        "volatile_organic_compounds_parts": DeviceClass(units: ["ppm", "ppb"]),
        "voltage": DeviceClass(units: ["V", "mV"]),
        "volume": DeviceClass(units: ["L", "mL", "m³", "gal", "ft³"], states: [.totalIncreasing, .total]),
        "volume_flow_rate": DeviceClass(units: ["m³/h", "L/min"]),
        "volume_storage": DeviceClass(units: ["L", "mL", "m³", "gal", "ft³"]),
        "water": DeviceClass(units: ["L", "m³", "gal", "ft³"], states: [.totalIncreasing, .total]),
        "weight": DeviceClass(
            units: ["kg", "g", "mg", "oz", "lb"], states: [.measurement, .total, .totalIncreasing]),
        "wind_speed": DeviceClass(units: ["m/s", "km/h", "mph", "kn", "ft/s"]),
    ]

    /// Those of a binary sensor.
    static let ofBooleans: Set<String> = [
        "battery", "battery_charging", "carbon_monoxide", "cold", "connectivity", "door", "garage_door", "gas", "heat",
        "light", "lock", "moisture", "motion", "moving", "occupancy", "opening", "plug", "power", "presence", "problem",
        "running", "safety", "smoke", "sound", "tamper", "update", "vibration", "window",
    ]
    static let ofSwitches: Set<String> = ["outlet", "switch"]

    /// The one that a unit stands for; nil if it may be several, and no name tells which.
    static func name(forUnit unit: String, sensor: String, channel: String?, driver: String) -> String? {
        let names = [sensor.lowercased(), channel?.lowercased() ?? ""]
        switch unit {
        case "%":
            if names.contains(where: \.isHumidity) { return "humidity" }
            return names.contains(where: \.isBatteryCharge) ? "battery" : nil
        // A battery's charge goes up and down; a meter only goes up.
        case "Wh", "kWh", "MWh": return driver == "power-supply" ? "energy_storage" : "energy"
        case "ppm": return names.contains(where: \.isCarbonDioxide) ? "carbon_dioxide" : nil
        case "dBm": return "signal_strength"
        default: return byUnit[unit]
        }
    }

    private static let byUnit: [String: String] = {
        let plain = [
            "apparent_power", "current", "data_rate", "data_size", "distance", "duration", "frequency", "illuminance",
            "irradiance", "power", "precipitation_intensity", "pressure", "reactive_power", "speed", "temperature",
            "voltage", "volume_flow_rate", "volume_storage", "weight",
        ]
        return plain.reduce(into: [:]) { units, name in
            for case let unit? in known[name]?.units ?? [] where units[unit] == nil { units[unit] = name }
        }
    }()
}
