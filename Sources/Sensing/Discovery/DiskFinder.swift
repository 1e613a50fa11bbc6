internal import Settings
internal import Units

/// File systems on disks, and the disks: one sensor for each.
struct DiskFinder: SensorFinder {
    func find(in context: DriverContext) -> [SensorCandidate] {
        var seen: Set<String> = []
        let mounts = (Mount.all(in: context) ?? []).filter { $0.isOnDisk && seen.insert($0.source).inserted }
        let spaces = mounts.map { mount in
            SensorCandidate(
                name: mount.point == "/" ? "disk" : "disk\(mount.point)", driver: DiskDriver.name,
                options: [.init("mount", .string(mount.point))],
                summary: "file system at \(mount.point) (\(mount.type))")
        }
        let place = context.path("/sys/class/block")
        let disks = ((try? KernelFolder.names(in: place)) ?? []).filter { name in
            // What has no device behind it is a part of another, memory or a file. Boot areas of an eMMC, and optical
            // disks, are hardly ever written.
            !KernelFolder.linkComponents("\(place)/\(name)/device").isEmpty && !name.includes("boot")
                && !name.hasPrefix("sr")
        }
        return spaces
            + disks.map { name in
                SensorCandidate(
                    name: name, driver: DiskDriver.name, options: [.init("device", .string(name))],
                    summary: "disk \(name)")
            }
    }
}
