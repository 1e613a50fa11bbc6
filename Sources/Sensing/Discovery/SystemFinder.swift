internal import Settings

/// The board itself: load, memory, uptime, and what it tells of its supply.
struct SystemFinder: SensorFinder {
    func find(in context: DriverContext) -> [SensorCandidate] {
        guard (try? KernelFile.text(context.path("/proc/loadavg"))) != nil else { return [] }
        return [
            SensorCandidate(
                name: "system", driver: SystemDriver.name, options: [],
                summary: "load, memory, uptime and temperature of the board")
        ]
    }
}
