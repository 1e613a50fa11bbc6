import Settings
import Testing

@testable import Sensing

@Suite struct SensorDiscoveryTests {
    private func found(_ tree: FakeTree) async -> [FoundSensor] { await SensorDiscovery(root: tree.root).run() }

    /// As in a configuration: `name: driver key = value …`.
    private func text(_ sensor: FoundSensor) -> String {
        let options = sensor.candidate.options.map { option in
            switch option.value {
            case .string(let text): "\(option.key)=\(text)"
            case .number(let number): "\(option.key)=\(number)"
            default: "\(option.key)=?"
            }
        }
        return "\(sensor.candidate.name): \(sensor.candidate.driver) \(options.joined(separator: " "))"
    }

    private func values(_ sensor: FoundSensor) -> [String] {
        sensor.readings.map { reading in
            (reading.channel.map { "\($0) " } ?? "")
                + Measurement(reading.value, unit: reading.unit).text
        }
    }

    @Test func `an empty board has nothing`() async throws {
        #expect(await found(try FakeTree()) == [])
    }

    @Test func `thermal zones are found by their type, and not again as the chips that repeat them`() async throws {
        let tree = try FakeTree([
            "/sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "/sys/class/thermal/thermal_zone0/temp": "47236\n",
            "/sys/class/thermal/thermal_zone1/type": "x86_pkg_temp\n",
            "/sys/class/thermal/thermal_zone1/temp": "50000\n",
            "/sys/class/thermal/thermal_zone2/type": "x86_pkg_temp\n",
            "/sys/class/thermal/thermal_zone2/temp": "51000\n", "/sys/class/thermal/cooling_device0/type": "fan\n",
            "/sys/class/hwmon/hwmon0/name": "cpu_thermal\n", "/sys/class/hwmon/hwmon0/temp1_input": "47236\n",
            "/sys/class/hwmon/hwmon1/name": "alarms\n", "/sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0\n",
        ])
        let found = await found(tree)
        #expect(
            found.map(text) == [
                "cpu-thermal: thermal zone=cpu-thermal", "x86_pkg_temp: thermal zone=x86_pkg_temp",
            ])
        #expect(found.map(values) == [["47.236 °C"], ["x86_pkg_temp.1 50.0 °C", "x86_pkg_temp.2 51.0 °C"]])
        #expect(found.first?.candidate.summary == "thermal zone cpu-thermal")
    }

    @Test func `chips are found with all their channels, and told apart by their device`() async throws {
        let tree = try FakeTree([
            "/sys/class/hwmon/hwmon0/name": "nvme\n", "/sys/class/hwmon/hwmon0/temp1_input": "38850\n",
            "/sys/class/hwmon/hwmon1/name": "ina219\n", "/sys/class/hwmon/hwmon1/in1_input": "5040\n",
            "/sys/class/hwmon/hwmon1/curr1_input": "320\n", "/sys/class/hwmon/hwmon2/name": "nvme\n",
            "/sys/class/hwmon/hwmon2/temp1_input": "40850\n", "/sys/class/hwmon/hwmon3/name": "twin\n",
            "/sys/class/hwmon/hwmon3/temp1_input": "1\n", "/sys/class/hwmon/hwmon4/name": "twin\n",
            "/sys/class/hwmon/hwmon4/temp1_input": "1\n", "/sys/class/hwmon/hwmon5/name": "off\n",
            "/sys/class/hwmon/hwmon5/temp1_input": "-300000\n",
        ])
        try tree.link("/sys/class/hwmon/hwmon0/device", to: "../../nvme1")
        try tree.link("/sys/class/hwmon/hwmon2/device", to: "../../nvme0")
        let found = await found(tree)
        #expect(
            found.map(text) == [
                "ina219: hwmon chip=ina219", "nvme-nvme0: hwmon chip=nvme device=nvme0",
                "nvme-nvme1: hwmon chip=nvme device=nvme1", "off: hwmon chip=off",
            ], "twins that cannot be told apart cannot be named")
        #expect(found.map(values) == [["in1 5.04 V", "curr1 0.32 A"], ["temp1 40.85 °C"], ["temp1 38.85 °C"], []])
        #expect(found.last?.error?.kind == .unavailable)
    }

    @Test func `channels of the industrial subsystem come in units of ours`() async throws {
        let tree = try FakeTree([
            "/sys/bus/iio/devices/iio:device0/name": "bme280\n",
            "/sys/bus/iio/devices/iio:device0/in_temp_input": "22460\n",
            "/sys/bus/iio/devices/iio:device0/in_pressure_input": "101.325\n",
            "/sys/bus/iio/devices/iio:device0/in_humidityrelative_input": "43250\n",
            "/sys/bus/iio/devices/iio:device1/name": "ads1015\n",
            "/sys/bus/iio/devices/iio:device1/in_voltage0_raw": "1000\n",
            "/sys/bus/iio/devices/iio:device1/in_voltage0_scale": "2.000000000\n",
            "/sys/bus/iio/devices/iio:device1/in_voltage1-voltage2_raw": "-8\n",
            "/sys/bus/iio/devices/iio:device1/in_voltage-voltage_scale": "0.5\n",
            "/sys/bus/iio/devices/iio:device1/in_temp_raw": "2100\n",
            "/sys/bus/iio/devices/iio:device1/in_temp_offset": "-600\n",
            "/sys/bus/iio/devices/iio:device1/in_temp_scale": "10\n",
            "/sys/bus/iio/devices/iio:device2/name": "mpu\n",
            "/sys/bus/iio/devices/iio:device2/in_accel_x_raw": "16384\n",
            "/sys/bus/iio/devices/iio:device2/in_accel_scale": "0.000598\n",
            "/sys/bus/iio/devices/iio:device2/in_count0_raw": "5\n",
            "/sys/bus/iio/devices/iio:device2/in_proximity_raw": "\n",
            "/sys/bus/iio/devices/iio:device2/out_voltage0_raw": "5\n",
        ])
        let found = await found(tree)
        #expect(
            found.map(values) == [
                ["temp 15.0 °C", "voltage0 2.0 V", "voltage1-voltage2 -0.004 V"],
                ["humidityrelative 43.25 %", "pressure 1013.25 hPa", "temp 22.46 °C"],
                ["accel_x 9.797632 m/s²", "count0 5.0"],
            ])
        #expect(found.map(text) == ["ads1015: iio device=ads1015", "bme280: iio device=bme280", "mpu: iio device=mpu"])
        #expect(found.map { $0.error?.kind } == [nil, nil, .unavailable], "one of its channels is empty")
    }

    @Test func `devices of one name are named by their place, since their numbers change`() async throws {
        let tree = try FakeTree()
        for (number, place) in ["1-0076", "1-0077"].enumerated() {
            let folder = "devices/platform/i2c-1/\(place)/iio:device\(number)"
            try tree.write("/sys/\(folder)/name", "bme280\n")
            try tree.write("/sys/\(folder)/in_temp_input", "\(number)000\n")
            try tree.link("/sys/bus/iio/devices/iio:device\(number)", to: "../../../\(folder)")
        }
        let found = await found(tree)
        #expect(found.map(text) == ["bme280-1-0076: iio device=1-0076", "bme280-1-0077: iio device=1-0077"])
        #expect(found.map(values) == [["temp 0.0 °C"], ["temp 1.0 °C"]])
    }

    @Test func `a chip that repeats a battery is left out, and so are keys that shine`() async throws {
        let tree = try FakeTree([
            "/sys/class/power_supply/BAT0/type": "Battery\n", "/sys/class/power_supply/BAT0/capacity": "83\n",
            "/sys/class/hwmon/hwmon0/name": "BAT0\n", "/sys/class/hwmon/hwmon0/in0_input": "12000\n",
            "/sys/class/leds/input3::capslock/brightness": "0\n", "/sys/class/rtc/rtc0/name": "twin\n",
            "/sys/class/rtc/rtc0/since_epoch": "1\n", "/sys/class/rtc/rtc1/name": "twin\n",
            "/sys/class/rtc/rtc1/since_epoch": "2\n",
        ])
        try tree.link("/sys/class/hwmon/hwmon0/device", to: "../../BAT0")
        #expect(
            await found(tree).map(text) == [
                "BAT0: power-supply supply=BAT0", "rtc0: rtc device=rtc0", "rtc1: rtc device=rtc1",
            ])
    }

    @Test func `the machine itself is found too`() async throws {
        let tree = try FakeTree([
            "/proc/loadavg": "0.52 0.58 0.59 1/467 12345\n",
            "/proc/meminfo": "MemTotal:  4000000 kB\nMemAvailable:    3000000 kB\n",
        ])
        let found = await found(tree)
        #expect(found.map(text) == ["load: system channel=load", "memory: system channel=memory_available"])
        #expect(found.map(values) == [["0.52"], ["3072.0 MB"]])
    }

    private struct Shouting: SensorFinder {
        func find(in context: DriverContext) -> [SensorCandidate] {
            ["a/b #1", "a/b #1", "", "ä"].map {
                SensorCandidate(
                    name: $0, driver: "simulated", options: [.init("kind", .string("random-walk"))], summary: "")
            } + [
                SensorCandidate(name: "none", driver: "nonsense", options: [], summary: ""),
                SensorCandidate(name: "wrong", driver: "thermal", options: [.init("chip", .string("a"))], summary: ""),
            ]
        }
    }

    @Test func `names fit into topics and are given once; what no driver would take is left out`() async {
        let found = await SensorDiscovery(finders: [Shouting()]).run()
        #expect(found.map(\.candidate.name) == ["a-b-1", "a-b-1-2", "sensor", "sensor-2"])
    }

    @Test func `one that hangs is found without a reading`() async throws {
        let tree = try FakeTree(["/sys/bus/iio/devices/iio:device0/name": "slow\n"])
        try tree.makePipe("/sys/bus/iio/devices/iio:device0/in_temp_raw")
        let found = await found(tree)
        #expect(found.map(\.candidate.name) == ["slow"])
        #expect(found.first?.readings.isEmpty == true && found.first?.error != nil)
    }
}
