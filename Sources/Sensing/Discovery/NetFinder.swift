internal import Settings

/// Network interfaces that are devices: one sensor for each.
struct NetFinder: SensorFinder {
    func find(in context: DriverContext) -> [SensorCandidate] {
        NetDriver.physical(in: context.path("/sys/class/net")).map { interface in
            SensorCandidate(
                name: interface, driver: NetDriver.name, options: [.init("interface", .string(interface))],
                summary: "network interface \(interface)")
        }
    }
}
