import Testing
import Units

@testable import Sensing

/// Files that fail, vanish and block as those of the kernel do, under the drivers, the discovery and the runner.
@Suite(
    .serialized,
    .enabled("needs to mount a file system (/dev/fuse; root, or user namespaces)", { await FaultyFiles.isPossible() }),
    .timeLimit(.minutes(2)))
struct FaultyFilesTests {
    private func read<Driver: SensorDriver>(
        _ driver: Driver.Type, _ options: Options, _ files: KeyValuePairs<String, String>
    ) async throws -> (measured: [String], error: SensorError?, text: String) {
        let tree = try FakeTree(files)
        return try await FaultyFiles.show(tree) { root in
            let result = try await self.result(driver, options, root: root)
            let measured = result.readings.map { Measurement($0.value, unit: $0.unit).text }
            return (measured, result.error, result.error?.text(under: root) ?? "")
        }
    }

    /// One read, on a thread that may wait.
    private func result<Driver: SensorDriver>(
        _ driver: Driver.Type, _ options: Options, root: String
    ) async throws -> SensorResult {
        let driver = try make(driver, options, root: root).driver
        let sensor = ConfiguredSensor(name: "s", every: .seconds(10), timeout: .seconds(30), driver: driver)
        return try #require(await SensorRunner([sensor]).readOnce().first)
    }

    @Test(
        "What errno says is told in words",
        arguments: [
            ("EIO", SensorError.Kind.unavailable, "gave no answer from its device (EIO: Input/output error)"),
            ("ETIMEDOUT", .unavailable, "gave no answer from its device (ETIMEDOUT: Connection timed out)"),
            ("EAGAIN", .unavailable, "has no value yet (EAGAIN: Resource temporarily unavailable)"),
            ("ENODATA", .disabled, "has no value (ENODATA: No data available)"),
            ("EBUSY", .busy, "is in use (EBUSY: Device or resource busy)"),
            ("ENODEV", .missing, "has lost its device (ENODEV)"),
            ("EINVAL", .unavailable, "could not be read (EINVAL: Invalid argument)"),
        ])
    func errors(name: String, kind: SensorError.Kind, problem: String) async throws {
        let seen = try await read(FileDriver.self, ["path": "/sys/x"], ["/sys/x": "!read \(name)\n"])
        #expect(seen.error?.kind == kind)
        #expect(seen.error?.problem == problem)
    }

    @Test("An ultrasonic sensor without an echo says so", arguments: ["EIO", "ETIMEDOUT"])
    func echo(name: String) async throws {
        let folder = "/sys/bus/iio/devices/iio:device0"
        let seen = try await read(
            IIODriver.self, ["device": "srf04", "channel": "distance"],
            [
                "\(folder)/name": "srf04\n", "\(folder)/in_distance_raw": "!read \(name)\n",
                "\(folder)/in_distance_scale": "0.001\n",
            ])
        #expect(seen.error?.kind == .unavailable)
        #expect(seen.error?.mend?.hasPrefix("without an echo there is no distance") == true)
    }

    @Test("A clock that lost its time says so, and one that does not answer something else") func clock() async throws {
        let lost = try await read(
            RTCDriver.self, [:],
            ["/sys/class/rtc/rtc0/name": "ds1307\n", "/sys/class/rtc/rtc0/since_epoch": "!read EINVAL\n"])
        #expect(lost.text.hasPrefix("/sys/class/rtc/rtc0/since_epoch has no valid time; set it (hwclock -w)"))
        let silent = try await read(
            RTCDriver.self, [:],
            ["/sys/class/rtc/rtc0/name": "ds1307\n", "/sys/class/rtc/rtc0/since_epoch": "!read EIO\n"])
        #expect(silent.error?.problem.hasPrefix("gave no answer") == true)
    }

    @Test("A battery that was taken out leaves its other properties") func battery() async throws {
        let folder = "/sys/class/power_supply/BAT0"
        let seen = try await read(
            PowerSupplyDriver.self, ["supply": "BAT0"],
            [
                "\(folder)/voltage_now": "!read ENODEV\n", "\(folder)/status": "!read ENODATA\n",
                "\(folder)/present": "0\n",
            ])
        #expect(seen.measured == ["false"] && seen.error == nil)
        let all = try await read(
            PowerSupplyDriver.self, ["supply": "BAT0"], ["\(folder)/voltage_now": "!read ENODEV\n"])
        #expect(all.error?.kind == .disabled)
    }

    @Test("What vanishes between listing and reading is missed, and no more") func vanishing() async throws {
        let seen = try await read(
            ThermalDriver.self, [:],
            [
                "/sys/class/thermal/thermal_zone0/type": "!vanish\n", "/sys/class/thermal/thermal_zone0/temp": "1\n",
                "/sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
                "/sys/class/thermal/thermal_zone1/temp": "48000\n",
            ])
        #expect(seen.measured == ["48.0 °C"] && seen.error == nil)
        let net = try await read(
            NetDriver.self, ["interface": "usb0", "channel": ["state", "carrier"]],
            ["/sys/class/net/usb0/operstate": "!vanish\n", "/sys/class/net/usb0/carrier": "!vanish\n"])
        #expect(net.error?.kind == .missing)
        let probe = try await read(
            W1Driver.self, [:],
            [
                "/sys/bus/w1/devices/28-0000075d6ab2/temperature": "!vanish\n",
                "/sys/bus/w1/devices/28-00000a1b2c3d/temperature": "20000\n",
            ])
        #expect(probe.measured == ["20.0 °C"])
        #expect(probe.error?.kind == .missing)
    }

    @Test("What was not ready is read the next time") func onceMore() async throws {
        let tree = try FakeTree([
            "/sys/class/hwmon/hwmon0/name": "x\n", "/sys/class/hwmon/hwmon0/temp1_input": "!once EAGAIN\n42000\n",
        ])
        try await FaultyFiles.show(tree) { root in
            let driver = try make(HwmonDriver.self, ["chip": "x"], root: root)
            #expect(driver.failure()?.kind == .unavailable)
            #expect(try driver.values() == ["temp1": "42.0 °C"])
        }
    }

    @Test(
        "What does not take a value refuses it",
        arguments: [
            ("EINVAL", SensorError.Kind.rejected), ("EBUSY", .busy), ("EACCES", .forbidden), ("EIO", .unavailable),
        ])
    func writing(name: String, kind: SensorError.Kind) async throws {
        let tree = try FakeTree(["/sys/class/leds/x/brightness": "!write \(name)\n1\n"])
        try await FaultyFiles.show(tree) { root in
            let driver = try make(
                FileDriver.self, ["path": "/sys/class/leds/x/brightness", "writable": true], root: root)
            let refusal = try #require(driver.refusal(.number(7)))
            #expect(refusal.kind == kind)
            if kind == .forbidden { #expect(refusal.mend?.contains(#"SUBSYSTEM=="leds", RUN+="#) == true) }
        }
    }

    @Test("What takes a value is written through") func writable() async throws {
        let tree = try FakeTree(["/sys/x": "1\n"])
        try await FaultyFiles.show(tree) { root in
            let driver = try make(FileDriver.self, ["path": "/sys/x", "writable": true], root: root)
            #expect(try driver.set(.number(2)) == ["": "2.0"])
        }
        #expect(try tree.read("/sys/x") == "2")
    }

    private static let faults = [
        "!read EIO\n", "!read ENODATA\n", "!once EAGAIN\n1\n", "!vanish\n", "!open EACCES\n", "\u{FFFD} \u{1}\n9\n",
        "\n",
    ]

    /// A dozen files of every board, one after the other.
    @Test("Whatever file of a board misbehaves, all others are read", arguments: Board.all)
    func anyFile(_ board: Board) async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix64(seed: seed)
        let tree = try board.tree()
        try await FaultyFiles.show(tree) { root in
            let sound = await SensorDiscovery(root: root, timeout: .seconds(30)).run()
            let soundReadings = sound.reduce(0) { $0 + $1.readings.count }
            #expect(soundReadings > 10)
            let files = tree.files.filter { !$0.hasPrefix("/proc/self/") }
            for _ in 0..<12 {
                let path = files[Int(random.next(in: 0...Double(files.count - 1)))]
                let fault = Self.faults[Int(random.next(in: 0...Double(Self.faults.count - 1)))]
                let text = try tree.read(path)
                try tree.write(path, fault)
                let found = await SensorDiscovery(root: root, timeout: .seconds(30)).run()
                let readings = found.reduce(0) { $0 + $1.readings.count }
                let what: Comment = "seed \(seed), \(path): \(fault)"
                // A device's name lost takes its sensors along, of which none has more than these.
                #expect(found.count >= sound.count - 4, what)
                #expect(readings >= soundReadings - 16, what)
                #expect(found.allSatisfy { $0.error?.kind != .timedOut }, what)
                try tree.write(path, text + "\n")
            }
            let again = await SensorDiscovery(root: root, timeout: .seconds(30)).run()
            #expect(again.map(\.candidate) == sound.map(\.candidate), "seed \(seed)")
        }
    }

    @Test("A device whose name cannot be read hides its like, and nothing else") func blockedFinder() async throws {
        let tree = try FakeTree([
            "/sys/class/thermal/thermal_zone0/type": "!block\n", "/sys/class/thermal/thermal_zone0/temp": "1\n",
            "/sys/class/leds/ACT/brightness": "1\n", "/sys/class/leds/ACT/max_brightness": "1\n",
            "/sys/class/leds/ACT/trigger": "[none]\n",
        ])
        try await FaultyFiles.show(tree) { root in
            let found = await SensorDiscovery(
                finders: [ThermalFinder(), LEDFinder()], root: root, timeout: .milliseconds(500)
            ).run()
            #expect(found.map(\.candidate.name) == ["led-ACT"])
            try tree.write("/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
        }
    }

    @Test("A file that blocks stops no other sensor, and its sensor comes back") func blocking() async throws {
        let tree = try FakeTree([
            "/sys/class/thermal/thermal_zone0/type": "stuck\n", "/sys/class/thermal/thermal_zone0/temp": "!block\n",
            "/proc/loadavg": "0.5 0.6 0.7 1/2 3\n",
        ])
        try await FaultyFiles.show(tree) { root in
            func sensor(_ name: String, timeout: Duration, _ driver: (any SensorDriver)?) throws -> ConfiguredSensor {
                ConfiguredSensor(name: name, every: .milliseconds(20), timeout: timeout, driver: try #require(driver))
            }
            let sensors = [
                try sensor(
                    "stuck", timeout: .milliseconds(100),
                    ThermalDriver(reader(["zone": "stuck"]), context: DriverContext(sensor: "stuck", root: root))),
                try sensor(
                    "load", timeout: .seconds(30),
                    SystemDriver(reader(["channel": "load"]), context: DriverContext(sensor: "load", root: root))),
            ]
            let runner = SensorRunner(sensors, pool: BlockingPool(width: 2))
            let seen = Shared((loads: 0, stuck: [SensorError.Kind](), back: false))
            let run = Task {
                await runner.run { event in
                    seen.change { seen in
                        switch event {
                        case .readings(let readings):
                            seen.loads += readings.count { $0.sensor == "load" }
                            if readings.contains(where: { $0.sensor == "stuck" }) { seen.back = true }
                        case .failed("stuck", let error, _, _): seen.stuck.append(error.kind)
                        default: break
                        }
                    }
                }
            }
            defer { run.cancel() }
            try await eventually({ seen.current.stuck.first == .timedOut }, "the blocked read is told of")
            let before = seen.current.loads
            try await eventually({ seen.current.loads > before + 20 }, "the other sensor goes on")
            #expect(!seen.current.back)
            try tree.write("/sys/class/thermal/thermal_zone0/temp", "21000\n")
            try await eventually({ seen.current.back }, "what was blocked is read again")
        }
    }
}
