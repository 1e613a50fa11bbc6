import Glibc
import Settings
import Testing

@testable import Sensing

@Suite struct DiskDriverTests {
    private static let block = "/sys/class/block/mmcblk0"

    private static func stat(read: Int, written: Int, busy: Int) -> String {
        "   143210     5120 \(read)    52110    81200     9120  \(written)   120110        0    \(busy)   172220 0 0 0 0 0 0\n"
    }

    private static func card() throws -> FakeTree {
        let tree = try FakeTree(["\(block)/stat": stat(read: 100, written: 200, busy: 1000)])
        try tree.link("/dev/disk/by-id/mmc-SL32G", to: "../../mmcblk0")
        return tree
    }

    private static func driver(_ options: Options, in tree: FakeTree) throws -> (Probe<DiskDriver>, Shared<Duration>) {
        let probe = try make(DiskDriver.self, options, in: tree)
        let elapsed = Shared(Duration.zero)
        let start = ContinuousClock.now
        probe.driver.clock = { start + elapsed.current }
        return (probe, elapsed)
    }

    @Test("The machine's own root has room, as statvfs says") func space() throws {
        var status = statvfs()
        #expect(statvfs("/", &status) == 0)
        let driver = try make(DiskDriver.self, [:])
        let values = try driver.values()
        #expect(values["size"] == "\(Double(status.f_blocks) * Double(status.f_frsize)) B")
        let free = try #require(driver.read(at: noon).first { $0.channel == "free" }?.number)
        #expect((0...100).contains(free))
        #expect(values["read_only"] == (Int(status.f_flag) & Int(ST_RDONLY) != 0 ? "true" : "false"))
        #expect(try make(DiskDriver.self, ["channel": "free"]).read(at: noon).map(\.channel) == [nil])
    }

    @Test("A folder on which nothing is mounted is no mount, whatever it is in") func noMount() throws {
        let tree = try FakeTree([
            "/proc/self/mountinfo": """
            25 30 0:23 / /proc rw,relatime shared:5 - proc proc rw
            30 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw
            44 30 8:1 / /media/my\\040stick rw,relatime - vfat /dev/sda1 rw

            """
        ])
        try tree.makeFolder("/media/backup")
        try tree.makeFolder("/media/my stick")
        let absent = try make(DiskDriver.self, ["mount": "/media/backup"], in: tree)
        #expect(
            absent.failure()?.text(in: tree)
                == "/media/backup is not where something is mounted; mounted are /, /media/my stick")
        #expect(
            try make(DiskDriver.self, ["mount": "/media/my stick/", "channel": "size"], in: tree).values().count == 1)
        #expect(try make(DiskDriver.self, ["channel": "size"], in: tree).values().count == 1)
    }

    @Test(
        "Lines of mountinfo",
        arguments: [
            (
                "36 35 98:0 / /mnt/a\\040b\\134c rw,noatime shared:1 master:2 - ext3 /dev/root rw",
                ["/mnt/a b\\c", "ext3", "/dev/root"]
            ),
            ("36 35 98:0 /x / rw - ext4 /dev/sda1 rw", ["/", "ext4", "/dev/sda1"]),
            ("36 35 98:0 / /caf\\303\\251\\0 rw - btrfs /dev/sda1 rw", ["/café\\0", "btrfs", "/dev/sda1"]),
            ("36 35 98:0 / - ext4 /dev/sda1 rw", nil), ("36 35 98:0 / / rw shared:1", nil), ("", nil), ("a - b", nil),
        ] as [(String, [String]?)])
    func mounts(line: String, parts: [String]?) {
        #expect(Mount(line[...]).map { [$0.point, $0.type, $0.source] } == parts)
    }

    @Test("A device's counters become rates, from the second read on") func rates() throws {
        let tree = try Self.card()
        let (driver, elapsed) = try Self.driver(["device": "mmcblk0"], in: tree)
        #expect(try driver.values() == ["read_total": "51200.0 B", "written_total": "102400.0 B"])
        try tree.write("\(Self.block)/stat", Self.stat(read: 120, written: 300, busy: 1250))
        elapsed.change { $0 = .seconds(1) }
        #expect(
            try driver.values() == [
                "read_total": "61440.0 B", "written_total": "153600.0 B", "read": "10240.0 B/s",
                "written": "51200.0 B/s",
                "busy": "25.0 %",
            ])
        // Time that the kernel counted in between is no more than all.
        try tree.write("\(Self.block)/stat", Self.stat(read: 120, written: 300, busy: 2260))
        elapsed.change { $0 = .seconds(2) }
        #expect(try driver.values()["busy"] == "100.0 %")
    }

    @Test("A path that stays the same leads to the device of today") func byPath() throws {
        let tree = try Self.card()
        for device: Value.Kind in ["/dev/disk/by-id/mmc-SL32G", "/dev/mmcblk0", "mmcblk0"] {
            let driver = try make(DiskDriver.self, ["device": device, "channel": "read_total"], in: tree)
            #expect(try driver.values() == ["": "51200.0 B"])
        }
        let absent = try make(DiskDriver.self, ["device": "/dev/disk/by-id/usb-stick"], in: tree)
        #expect(
            absent.failure()?.text(in: tree)
                == #"/sys/class/block has no device "/dev/disk/by-id/usb-stick"; it has mmcblk0"#)
        try tree.write("\(Self.block)/stat", "1 2 3\n")
        #expect(try make(DiskDriver.self, ["device": "mmcblk0"], in: tree).failure()?.kind == .malformed)
    }

    @Test(
        "An eMMC tells how much it has behind it",
        arguments: [
            ("0x01 0x02", "0x01", ["life_used": "10.0 %", "life_used_b": "20.0 %", "reserve": "normal"]),
            ("0x0a 0x00", "0x02", ["life_used": "100.0 %", "reserve": "warning"]),
            ("0x0b 0x0b", "0x03", ["life_used": "100.0 %", "life_used_b": "100.0 %", "reserve": "urgent"]),
            ("0x00 0x00", "0x00", [:]),
        ] as [(String, String, [String: String])])
    func life(time: String, reserve: String, values: [String: String]) throws {
        let tree = try Self.card()
        try tree.write("\(Self.block)/device/life_time", "\(time)\n")
        try tree.write("\(Self.block)/device/pre_eol_info", "\(reserve)\n")
        let driver = try make(DiskDriver.self, ["device": "mmcblk0"], in: tree)
        var measured = try driver.values()
        measured["read_total"] = nil
        measured["written_total"] = nil
        #expect(measured == values)
        let quality = try driver.read(at: noon).first { $0.channel == "life_used" }?.quality
        #expect(quality.map { $0 == .good } == (time.hasPrefix("0x0b") ? false : values.isEmpty ? nil : true))
    }

    @Test("A mount and a device stand in one sensor, and fail apart") func both() throws {
        let tree = try Self.card()
        try tree.makeFolder("/data")
        let driver = try make(
            DiskDriver.self, ["mount": "/data", "device": "sda", "channel": ["size", "read_total"]], in: tree)
        let error = try #require(driver.failure())
        #expect(error.measured.map(\.channel) == ["size"])
        #expect(error.problem.hasPrefix(#"has no device "sda""#))
    }

    @Test("Options are checked") func options() {
        #expect(
            problems(of: DiskDriver.self, ["mount": "data", "channel": "used", "path": "/"]) == [
                #"2:9: sensor[1].mount: "data" is not absolute: begin it with /"#,
                #"3:11: sensor[1].channel: "used" is no channel: possible are free, available, size, inodes, read_only, read, written, busy, read_total, written_total, life_used, life_used_b, reserve"#,
                "4:1: sensor[1].path: unknown key: known here are also device",
            ])
    }
}
