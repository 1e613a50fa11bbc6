import Sensing
import Testing

@Suite struct HwmonDriverTests {
    /// A PC with a processor, two disks and a board chip; attributes as the kernel lists them.
    static func computer() throws -> FakeTree {
        let tree = try FakeTree()
        let chips: [(folder: String, device: String, files: KeyValuePairs<String, String>)] = [
            (
                "hwmon0", "../../../coretemp.0",
                [
                    "name": "coretemp", "temp1_input": "45000", "temp1_label": "Package id 0", "temp1_max": "100000",
                    "temp1_crit_alarm": "0", "temp2_input": "43000", "temp2_label": "Core 0", "temp10_input": "44000",
                    "temp10_label": "Core 8", "uevent": "",
                ]
            ),
            (
                "hwmon1", "../../nvme0",
                [
                    "name": "nvme", "temp1_input": "38850", "temp1_label": "Composite", "temp1_alarm": "0",
                ]
            ),
            (
                "hwmon2", "../../nvme1",
                [
                    "name": "nvme", "temp1_input": "41850", "temp1_label": "Composite", "temp2_input": "41850",
                    "temp2_label": "Composite",
                ]
            ),
            (
                "hwmon3", "../../../nct6775.656",
                [
                    "name": "nct6798", "in0_input": "1032", "in1_input": "16", "fan2_input": "1214", "pwm2": "153",
                    "power1_average": "36500000", "energy1_input": "2500000", "curr1_input": "-250",
                    "humidity1_input": "43250", "temp1_input": "31000", "temp1_fault": "0", "power2_average": "1",
                    "power2_input": "7000000",
                ]
            ),
        ]
        for chip in chips {
            for (name, text) in chip.files { try tree.write("/sys/class/hwmon/\(chip.folder)/\(name)", text + "\n") }
            try tree.link("/sys/class/hwmon/\(chip.folder)/device", to: chip.device)
        }
        return tree
    }

    @Test("All inputs of a chip are channels, called after their labels, in the order of their numbers")
    func labels() throws {
        let tree = try Self.computer()
        let driver = try make(HwmonDriver.self, ["chip": "coretemp"], in: tree)
        #expect(
            try driver.read(at: noon) == [
                Measurement(channel: "Package id 0", .number(45), unit: "°C"),
                Measurement(channel: "Core 0", .number(43), unit: "°C"),
                Measurement(channel: "Core 8", .number(44), unit: "°C"),
            ])
    }

    @Test("The kernel's units become ours") func units() throws {
        let tree = try Self.computer()
        let driver = try make(HwmonDriver.self, ["chip": "nct6798"], in: tree)
        #expect(
            try driver.values() == [
                "temp1": "31.0 °C", "in0": "1.032 V", "in1": "0.016 V", "curr1": "-0.25 A", "power1": "36.5 W",
                "power2": "7.0 W", "energy1": "2.5 J", "humidity1": "43.25 %", "fan2": "1214.0 rpm",
            ])
    }

    @Test("A channel is found by its name or its label") func channel() throws {
        let tree = try Self.computer()
        for name: Options in [
            ["chip": "coretemp", "channel": "temp2"], ["chip": "coretemp", "channel": "Core 0"],
        ] {
            let driver = try make(HwmonDriver.self, name, in: tree)
            #expect(try driver.values() == ["": "43.0 °C"])
        }
        let absent = try make(HwmonDriver.self, ["chip": "coretemp", "channel": "Core 1"], in: tree)
        #expect(
            absent.failure()?.text(in: tree)
                == #"/sys/class/hwmon/hwmon0 (coretemp) has no channel "Core 1"; it has temp1 (Package id 0), temp2 (Core 0), temp10 (Core 8)"#
        )
    }

    @Test("Chips of one name are told apart by their device") func devices() throws {
        let tree = try Self.computer()
        let one = try make(HwmonDriver.self, ["chip": "nvme", "device": "nvme0"], in: tree)
        #expect(try one.values() == ["Composite": "38.85 °C"])
        // Two inputs with one label keep their names.
        let two = try make(HwmonDriver.self, ["chip": "nvme", "device": "nvme1"], in: tree)
        #expect(try two.values() == ["temp1": "41.85 °C", "temp2": "41.85 °C"])
        let twice = try make(
            HwmonDriver.self, ["chip": "nvme", "device": "nvme1", "channel": "Composite"], in: tree)
        #expect(
            twice.failure()?.text(in: tree)
                == #"/sys/class/hwmon/hwmon2 (nvme) has several channels "Composite"; name one of temp1 (Composite), temp2 (Composite)"#
        )
        let any = try make(HwmonDriver.self, ["chip": "nvme"], in: tree)
        #expect(
            any.failure()?.text(in: tree)
                == #"/sys/class/hwmon has 2 chips "nvme"; name its device: one of nvme0, nvme1"#)
        let none = try make(HwmonDriver.self, ["chip": "nvme", "device": "nvme2"], in: tree)
        #expect(
            none.failure()?.text(in: tree)
                == #"/sys/class/hwmon has no chip "nvme" with device "nvme2"; it has coretemp (coretemp.0), nvme (nvme0), nvme (nvme1), nct6798 (nct6775.656)"#
        )
    }

    @Test("A fault flag and an empty input are errors of their channel alone") func faults() throws {
        let tree = try Self.computer()
        try tree.write("/sys/class/hwmon/hwmon3/temp1_fault", "1\n")
        try tree.write("/sys/class/hwmon/hwmon3/in0_input", "\n")
        let driver = try make(HwmonDriver.self, ["chip": "nct6798"], in: tree)
        let error = try #require(driver.failure())
        #expect(
            error.text(in: tree)
                == "/sys/class/hwmon/hwmon3/temp1_input reports a fault (temp1_fault is 1) (and 1 more channels fail); check its connection"
        )
        #expect(error.measured.count == 7)
    }

    @Test("A chip that comes later is found when it is there, wherever its number is") func later() throws {
        let tree = try FakeTree()
        let driver = try make(HwmonDriver.self, ["chip": "rpi_volt", "channel": "in0"], in: tree)
        #expect(driver.failure()?.kind == .missing)
        try tree.makeFolder("/sys/class/hwmon")
        #expect(
            driver.failure()?.text(in: tree) == #"/sys/class/hwmon has no chip "rpi_volt"; it has none at all"#)
        try tree.write("/sys/class/hwmon/hwmon7/name", "rpi_volt\n")
        #expect(driver.failure()?.text(in: tree) == "/sys/class/hwmon/hwmon7 (rpi_volt) has no input")
        try tree.write("/sys/class/hwmon/hwmon7/in0_input", "5000\n")
        #expect(try driver.values() == ["": "5.0 V"])
    }

    @Test("Options are checked") func options() {
        #expect(
            problems(of: HwmonDriver.self, ["chanel": "temp1"]) == [
                "1:1: sensor[1].chip: is missing",
                #"2:1: sensor[1].chanel: unknown key: did you mean "channel"?"#,
            ])
    }
}
