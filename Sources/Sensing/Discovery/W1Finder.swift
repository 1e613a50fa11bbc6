internal import Settings

/// Thermometers on 1-Wire buses: one sensor for each, named by the number that is burnt into it.
struct W1Finder: SensorFinder {
    func find(in context: DriverContext) -> [SensorCandidate] {
        let all = (try? W1Thermometer.all(in: context.path("/sys/bus/w1/devices"))) ?? []
        return all.map { thermometer in
            SensorCandidate(
                name: thermometer.address, driver: W1Driver.name,
                options: [.init("device", .string(thermometer.address))],
                summary: "1-Wire thermometer \(thermometer.address)")
        }
    }
}
