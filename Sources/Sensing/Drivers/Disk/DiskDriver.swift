public import Settings
public import Units

/// `driver = "disk"`: how full a file system is, how busy a disk, and how worn a memory card.
///
///     [[sensor]]
///     name = "card"
///     driver = "disk"
///     mount = "/"
///     device = "mmcblk0"
///     channel = ["free", "written", "life_used"]
///
/// Options:
/// - `mount`: where a file system is mounted. Default: "/", unless there is a `device`.
/// - `device`: a disk or a part of it: "mmcblk0", "sda1", or a path that stays the same, such as
///   "/dev/disk/by-id/usb-SanDisk…".
/// - `channel`: one or several of those below. Default: all that there are.
///
/// Channels of a mount: `free` in % of what users may have (as `df`), `available`, `size` in B, `inodes` in % free (not
/// of file systems that need none), `read_only`: whether it is mounted so, as the kernel does after errors.
///
/// Channels of a device: the rates `read`, `written` in B/s and `busy` in %, from the second read on; `read_total`,
/// `written_total` in B since the start; of an eMMC also `life_used` in % of its estimated life (steps of 10; where two
/// types of cells are told apart, `life_used_b` too) and `reserve` ("normal", "warning" from 80 % of its spare blocks,
/// "urgent" from 90 %). Cards (SD) do not tell.
///
/// Failure modes: nothing is mounted there (the folder's own file system would be another's values), no such device. A
/// file system on the network that hangs makes the read time out, and stops no other sensor.
/// statvfs(3), proc_pid_mountinfo(5), Documentation/block/stat.rst, Documentation/ABI/testing/sysfs-bus-mmc;
/// JEDEC JESD84-B51 7.4.
public struct DiskDriver: SensorDriver {
    public static let name = "disk"

    private static let channels = [
        "free", "available", "size", "inodes", "read_only", "read", "written", "busy", "read_total", "written_total",
        "life_used", "life_used_b",
        "reserve",
    ]

    private let context: DriverContext
    private let mount: String?
    private let device: String?
    private let choice: ChannelChoice
    private var meter = RateMeter()
    /// For tests.
    var clock: @Sendable () -> ContinuousClock.Instant = { .now }

    public init?(_ settings: SettingsReader, context: DriverContext) {
        self.context = context
        device = settings.string("device")
        mount = settings.string("mount") ?? (device == nil && !settings.has("mount") ? "/" : nil)
        if let mount, !mount.hasPrefix("/") {
            settings.problem(at: "mount", message: "\"\(mount)\" is not absolute", mend: "begin it with /")
        }
        choice = ChannelChoice(settings, among: Self.channels)
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        var report = ChannelReport(choice, of: device ?? mount ?? "/")
        if let mount {
            do throws(SensorError) {
                try Self.add(try FileSystemSpace(mount: mount, in: context), to: &report)
            } catch {
                report.add(error)
            }
        }
        if let device {
            do throws(SensorError) {
                try add(BlockDevice(device, in: context), to: &report)
            } catch {
                report.add(error)
            }
        }
        return try report.measured()
    }

    private static func add(_ space: FileSystemSpace, to report: inout ChannelReport) throws(SensorError) {
        if let free = space.free {
            report.add("free") { () throws(SensorError) in Measurement(.number(free), unit: "%") }
        }
        report.add("available") { () throws(SensorError) in Measurement(.number(space.available), unit: "B") }
        report.add("size") { () throws(SensorError) in Measurement(.number(space.size), unit: "B") }
        if let inodes = space.freeInodes {
            report.add("inodes") { () throws(SensorError) in Measurement(.number(inodes), unit: "%") }
        }
        report.add("read_only") { () throws(SensorError) in Measurement(.boolean(space.isReadOnly)) }
    }

    private mutating func add(_ device: BlockDevice, to report: inout ChannelReport) throws(SensorError) {
        let counts = try device.counts()
        meter.begin(at: clock())
        let read = meter.rate(of: "\(device.name).read", counts.read)
        let written = meter.rate(of: "\(device.name).written", counts.written)
        let busy = meter.rate(of: "\(device.name).busy", counts.busy)
        report.add("read") { () throws(SensorError) in read.map { Measurement(.number($0), unit: "B/s") } }
        report.add("written") { () throws(SensorError) in written.map { Measurement(.number($0), unit: "B/s") } }
        report.add("busy") { () throws(SensorError) in
            busy.map { Measurement(.number(min($0, 1).percentage(of: 1) ?? 0), unit: "%") }
        }
        report.add("read_total") { () throws(SensorError) in Measurement(.number(counts.read), unit: "B") }
        report.add("written_total") { () throws(SensorError) in Measurement(.number(counts.written), unit: "B") }
        for (name, used) in zip(["life_used", "life_used_b"], try device.lifeUsed()) {
            guard let used else { continue }
            report.add(name) { () throws(SensorError) in used }
        }
        if let reserve = try device.reserve() {
            report.add("reserve") { () throws(SensorError) in Measurement(.text(reserve)) }
        }
    }
}
