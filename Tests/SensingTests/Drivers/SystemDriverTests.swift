import Testing

@testable import Sensing

@Suite struct SystemDriverTests {
    private static func machine() throws -> FakeTree {
        try FakeTree([
            "/proc/loadavg": "0.52 0.58 0.59 1/467 12345\n", "/proc/uptime": "350735.47 234388.90\n",
            "/proc/stat": "cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3 4\n",
            "/proc/meminfo": "MemTotal: 4000000 kB\nMemAvailable: 3000000 kB\nSwapTotal: 1000 kB\nSwapFree: 250 kB\n",
        ])
    }

    @Test("The share of busy time needs two reads; time that waits or goes back is idle") func processor() throws {
        let tree = try Self.machine()
        let driver = try make(SystemDriver.self, ["channel": "processor"], in: tree)
        #expect(try driver.values() == [:])
        try tree.write("/proc/stat", "cpu  130 0 120 840 110 0 0 0 70 0\n")
        #expect(try driver.values() == ["": "25.0 %"])
        #expect(try driver.values() == [:], "no time has passed")
        try tree.write("/proc/stat", "cpu  140 0 120 840 105 0 0 0 70 0\n")
        #expect(try driver.values() == ["": "100.0 %"])
        try tree.write("/proc/stat", "intr 5\n")
        #expect(driver.failure()?.kind == .missing)
    }

    @Test("Memory is what can still be had, and shares") func memory() throws {
        let driver = try make(
            SystemDriver.self, ["channel": ["memory_available", "memory_used", "swap_used"]], in: try Self.machine())
        #expect(
            try driver.values() == ["memory_available": "3072.0 MB", "memory_used": "25.0 %", "swap_used": "75.0 %"])
    }

    @Test(
        "Boards say what they have",
        arguments: [
            (
                Board.raspberryPi3,
                [
                    "load": "0.08", "load_5": "0.03", "load_15": "0.01", "memory_available": "778.36288 MB",
                    "memory_used": "18.39 %", "swap_used": "0.0 %", "uptime": "12180.46 s", "temperature": "46.16 °C",
                ]
            ),
            (
                .debianPC,
                [
                    "load": "0.42", "load_5": "0.37", "load_15": "0.31", "memory_available": "8308.98176 MB",
                    "memory_used": "50.0 %", "swap_used": "0.0 %", "uptime": "95735.47 s", "temperature": "47.0 °C",
                ]
            ),
        ])
    func boards(board: Board, values: [String: String]) throws {
        let seen = try make(SystemDriver.self, [:], in: try board.tree()).values()
        #expect(seen.filter { values[$0.key] != nil } == values)
        #expect(seen.count == values.count + (board.name == "Debian PC" ? 0 : 8))
    }

    @Test("The machine's own values are plausible") func own() throws {
        let values = try make(SystemDriver.self, ["channel": ["load", "memory_used", "uptime"]]).read(at: noon)
        #expect(values.map(\.channel) == ["load", "memory_used", "uptime"])
        #expect(values.allSatisfy { ($0.number ?? -1) >= 0 })
    }

    @Test(
        "The processor's temperature is its zone's, or its chip's",
        arguments: [
            (
                [
                    "/sys/class/thermal/thermal_zone3/type": "x86_pkg_temp",
                    "/sys/class/thermal/thermal_zone3/temp": "47000",
                ], "47.0 °C"
            ),
            (["/sys/class/hwmon/hwmon4/name": "k10temp", "/sys/class/hwmon/hwmon4/temp1_input": "51250"], "51.25 °C"),
            (
                [
                    "/sys/class/thermal/thermal_zone0/type": "gpu-thermal",
                    "/sys/class/thermal/thermal_zone0/temp": "1000",
                    "/sys/class/thermal/thermal_zone1/type": "cpu-thermal",
                    "/sys/class/thermal/thermal_zone1/temp": "2000",
                ], "2.0 °C"
            ),
        ] as [([String: String], String)])
    func temperature(files: [String: String], value: String) throws {
        let tree = try FakeTree()
        for (path, text) in files { try tree.write(path, "\(text)\n") }
        #expect(try make(SystemDriver.self, ["channel": "temperature"], in: tree).values() == ["": value])
    }

    @Test(
        "The firmware's word of a Raspberry Pi is taken apart",
        arguments: [
            ("0", []), ("50005", ["throttled", "throttled_occurred", "under_voltage", "under_voltage_occurred"]),
            ("0x80008", ["temperature_limited", "temperature_limited_occurred"]),
            ("20002", ["frequency_capped", "frequency_capped_occurred"]),
            ("50000", ["throttled_occurred", "under_voltage_occurred"]),
        ] as [(String, [String])])
    func throttling(word: String, so: [String]) throws {
        for place in ["soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"] {
            let tree = try FakeTree(["/sys/devices/platform/\(place)/get_throttled": "\(word)\n"])
            let values = try make(SystemDriver.self, [:], in: tree).values()
            #expect(values.count == 8)
            #expect(values.filter { $0.value == "true" }.keys.sorted() == so)
        }
    }

    @Test("Without that word the alarm of the supply speaks") func alarm() throws {
        let tree = try FakeTree([
            "/sys/class/hwmon/hwmon0/name": "other\n", "/sys/class/hwmon/hwmon0/in0_lcrit_alarm": "0\n",
            "/sys/class/hwmon/hwmon1/name": "rpi_volt\n", "/sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n",
        ])
        #expect(try make(SystemDriver.self, [:], in: tree).values() == ["under_voltage": "true"])
        let other = try make(SystemDriver.self, ["channel": ["under_voltage", "throttled"]], in: tree)
        #expect(other.failure()?.problem == #"has no channel "throttled""#)
        #expect(other.failure()?.measured.count == 1)
    }

    @Test("Garbage fails alone") func garbage() throws {
        let tree = try Self.machine()
        try tree.write("/proc/loadavg", "a b\n")
        try tree.write("/sys/devices/platform/soc/soc:firmware/get_throttled", "xyz\n")
        let error = try #require(try make(SystemDriver.self, [:], in: tree).failure())
        #expect(error.kind == .malformed)
        #expect(error.measured.map(\.channel) == ["memory_available", "memory_used", "swap_used", "uptime"])
    }

    @Test("Options are checked") func options() {
        #expect(
            problems(of: SystemDriver.self, ["channel": "cpu"]).map { String($0.prefix(49)) }
                == [#"2:11: sensor[1].channel: "cpu" is no channel: pos"#])
    }
}
