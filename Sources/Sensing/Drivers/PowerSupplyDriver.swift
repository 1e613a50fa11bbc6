public import Settings
public import Units

/// `driver = "power-supply"`: batteries, chargers and mains, with all that they tell of themselves.
///
///     [[sensor]]
///     name = "battery"
///     driver = "power-supply"
///     supply = "BAT0"
///     channel = ["capacity", "status", "voltage"]
///
/// Options:
/// - `supply`: its name, as in `/sys/class/power_supply`.
/// - `channel`: one or several of those below. Default: all that it has.
///
/// Channels: `capacity` in %; `voltage`, `voltage_mean`, `voltage_full`, `voltage_empty` in V; `current`,
/// `current_mean`, `current_limit` in A; `power` in W; `energy`, `energy_full`, `energy_design` in Wh; `charge`,
/// `charge_full`, `charge_design`, `charge_counter` in Ah; `temperature`, `ambient` in °C; `time_to_empty`,
/// `time_to_full` in s; `cycles`; `online`, `present`, true or false; `status` ("Charging", "Discharging", "Full" …),
/// `health`, `level`, as text.
///
/// Failure modes: no such supply (the error lists those there are); a value that the device has not at present
/// (ENODATA, ENODEV, as of a battery that was taken out: left out if others give one). A capacity beyond 100 % is out
/// of range. Documentation/ABI/testing/sysfs-class-power: µV, µA, µW, µWh, µAh, 0.1 °C.
public struct PowerSupplyDriver: SensorDriver {
    public static let name = "power-supply"

    private enum Kind {
        case number(unit: String?, divisor: Double)
        case boolean
        case text
    }

    private static let channels: KeyValuePairs<String, (attribute: String, kind: Kind)> = [
        "capacity": ("capacity", .number(unit: "%", divisor: 1)),
        "voltage": ("voltage_now", .number(unit: "V", divisor: 1_000_000)),
        "voltage_mean": ("voltage_avg", .number(unit: "V", divisor: 1_000_000)),
        "voltage_full": ("voltage_max_design", .number(unit: "V", divisor: 1_000_000)),
        "voltage_empty": ("voltage_min_design", .number(unit: "V", divisor: 1_000_000)),
        "current": ("current_now", .number(unit: "A", divisor: 1_000_000)),
        "current_mean": ("current_avg", .number(unit: "A", divisor: 1_000_000)),
        "current_limit": ("current_max", .number(unit: "A", divisor: 1_000_000)),
        "power": ("power_now", .number(unit: "W", divisor: 1_000_000)),
        "energy": ("energy_now", .number(unit: "Wh", divisor: 1_000_000)),
        "energy_full": ("energy_full", .number(unit: "Wh", divisor: 1_000_000)),
        "energy_design": ("energy_full_design", .number(unit: "Wh", divisor: 1_000_000)),
        "charge": ("charge_now", .number(unit: "Ah", divisor: 1_000_000)),
        "charge_full": ("charge_full", .number(unit: "Ah", divisor: 1_000_000)),
        "charge_design": ("charge_full_design", .number(unit: "Ah", divisor: 1_000_000)),
        "charge_counter": ("charge_counter", .number(unit: "Ah", divisor: 1_000_000)),
        "temperature": ("temp", .number(unit: "°C", divisor: 10)),
        "ambient": ("temp_ambient", .number(unit: "°C", divisor: 10)),
        "time_to_empty": ("time_to_empty_now", .number(unit: "s", divisor: 1)),
        "time_to_full": ("time_to_full_now", .number(unit: "s", divisor: 1)),
        "cycles": ("cycle_count", .number(unit: nil, divisor: 1)),
        "online": ("online", .boolean),
        "present": ("present", .boolean),
        "status": ("status", .text),
        "health": ("health", .text),
        "level": ("capacity_level", .text),
    ]

    private let context: DriverContext
    private let supply: String
    private let choice: ChannelChoice

    public init?(_ settings: SettingsReader, context: DriverContext) {
        let supply = settings.requiredString("supply")
        self.context = context
        choice = ChannelChoice(settings, among: Self.channels.map(\.key))
        guard let supply else { return nil }
        self.supply = supply
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let place = context.path("/sys/class/power_supply")
        let known = try KernelFolder.names(in: place)
        guard known.contains(supply) else {
            throw SensorError(
                .missing, place, "has no supply \"\(supply)\"",
                mend: known.isEmpty ? "it has none at all" : "it has \(known.joined(separator: ", "))")
        }
        let folder = "\(place)/\(supply)"
        let attributes = Set(try KernelFolder.names(in: folder))
        var report = ChannelReport(choice, of: folder)
        for (name, (attribute, kind)) in Self.channels where attributes.contains(attribute) {
            report.add(name) { () throws(SensorError) in try Self.measure("\(folder)/\(attribute)", kind) }
        }
        return try report.measured()
    }

    private static func measure(_ path: String, _ kind: Kind) throws(SensorError) -> Measurement {
        do throws(SensorError) {
            switch kind {
            case .number(let unit, let divisor):
                let value = try KernelFile.number(path) / divisor
                let quality: Quality =
                    unit == "%" && !(0...100).contains(value) ? .outOfRange("no part of 100 %") : .good
                return Measurement(.number(value), unit: unit, quality: quality)
            case .boolean: return Measurement(.boolean(try KernelFile.number(path) != 0))
            case .text: return Measurement(.text(try KernelFile.text(path)))
            }
        } catch let error where error.kind == .missing {
            // It was listed: with ENODEV the kernel says that a property has no value now.
            throw SensorError(.disabled, path, "has no value", mend: "is the battery in its place?")
        }
    }
}
