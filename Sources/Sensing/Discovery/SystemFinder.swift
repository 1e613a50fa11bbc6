internal import Settings

/// The board itself: how busy it is and how much memory is left, and of a Raspberry Pi whether its supply holds.
struct SystemFinder: SensorFinder {
    func find(in context: DriverContext) -> [SensorCandidate] {
        let all = [
            ("load", "load", "processes that run or wait to, mean of a minute"),
            ("memory", "memory_available", "memory that is available"),
            ("under-voltage", "under_voltage", "whether the board's supply is too weak"),
            ("throttled", "throttled", "whether the processor is slowed down by heat or supply"),
        ]
        let there = SystemDriver.firstChannels(in: context)
        return all.filter { there.contains($0.1) }.map { name, channel, summary in
            SensorCandidate(
                name: name, driver: SystemDriver.name, options: [.init("channel", .string(channel))], summary: summary)
        }
    }
}
