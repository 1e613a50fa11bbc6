internal import Settings

/// Batteries, chargers and mains: one sensor for each.
struct PowerSupplyFinder: SensorFinder {
    func find(in context: DriverContext) -> [SensorCandidate] {
        let place = context.path("/sys/class/power_supply")
        return ((try? KernelFolder.names(in: place)) ?? []).map { supply in
            let type = (try? KernelFile.text("\(place)/\(supply)/type")) ?? "power supply"
            return SensorCandidate(
                name: supply, driver: PowerSupplyDriver.name, options: [.init("supply", .string(supply))],
                summary: "power supply \(supply) (\(type))")
        }
    }
}
