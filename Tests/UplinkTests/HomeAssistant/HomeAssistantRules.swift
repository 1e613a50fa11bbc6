import Units

/// Home Assistant's published rules for discovery messages: the options of its MQTT components, and the units and state
/// classes of its device classes (documentation and sensor component of 2025.10). Written down for the tests, apart
/// from what the profile goes by.
enum HomeAssistantRules {
    private static let shared: Set<String> = [
        "name", "unique_id", "default_entity_id", "availability", "device", "origin", "qos", "icon", "entity_category",
        "enabled_by_default", "device_class", "json_attributes_topic", "json_attributes_template",
    ]

    private static let components: [String: (required: Set<String>, optional: Set<String>)] = [
        "sensor": (
            ["state_topic"], ["value_template", "unit_of_measurement", "state_class", "expire_after", "force_update"]
        ),
        "binary_sensor": (
            ["state_topic"], ["value_template", "payload_on", "payload_off", "expire_after", "off_delay"]
        ),
        "switch": (
            ["command_topic"],
            ["state_topic", "value_template", "payload_on", "payload_off", "state_on", "state_off", "retain"]
        ),
        "number": (
            ["command_topic"],
            ["state_topic", "value_template", "command_template", "min", "max", "step", "mode", "unit_of_measurement"]
        ),
        "button": (["command_topic"], ["payload_press", "command_template", "retain"]),
    ]

    private static let units: [String: Set<String>] = [
        "aqi": ["no unit"], "carbon_monoxide": ["ppm"], "gas": ["CCF", "ft³", "m³"], "power_factor": ["%", "no unit"],
        "precipitation": ["cm", "in", "mm"], "sound_pressure": ["dB", "dBA"],
        "volatile_organic_compounds_parts": ["ppm", "ppb"],
        "volume": ["L", "mL", "gal", "fl. oz.", "m³", "ft³", "CCF", "MCF"],
        "water": ["L", "gal", "m³", "ft³", "CCF", "MCF"],
        "wind_speed": ["ft/s", "km/h", "kn", "m/s", "mph"],
        "apparent_power": ["mVA", "VA", "kVA"], "battery": ["%"], "carbon_dioxide": ["ppm"],
        "current": ["A", "mA"],
        "data_rate": [
            "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "B/s", "kB/s", "MB/s", "GB/s", "KiB/s", "MiB/s", "GiB/s",
        ],
        "data_size": ["bit", "kbit", "Mbit", "Gbit", "B", "kB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB"],
        "distance": ["km", "m", "cm", "mm", "mi", "nmi", "yd", "ft", "in"], "duration": ["d", "h", "min", "s", "ms"],
        "energy": ["J", "kJ", "MJ", "GJ", "mWh", "Wh", "kWh", "MWh", "GWh", "TWh", "cal", "kcal", "Mcal", "Gcal"],
        "energy_storage": [
            "J", "kJ", "MJ", "GJ", "mWh", "Wh", "kWh", "MWh", "GWh", "TWh", "cal", "kcal", "Mcal", "Gcal",
        ],
        "frequency": ["Hz", "kHz", "MHz", "GHz"], "humidity": ["%"], "illuminance": ["lx"],
        "irradiance": ["W/m²", "BTU/(h⋅ft²)"], "moisture": ["%"],
        "power": ["mW", "W", "kW", "MW", "GW", "TW", "BTU/h"],
        "precipitation_intensity": ["in/d", "in/h", "mm/d", "mm/h"],
        "pressure": ["mPa", "Pa", "hPa", "kPa", "bar", "cbar", "mbar", "mmHg", "inHg", "inH₂O", "psi"],
        "reactive_power": ["mvar", "var", "kvar"], "signal_strength": ["dB", "dBm"],
        "speed": ["ft/s", "in/d", "in/h", "in/s", "km/h", "kn", "m/s", "mph", "mm/d", "mm/s", "mm/h"],
        "temperature": ["°C", "°F", "K"], "voltage": ["V", "mV", "kV", "MV"],
        "volume_flow_rate": ["m³/h", "m³/min", "m³/s", "L/h", "L/min", "L/s", "mL/s"],
        "volume_storage": ["L", "mL", "gal", "fl. oz.", "m³", "ft³", "CCF", "MCF"],
        "weight": ["kg", "g", "mg", "oz", "lb", "st"],
    ]

    private static let manyStates: Set<String> = ["data_size", "distance", "duration", "precipitation", "weight"]
    private static let totals: Set<String> = ["energy", "gas", "volume", "water"]

    /// What Home Assistant would have against a message.
    static func problems(_ topic: String, _ message: JSON) -> [String] {
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard levels.count == 5, levels[4] == "config", let rules = components[levels[1]] else {
            return ["topic \(topic)"]
        }
        let identifiers = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
        var problems = levels[2...3].filter { $0.isEmpty || !$0.allSatisfy(identifiers.contains) }.map { "id \($0)" }
        let names = (message.object ?? []).map(\.name)
        if Set(names).count != names.count { problems.append("a member stands twice") }
        problems += rules.required.union(["unique_id", "device", "origin"]).subtracting(names).map {
            "\($0) is missing"
        }
        problems += Set(names).subtracting(shared).subtracting(rules.required).subtracting(rules.optional)
            .map { "\($0) is unknown" }
        if message["device"]?["identifiers"]?[0]?.string?.isEmpty != false { problems.append("no identifier") }
        if message["origin"]?["name"]?.string == nil { problems.append("no origin") }
        let entity = message["default_entity_id"]?.string ?? ""
        if !entity.hasPrefix("\(levels[1])."), entity != "" { problems.append("entity id \(entity)") }
        if let category = message["entity_category"]?.string,
            !(category == "diagnostic" || category == "config" && ["switch", "number", "button"].contains(levels[1]))
        {
            problems.append("category \(category)")
        }
        for name in names where name.hasSuffix("_topic") {
            guard let topic = message[name]?.string, !topic.isEmpty, !topic.contains("+"), !topic.contains("#") else {
                problems.append("\(name) is no topic")
                continue
            }
        }
        if levels[1] == "sensor" { problems += self.problems(ofSensor: message) }
        return problems
    }

    private static func problems(ofSensor message: JSON) -> [String] {
        let state = message["state_class"]?.string
        var problems: [String] = []
        if let state, !["measurement", "total", "total_increasing"].contains(state) {
            problems.append("state \(state)")
        }
        guard let name = message["device_class"]?.string else { return problems }
        guard let units = units[name] else { return problems + ["class \(name)"] }
        let unit = message["unit_of_measurement"]?.string ?? "no unit"
        if !units.contains(unit) { problems.append("\(unit) of \(name)") }
        let allowed: Set<String?> =
            totals.contains(name)
            ? ["total", "total_increasing"]
            : manyStates.contains(name) ? ["measurement", "total", "total_increasing"] : ["measurement"]
        if !allowed.contains(state) { problems.append("\(state ?? "no state class") of \(name)") }
        return problems
    }
}
