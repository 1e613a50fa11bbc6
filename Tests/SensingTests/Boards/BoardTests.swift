import Settings
import Testing
import Units

@testable import Sensing

/// Discovery, and with it every driver, on what real boards show.
@Suite struct BoardTests {
    /// "name: driver options → values, or why there is none". Of file systems, which are this machine's, no values, and
    /// of clocks no difference to this machine's.
    private func lines(_ board: Board) async throws -> String {
        let tree = try board.tree()
        return await SensorDiscovery(root: tree.root, timeout: .seconds(30)).run().map { found in
            let candidate = found.candidate
            let options = candidate.options.map { option in
                switch option.value {
                case .string(let text): "\(option.key)=\(text)"
                case .integer(let number): "\(option.key)=\(number)"
                default: "\(option.key)=?"
                }
            }
            let isMount = candidate.driver == "disk" && candidate.options.first?.key == "mount"
            let values = found.readings.filter { $0.channel != "difference" }.map { reading in
                (reading.channel.map { "\($0) " } ?? "") + Measurement(reading.value, unit: reading.unit).text
                    + (reading.quality == .good ? "" : " (\(reading.quality.name))")
            }
            let trouble = found.error.map { "! \($0.problem)" } ?? ""
            return (["\(candidate.name): \(candidate.driver)"] + options).joined(separator: " ") + "\n    "
                + (isMount && !found.readings.isEmpty ? "…" : values.joined(separator: ", ")) + trouble
        }.joined(separator: "\n")
    }

    @Test func `a Raspberry Pi 3 with probes and a distance`() async throws {
        #expect(
            try await lines(.raspberryPi3) == """
                cpu-thermal: thermal zone=cpu-thermal
                    46.16 °C
                srf04: iio device=srf04
                    distance 0.832 m
                28-0000075d6ab2: w1 device=28-0000075d6ab2
                    21.937 °C
                28-00000a1b2c3d: w1 device=28-00000a1b2c3d
                    ! says 85.0 °C, as a device does that lost its power while it measured
                disk: disk mount=/
                    …
                disk-boot-firmware: disk mount=/boot/firmware
                    …
                mmcblk0: disk device=mmcblk0
                    read_total 586347520.0 B, written_total 262318080.0 B
                eth0: net interface=eth0
                    state down, carrier false, speed 10.0 Mbit/s
                wlan0: net interface=wlan0
                    state up, carrier true, signal -56.0 dBm
                load: system channel=load
                    0.08
                memory: system channel=memory_available
                    778.36288 MB
                under-voltage: system channel=under_voltage
                    false
                throttled: system channel=throttled
                    false
                led-ACT: led led=ACT
                    brightness 0.0 %, trigger mmc0
                led-PWR: led led=PWR
                    brightness 100.0 %, trigger default-on
                led-default-on: led led=default-on
                    brightness 0.0 %, trigger none
                """)
    }

    @Test func `a Raspberry Pi 4 with eMMC, converters and a clock`() async throws {
        #expect(
            try await lines(.raspberryPi4) == """
                cpu-thermal: thermal zone=cpu-thermal
                    48.686 °C
                ads1115: iio device=ads1115
                    voltage0-voltage1 6.1438125 V (out of range), bus 2.2 V
                bme280: iio device=bme280
                    humidityrelative 43.25 %, pressure 1013.25 hPa, temp 22.46 °C
                rtc0: rtc device=rtc-ds1307 1-0068
                    time 1767268801.0 s
                disk: disk mount=/
                    …
                disk-mnt-my-disk: disk mount=/mnt/my disk
                    …
                mmcblk0: disk device=mmcblk0
                    read_total 5863475200.0 B, written_total 2623180800.0 B, life_used 10.0 %, \
                life_used_b 20.0 %, reserve normal
                eth0: net interface=eth0
                    state up, carrier true, speed 1000.0 Mbit/s
                load: system channel=load
                    0.52
                memory: system channel=memory_available
                    3072.0 MB
                under-voltage: system channel=under_voltage
                    true
                led-ACT: led led=ACT
                    brightness 0.0 %, trigger mmc0
                led-PWR: led led=PWR
                    brightness 100.0 %, trigger default-on
                led-mmc0: led led=mmc0::
                    brightness 0.0 %, trigger mmc0
                fe20c000.pwm-0: pwm chip=fe20c000.pwm channel=0
                    ! is not exported, so that its state cannot be seen
                fe20c000.pwm-1: pwm chip=fe20c000.pwm channel=1
                    duty 7.5 %, period 20000.0 µs, polarity normal, enabled true
                """)
    }

    @Test func `a Raspberry Pi 5 with a cooler, on a weak supply`() async throws {
        #expect(
            try await lines(.raspberryPi5) == """
                cpu-thermal: thermal zone=cpu-thermal
                    55.0 °C
                nvme: hwmon chip=nvme
                    Composite 38.85 °C
                pwmfan: hwmon chip=pwmfan
                    fan1 3054.0 rpm
                rp1_adc: hwmon chip=rp1_adc
                    temp1 55.472 °C, in1 1.468 V, in2 2.441 V, in3 1.409 V, in4 1.425 V
                rtc0: rtc device=rpi-rtc soc@107c000000:rpi_rtc
                    time 1767268740.0 s
                disk: disk mount=/
                    …
                disk-boot-firmware: disk mount=/boot/firmware
                    …
                nvme0n1: disk device=nvme0n1
                    read_total 2111209472.0 B, written_total 1200987136.0 B
                eth0: net interface=eth0
                    state down, carrier false
                load: system channel=load
                    1.2
                memory: system channel=memory_available
                    7610.100736 MB
                under-voltage: system channel=under_voltage
                    true
                throttled: system channel=throttled
                    true
                led-ACT: led led=ACT
                    brightness 100.0 %, trigger mmc0
                led-PWR: led led=PWR
                    brightness 100.0 %, trigger default-on
                1f00098000.pwm-0: pwm chip=1f00098000.pwm channel=0
                    ! is not exported, so that its state cannot be seen
                1f00098000.pwm-1: pwm chip=1f00098000.pwm channel=1
                    ! is not exported, so that its state cannot be seen
                1f00098000.pwm-2: pwm chip=1f00098000.pwm channel=2
                    ! is not exported, so that its state cannot be seen
                1f00098000.pwm-3: pwm chip=1f00098000.pwm channel=3
                    ! is not exported, so that its state cannot be seen
                """)
    }

    @Test func `a laptop under Debian`() async throws {
        #expect(
            try await lines(.debianPC) == """
                acpitz: thermal zone=acpitz
                    46.0 °C
                INT3400-Thermal: thermal zone=INT3400 Thermal
                    20.0 °C
                x86_pkg_temp: thermal zone=x86_pkg_temp
                    47.0 °C
                iwlwifi_1: thermal zone=iwlwifi_1
                    41.0 °C
                coretemp: hwmon chip=coretemp
                    Package id 0 47.0 °C, Core 0 45.0 °C, Core 1 44.0 °C
                nvme: hwmon chip=nvme
                    Composite 36.85 °C, Sensor 1 36.85 °C
                AC: power-supply supply=AC
                    online false
                BAT0: power-supply supply=BAT0
                    capacity 83.0 %, voltage 11.872 V, voltage_empty 11.4 V, power 6.421 W, energy 38.21 Wh, \
                energy_full 46.04 Wh, energy_design 57.02 Wh, cycles 214.0, present true, status Discharging, \
                level Normal
                rtc0: rtc device=rtc_cmos 00:04
                    time 1767268800.0 s
                disk: disk mount=/
                    …
                disk-boot-efi: disk mount=/boot/efi
                    …
                nvme0n1: disk device=nvme0n1
                    read_total 21112098304.0 B, written_total 12009875968.0 B
                enp0s31f6: net interface=enp0s31f6
                    state down, carrier false
                wlp2s0: net interface=wlp2s0
                    state up, carrier true, signal -38.0 dBm
                load: system channel=load
                    0.42
                memory: system channel=memory_available
                    8308.98176 MB
                led-tpacpi-power: led led=tpacpi::power
                    brightness 100.0 %, trigger none
                """)
    }

    @Test(arguments: Board.all) func `what is found can be read again and again, with rates`(_ board: Board)
        async throws
    {
        let tree = try board.tree()
        let found = await SensorDiscovery(root: tree.root, timeout: .seconds(30)).run()
        for sensor in found {
            var driver = try #require(sensor.candidate.configured(.builtIn, root: tree.root, timeout: .seconds(30)))
                .driver
            for second in 0..<3 {
                let now = noon + .seconds(second)
                do throws(SensorError) {
                    let measured = try driver.read(at: now)
                    #expect(!measured.isEmpty, "\(sensor.candidate.name)")
                    let channels = measured.map(\.channel)
                    #expect(Set(channels).count == channels.count, "\(sensor.candidate.name)")
                    if second > 0, sensor.candidate.driver == "net" { #expect(channels.contains("received")) }
                } catch {
                    #expect(error.kind == sensor.error?.kind, "\(sensor.candidate.name): \(error)")
                }
            }
            driver.stop(at: noon)
        }
    }
}
