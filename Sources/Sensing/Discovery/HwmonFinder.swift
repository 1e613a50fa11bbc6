internal import Settings

/// Hardware monitoring chips: one sensor for each, with all its channels.
///
/// A chip that only repeats a thermal zone is left out: the kernel makes one for most zones, and calls it after the
/// zone's type (drivers/thermal/thermal_hwmon.c, with "_" for "-"). So is one that only repeats a power
/// supply, or a thermometer on a 1-Wire bus, whose own driver knows what values of it not to believe.
struct HwmonFinder: SensorFinder {
    func find(in context: DriverContext) -> [SensorCandidate] {
        let zones = ThermalFinder.types(in: context).map { String($0.map { $0 == "-" ? "_" : $0 }) }
        let supplies = (try? KernelFolder.names(in: context.path("/sys/class/power_supply"))) ?? []
        var chips: [(name: String, device: String?)] = []
        for path in context.matches("/sys/class/hwmon/hwmon*/name") {
            let folder = String(path.dropLast("/name".count))
            guard let name = try? KernelFile.text(path), !name.isEmpty, !zones.contains(name) else { continue }
            let device = KernelFolder.linkTarget("\(folder)/device")
            if let device, supplies.contains(device) || W1Thermometer.isAddress(device) { continue }
            let names = Set((try? KernelFolder.names(in: folder)) ?? [])
            guard names.contains(where: { HwmonInput(attribute: $0, among: names, in: folder) != nil }) else {
                continue
            }
            chips.append((name, device))
        }
        chips.sort { ($0.name, $0.device ?? "") < ($1.name, $1.device ?? "") }
        return chips.compactMap { chip in
            let isAlone = chips.count { $0.name == chip.name } == 1
            if isAlone {
                return SensorCandidate(
                    name: chip.name, driver: HwmonDriver.name, options: [.init("chip", .string(chip.name))],
                    summary: "hardware monitor \(chip.name)")
            }
            // Several that cannot be told apart cannot be named.
            guard let device = chip.device, chips.count(where: { $0 == chip }) == 1 else { return nil }
            return SensorCandidate(
                name: "\(chip.name)-\(device)", driver: HwmonDriver.name,
                options: [.init("chip", .string(chip.name)), .init("device", .string(device))],
                summary: "hardware monitor \(chip.name) at \(device)")
        }
    }
}
