import Sensing
import Testing

@Suite struct ThermalDriverTests {
    static let pi4: KeyValuePairs = [
        "/sys/class/thermal/thermal_zone0/type": "cpu-thermal\n", "/sys/class/thermal/thermal_zone0/temp": "48686\n",
        "/sys/class/thermal/thermal_zone0/mode": "enabled\n", "/sys/class/thermal/cooling_device0/type": "gpio-fan\n",
    ]

    static func laptop() throws -> FakeTree {
        let tree = try FakeTree()
        let zones = [
            ("acpitz", "27800"), ("acpitz", "29800"), ("iwlwifi_1", "48000"), ("x86_pkg_temp", "51000"),
        ]
        for (number, (type, temp)) in zones.enumerated() {
            // Ten comes before two in a sorted listing.
            let number = number == 3 ? 10 : number
            try tree.write("/sys/class/thermal/thermal_zone\(number)/type", "\(type)\n")
            try tree.write("/sys/class/thermal/thermal_zone\(number)/temp", "\(temp)\n")
        }
        return tree
    }

    @Test("A Pi's zone is a channel by default, and no channel when it is named") func pi() throws {
        let tree = try FakeTree(Self.pi4)
        let all = try make(ThermalDriver.self, [:], in: tree)
        #expect(try all.read(at: noon) == [Measurement(channel: "cpu-thermal", .number(48.686), unit: "°C")])
        let named = try make(ThermalDriver.self, ["zone": "cpu-thermal"], in: tree)
        #expect(try named.values() == ["": "48.686 °C"])
        let numbered = try make(ThermalDriver.self, ["zone": "thermal_zone0"], in: tree)
        #expect(try numbered.values() == ["": "48.686 °C"])
    }

    @Test("Zones of one type get their number, and all come in the order of their numbers") func sameType() throws {
        let tree = try Self.laptop()
        let all = try make(ThermalDriver.self, [:], in: tree)
        #expect(
            try all.read(at: noon).map(\.channel) == ["acpitz.0", "acpitz.1", "iwlwifi_1", "x86_pkg_temp"])
        let both = try make(ThermalDriver.self, ["zone": "acpitz"], in: tree)
        #expect(try both.values() == ["acpitz.0": "27.8 °C", "acpitz.1": "29.8 °C"])
    }

    @Test("An invalid temperature is an error of its zone alone") func invalid() throws {
        let tree = try Self.laptop()
        try tree.write("/sys/class/thermal/thermal_zone2/temp", "-274000\n")
        let all = try make(ThermalDriver.self, [:], in: tree)
        let error = try #require(all.failure())
        #expect(
            error.text(in: tree)
                == "/sys/class/thermal/thermal_zone2/temp says -274.0 °C, below absolute zero: it has no valid value")
        #expect(error.measured.map(\.channel) == ["acpitz.0", "acpitz.1", "x86_pkg_temp"])
    }

    @Test("A zone that is not there is answered with those that are") func missing() throws {
        let tree = try FakeTree(Self.pi4)
        let driver = try make(ThermalDriver.self, ["zone": "gpu-thermal"], in: tree)
        #expect(
            driver.failure()?.text(in: tree)
                == #"/sys/class/thermal has no zone "gpu-thermal"; it has cpu-thermal (thermal_zone0)"#)
        let empty = try FakeTree()
        try empty.makeFolder("/sys/class/thermal")
        let none = try make(ThermalDriver.self, [:], in: empty)
        #expect(none.failure()?.text(in: empty) == "/sys/class/thermal has no thermal zone")
        let nothing = try make(ThermalDriver.self, [:], in: try FakeTree())
        #expect(nothing.failure()?.kind == .missing)
    }

    @Test("Options are checked") func options() {
        #expect(
            problems(of: ThermalDriver.self, ["zone": 0, "zones": "x"]) == [
                "2:8: sensor[1].zone: is an integer: expected is a string",
                #"3:1: sensor[1].zones: unknown key"#,
            ])
    }
}
