internal import Settings

/// What every Linux knows of itself: how busy it is, and how much memory is left.
struct SystemFinder: SensorFinder {
    func find(in context: DriverContext) -> [SensorCandidate] {
        let all = [
            SensorCandidate(
                name: "load", driver: FileDriver.name,
                options: [.init("path", .string("/proc/loadavg")), .init("pattern", .string("^[0-9.]+"))],
                summary: "processes that run or wait to, mean of a minute"),
            SensorCandidate(
                name: "memory", driver: FileDriver.name,
                options: [
                    .init("path", .string("/proc/meminfo")),
                    .init("pattern", .string("^MemAvailable: +([0-9]+) kB")), .init("scale", .number(0.001024)),
                    .init("unit", .string("MB")),
                ],
                summary: "memory that is available"),
        ]
        return all.filter { candidate in
            guard case .string(let path)? = candidate.options.first?.value else { return false }
            return (try? KernelFile.text(context.path(path))) != nil
        }
    }
}
