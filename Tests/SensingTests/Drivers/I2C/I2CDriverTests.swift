import Glibc
import Settings
import Testing

@testable import Sensing

@Suite struct I2CDriverTests {
    @Test("Wrong options are told with their mend") func options() {
        #expect(
            problems(of: I2CDriver.self, [:]) == [
                "1:1: sensor[1].chip: is missing: possible are bme280, bmp280, sht3x, sht4x, ads1115, vl53l0x"
            ])
        #expect(
            problems(of: I2CDriver.self, ["chip": "bme208"]) == [
                #"2:8: sensor[1].chip: "bme208" is not known: did you mean "bme280"? (possible are bme280, bmp280, sht3x, sht4x, ads1115, vl53l0x)"#
            ])
        #expect(
            problems(of: I2CDriver.self, ["chip": "bme280", "address": 0xEC]) == [
                "3:11: sensor[1].address: 0xec is no address of a bme280: write 0x76, its address of 7 bits; the lowest of 8 says read or write"
            ])
        #expect(
            problems(of: I2CDriver.self, ["chip": "sht3x", "address": 0x76]) == [
                "3:11: sensor[1].address: 0x76 is no address of a sht3x: possible are 0x44, 0x45"
            ])
        #expect(
            problems(of: I2CDriver.self, ["chip": "bme280", "bus": true, "oversampling": 3, "filter": 3, "gain": 1])
                .count == 4)
        #expect(problems(of: I2CDriver.self, ["chip": "vl53l0x", "timing_budget": "5ms"]).count == 1)
        #expect(problems(of: I2CDriver.self, ["chip": "bme280", "address": -1]).count == 1)
        #expect(problems(of: I2CDriver.self, ["chip": "bme280", "bus": -1]).count == 1)
    }

    private func place(_ bus: String, in tree: FakeTree, address: UInt8 = 0x76) throws -> I2CPlace {
        try I2CPlace(bus: bus, address: address, context: DriverContext(sensor: "s", root: tree.root))
    }

    @Test("A bus is found by its number, its device, a link, and its adapter's name") func buses() throws {
        let tree = try FakeTree([
            "/sys/bus/i2c/devices/i2c-1/name": "bcm2835 (i2c@7e804000)\n",
            "/sys/bus/i2c/devices/i2c-20/name": "fef04500.i2c\n", "/dev/i2c-20": "",
        ])
        try tree.link("/dev/climate", to: "i2c-20")
        for (bus, path, number) in [
            ("1", "/dev/i2c-1", 1), ("/dev/i2c-7", "/dev/i2c-7", 7), ("/dev/climate", "/dev/climate", 20),
            ("fef04500.i2c", "/dev/i2c-20", 20), ("bcm2835 (i2c@7e804000)", "/dev/i2c-1", 1),
        ] {
            let place = try place(bus, in: tree)
            #expect(place.bus == tree.path(path))
            #expect(place.number == number)
        }
    }

    @Test("An adapter's name that nothing or too much has is an error that lists what there is") func names() throws {
        let tree = try FakeTree([
            "/sys/bus/i2c/devices/i2c-1/name": "bcm2835\n", "/sys/bus/i2c/devices/i2c-2/name": "bcm2835\n",
        ])
        func failure(_ bus: String) throws -> String {
            let driver = try make(I2CDriver.self, ["chip": "bme280", "bus": .string(bus)], in: tree)
            return try #require(driver.failure()).text(in: tree)
        }
        #expect(
            try failure("bcm2711")
                == #"/sys/bus/i2c/devices has no adapter called "bcm2711"; it has "bcm2835" (1), "bcm2835" (2)"#)
        #expect(
            try failure("bcm2835")
                == #"/sys/bus/i2c/devices has 2 adapters called "bcm2835"; give its number: 1, 2"#)
    }

    @Test("A bus that is not there, or is none, is an error with its mend") func noBus() throws {
        let tree = try FakeTree(["/dev/i2c-3": ""])
        let missing = try make(I2CDriver.self, ["chip": "bme280", "bus": 1], in: tree)
        #expect(
            missing.failure()?.text(in: tree)
                == "/dev/i2c-1 does not exist (no i2c-1 in /dev); switch I2C on (raspi-config, or dtparam=i2c_arm=on in /boot/firmware/config.txt) and load the module i2c-dev"
        )
        let none = try make(I2CDriver.self, ["chip": "bme280", "bus": 3], in: tree)
        #expect(
            none.failure()?.text(in: tree) == "/dev/i2c-3 is no I2C bus; name one of the devices /dev/i2c-*")
    }

    @Test("A bus that is closed to the agent's user is an error with the udev rule") func closed() throws {
        let tree = try FakeTree(["/dev/i2c-1": ""])
        let error = try place("1", in: tree).unopened(EACCES)
        #expect(error.kind == .forbidden)
        #expect(
            error.mend?.hasSuffix(
                #"the udev rule is SUBSYSTEM=="i2c-dev", KERNEL=="i2c-[0-9]*", GROUP="i2c", MODE="0660""#) ?? false,
            "\(error)")
        #expect(try place("2", in: tree).unopened(ENOENT).kind == .missing)
    }

    @Test("An address in the kernel's hands is refused, and the sensor to use instead is named") func owned() throws {
        let tree = try FakeTree([
            "/sys/bus/i2c/devices/1-0076/iio:device0/name": "bme280\n",
            "/sys/bus/i2c/devices/1-0048/hwmon/hwmon2/name": "lm75\n",
        ])
        try tree.link("/sys/bus/i2c/devices/1-0076/driver", to: "../../../../bus/i2c/drivers/bmp280")
        try tree.link("/sys/bus/i2c/devices/1-0048/driver", to: "../../../../bus/i2c/drivers/lm75")
        #expect(
            try place("1", in: tree).owned.text(in: tree)
                == #"/dev/i2c-1 address 0x76 is in the hands of the kernel's driver bmp280; read it as the kernel's: driver = "iio" with device = "bme280", or take it away from there: echo 1-0076 > /sys/bus/i2c/drivers/bmp280/unbind"#
        )
        let hwmon = try place("1", in: tree, address: 0x48).owned
        #expect(hwmon.kind == .busy)
        #expect(hwmon.mend?.hasPrefix(#"read it as the kernel's: driver = "hwmon" with chip = "lm75""#) ?? false)
        #expect(try place("1", in: tree, address: 0x29).owned.problem == "is in the hands of the kernel")
    }

    @Test(
        "What the bus says becomes an error with its mend",
        arguments: [
            (ENXIO, SensorError.Kind.unavailable, "i2cdetect -y 1"), (EREMOTEIO, .unavailable, "i2cdetect -y 1"),
            (ENODEV, .unavailable, "i2cdetect -y 1"),
            (ETIMEDOUT, .unavailable, "short circuit"), (EAGAIN, .unavailable, "tried again"),
            (EOPNOTSUPP, .rejected, "the board's own"), (EBUSY, .busy, "tried again"),
        ])
    func faults(code: Int32, kind: SensorError.Kind, mend: String) throws {
        let chip = BoschModel(id: 0x60)
        chip.failures = [.system(code)]
        let error = try #require(try makeI2C(chip, ["chip": "bme280"]).failure())
        #expect(error.kind == kind)
        #expect(error.place == "/dev/i2c-1 address 0x76")
        #expect(error.mend?.contains(mend) ?? false, "\(error)")
    }

    @Test("Sensors on one bus measure one after the other") func turns() async throws {
        // A model that counts who is in the middle of a measurement.
        final class Crowd: ModelChip, @unchecked Sendable {
            let inside = Shared(0)
            let most = Shared(0)
            override func answer(_ bytes: [UInt8], _ count: Int) throws(I2CFailure) -> [UInt8] {
                [UInt8](repeating: 0x60, count: count)
            }
            override func transfer(_ bytes: [UInt8], reading count: Int) throws(I2CFailure) -> [UInt8] {
                let now = inside.change { inside in
                    inside += 1
                    return inside
                }
                most.change { $0 = max($0, now) }
                usleep(1000)
                inside.change { $0 -= 1 }
                return try answer(bytes, count)
            }
        }
        let crowd = Crowd()
        await withTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    var driver = I2CDriver(
                        reader(["chip": "bme280", "bus": 77]), context: DriverContext(sensor: "s")
                    ) { _ throws(SensorError) in crowd }
                    for _ in 0..<3 { _ = try? driver?.read(at: noon) }
                }
            }
        }
        #expect(crowd.most.current == 1)
    }
}
