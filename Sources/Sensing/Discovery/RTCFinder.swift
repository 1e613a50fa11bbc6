internal import Settings

/// Clocks with a battery: one sensor for each.
struct RTCFinder: SensorFinder {
    func find(in context: DriverContext) -> [SensorCandidate] {
        let clocks = RTCDriver.clocks(in: context.path("/sys/class/rtc"))
        return clocks.map { clock in
            // Of twins the folder's name tells.
            let isAlone = clocks.count { $0.name == clock.name } == 1
            return SensorCandidate(
                name: clock.folder, driver: RTCDriver.name,
                options: [.init("device", .string(isAlone ? clock.name : clock.folder))], summary: "clock \(clock.name)"
            )
        }
    }
}
