internal import Settings

/// Devices of the industrial I/O subsystem: one sensor for each, with all its channels.
struct IIOFinder: SensorFinder {
    func find(in context: DriverContext) -> [SensorCandidate] {
        let all = (try? IIODevice.all(in: context.path("/sys/bus/iio/devices"))) ?? []
        let devices = all.filter { ((try? $0.channels()) ?? []).isEmpty == false }
            .sorted { ($0.name, $0.parent ?? "") < ($1.name, $1.parent ?? "") }
        return devices.compactMap { device in
            // By its name if that is its own; a label or what it hangs on tells twins apart, if anything does.
            guard let name = device.names.first(where: { name in all.count { $0.names.contains(name) } == 1 }) else {
                return nil
            }
            return SensorCandidate(
                name: name == device.name ? name : "\(device.name)-\(name)", driver: IIODriver.name,
                options: [.init("device", .string(name))], summary: "industrial I/O device \(device.title)")
        }
    }
}
