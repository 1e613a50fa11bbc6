public import Settings
public import Units

/// `driver = "hwmon"`: hardware monitoring chips: temperatures, voltages, currents, powers, energies, humidities, fans.
///
///     [[sensor]]
///     name = "disk"
///     driver = "hwmon"
///     chip = "nvme"
///     channel = "Composite"
///
/// Options:
/// - `chip`: the chip's name, as in `/sys/class/hwmon/hwmon*/name`. (The number in `hwmon0` changes from start to
///   start.)
/// - `device`: which one, where several chips have that name: what the chip's `device` link points to ("nvme0",
///   "0-0048").
/// - `channel`: one input, by name ("temp1", "in0", "fan2") or by its label ("Composite"). Default: all inputs, a
///   channel each, called after its label if it has one of its own, else after its name.
///
/// Values are in °C, V, A, W, J, % (relative humidity) and rpm. A chip that gives only the average of a power gives
/// that.
///
/// Failure modes: no such chip, device or channel (the error lists those there are); the input is switched off
/// (ENODATA: left out if others give a value), reports a fault, or does not answer.
/// Documentation/hwmon/sysfs-interface.rst: m°C, mV, mA, µW, µJ, m%, RPM.
public struct HwmonDriver: SensorDriver {
    public static let name = "hwmon"

    private let context: DriverContext
    private let chip: String
    private let device: String?
    private let channel: String?

    public init?(_ settings: SettingsReader, context: DriverContext) {
        let chip = settings.requiredString("chip")
        self.context = context
        device = settings.string("device")
        channel = settings.string("channel")
        guard let chip else { return nil }
        self.chip = chip
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let folder = try findChip()
        let inputs = try inputs(in: folder)
        guard !inputs.isEmpty else { throw SensorError(.missing, folder, "(\(chip)) has no input") }

        if let channel {
            let named = inputs.filter { $0.name == channel }
            let chosen = named.isEmpty ? inputs.filter { $0.label == channel } : named
            switch chosen.count {
            case 0:
                throw SensorError(
                    .missing, folder, "(\(chip)) has no channel \"\(channel)\"", mend: "it has \(Self.list(inputs))")
            case 1: return [try chosen[0].measure(channel: nil)]
            default:
                throw SensorError(
                    .ambiguous, folder, "(\(chip)) has several channels \"\(channel)\"",
                    mend: "name one of \(Self.list(chosen))")
            }
        }

        let labels = inputs.reduce(into: [:]) { $0[$1.label ?? $1.name, default: 0] += 1 }
        return try SensorError.collect(
            inputs.map { input in
                let channel = input.label.flatMap { labels[$0] == 1 ? $0 : nil } ?? input.name
                return Result { () throws(SensorError) in try input.measure(channel: channel) }.of(channel)
            })
    }

    private func findChip() throws(SensorError) -> String {
        let place = context.path("/sys/class/hwmon")
        var known: [String] = []
        var fitting: [(folder: String, device: String?)] = []
        for entry in try KernelFolder.names(in: place) {
            let folder = "\(place)/\(entry)"
            // A chip may go while we look.
            guard let name = try? KernelFile.text("\(folder)/name") else { continue }
            let device = KernelFolder.linkTarget("\(folder)/device")
            known.append(name + (device.map { " (\($0))" } ?? ""))
            if name == chip, self.device == nil || self.device == device { fitting.append((folder, device)) }
        }
        switch fitting.count {
        case 1: return fitting[0].folder
        case 0:
            throw SensorError(
                .missing, place, "has no chip \"\(chip)\"" + (device.map { " with device \"\($0)\"" } ?? ""),
                mend: known.isEmpty ? "it has none at all" : "it has \(known.joined(separator: ", "))")
        default:
            let devices = fitting.map { $0.device ?? "?" }.joined(separator: ", ")
            throw SensorError(
                .ambiguous, place, "has \(fitting.count) chips \"\(chip)\"", mend: "name its device: one of \(devices)")
        }
    }

    private func inputs(in folder: String) throws(SensorError) -> [HwmonInput] {
        let names = Set(try KernelFolder.names(in: folder))
        return names.compactMap { HwmonInput(attribute: $0, among: names, in: folder) }.sorted()
    }

    private static func list(_ inputs: [HwmonInput]) -> String {
        inputs.map { $0.name + ($0.label.map { " (\($0))" } ?? "") }.joined(separator: ", ")
    }
}
