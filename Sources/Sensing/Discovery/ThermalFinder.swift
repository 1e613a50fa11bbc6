internal import Settings

/// The kernel's thermal zones: one sensor for each type, since the numbers of zones may change from start to start.
struct ThermalFinder: SensorFinder {
    func find(in context: DriverContext) -> [SensorCandidate] {
        Self.types(in: context).map { type in
            SensorCandidate(
                name: type, driver: ThermalDriver.name, options: [.init("zone", .string(type))],
                summary: "thermal zone \(type)")
        }
    }

    /// In the order of the zones, each once.
    static func types(in context: DriverContext) -> [String] {
        var types: [String] = []
        for path in context.matches("/sys/class/thermal/thermal_zone*/type") {
            if let type = try? KernelFile.text(path), !type.isEmpty, !types.contains(type) { types.append(type) }
        }
        return types
    }
}
