import Settings
import Testing
import Units

@testable import Sensing

@Suite struct W1DriverTests {
    private static let one = "28-0000075d6ab2"
    private static let two = "28-00000a1b2c3d"

    private static func folder(_ address: String) -> String { "/sys/devices/w1_bus_master1/\(address)" }

    private static func bus(_ temperatures: KeyValuePairs<String, String?>) throws -> FakeTree {
        let tree = try FakeTree()
        try tree.write("/sys/devices/w1_bus_master1/therm_bulk_read", "0\n")
        try tree.link("/sys/bus/w1/devices/w1_bus_master1", to: "../../../devices/w1_bus_master1")
        for (address, temperature) in temperatures {
            try tree.write("\(folder(address))/name", "\(address)\n")
            if let temperature { try tree.write("\(folder(address))/temperature", "\(temperature)\n") }
            try tree.link("/sys/bus/w1/devices/\(address)", to: "../../../devices/w1_bus_master1/\(address)")
        }
        return tree
    }

    private static func slave(_ bytes: String, crc: String = "YES", t: Int) -> String {
        "\(bytes) : crc=1c \(crc)\n\(bytes) t=\(t)\n"
    }

    private static let poweredUp = "50 05 4b 46 7f ff 0c 10 1c"
    private static let measured = "50 05 4b 46 7f ff 10 10 1c"
    private static let copied = "50 05 4b 46 7f ff 47 10 1c"

    @Test("One device has no channel, several are called after their number") func channels() throws {
        let tree = try Self.bus([Self.one: "21937", Self.two: "-1250", "10-000801b5a7c1": "22500"])
        #expect(try make(W1Driver.self, ["device": "28-0000075D6AB2"], in: tree).values() == ["": "21.937 °C"])
        #expect(
            try make(W1Driver.self, [:], in: tree).values()
                == [Self.one: "21.937 °C", Self.two: "-1.25 °C", "10-000801b5a7c1": "22.5 °C"])
        #expect(
            try make(W1Driver.self, ["device": ["28-00000a1b2c3d", "28-0000075d6ab2"]], in: tree).values().count
                == 2)
    }

    @Test("A device that is not there is answered with those that are, beside the values of these") func missing()
        throws
    {
        let tree = try Self.bus([Self.one: "21937", "29-000000000001": nil])
        let driver = try make(W1Driver.self, ["device": ["28-0000075d6ab2", "28-ffffffffffff"]], in: tree)
        let error = try #require(driver.failure())
        #expect(error.text(in: tree) == #"/sys/bus/w1/devices has no device "28-ffffffffffff"; it has 28-0000075d6ab2"#)
        #expect(error.measured == [Measurement(channel: Self.one, .number(21.937), unit: "°C")])

        let none = try make(W1Driver.self, [:], in: try Self.bus([:]))
        #expect(none.failure()?.problem == "has no thermometer")
        let off = try make(W1Driver.self, [:], in: try FakeTree())
        #expect(
            off.failure()?.mend == "switch the bus on: on a Raspberry Pi dtoverlay=w1-gpio in /boot/firmware/config.txt"
        )
    }

    @Test("Before Linux 5.8 there is w1_slave, whose checksum must fit") func slaveOnly() throws {
        let tree = try Self.bus([Self.one: nil])
        let driver = try make(W1Driver.self, ["device": .string(Self.one)], in: tree)
        let path = "\(Self.folder(Self.one))/w1_slave"
        try tree.write(path, Self.slave("5f 01 4b 46 7f ff 01 10 5a", t: 21937))
        #expect(try driver.values() == ["": "21.937 °C"])
        try tree.write(path, Self.slave("5f 01 4b 46 7f ff 01 10 5b", crc: "NO", t: 21937))
        #expect(driver.failure()?.problem == "has a checksum that does not fit")
        for text in ["", "\n"] {
            try tree.write(path, text)
            #expect(driver.failure()?.kind == .unavailable)
        }
        for text in [
            "garbage", "5f 01 : crc=5a YES\n5f 01 t=21937\n", "5f 01 4b 46 7f ff 01 10 5a : YES\nt=x\n", "a\nb\nc",
        ] {
            try tree.write(path, text)
            #expect(driver.failure()?.kind == .malformed, "\(text)")
        }
    }

    @Test("What no thermometer measures is an error", arguments: ["127937", "127940", "-127000", "", "-300000", "abc"])
    func impossible(text: String) throws {
        let driver = try make(W1Driver.self, [:], in: try Self.bus([Self.one: text]))
        #expect(driver.failure() != nil)
    }

    @Test("What lies beyond the device's range is out of it; a thermocouple has another one") func range() throws {
        let tree = try Self.bus([Self.one: "126000", Self.two: "-55000", "3b-000000000001": "-127000"])
        let measured = try make(W1Driver.self, [:], in: tree).read(at: noon)
        #expect(measured.map(\.quality.name) == ["out of range", "good", "good"])
    }

    @Test("85.00 is an error after power-up, and a temperature where the device says that it has measured")
    func powerUp() throws {
        let tree = try Self.bus([Self.one: "85000"])
        let path = "\(Self.folder(Self.one))/w1_slave"
        func driver() throws -> Probe<W1Driver> { try make(W1Driver.self, ["device": .string(Self.one)], in: tree) }

        try tree.write(path, Self.slave(Self.poweredUp, t: 85000))
        #expect(
            try driver().failure()?.problem == "says 85.0 °C, as a device does that lost its power while it measured")
        try tree.write(path, Self.slave(Self.measured, t: 85000))
        #expect(try driver().values() == ["": "85.0 °C"])
        // A copy that says nothing of itself.
        try tree.write(path, Self.slave(Self.copied, t: 85000))
        #expect(try driver().failure()?.kind == .unavailable)
        // The kernel has looked at it.
        try tree.write("\(Self.folder(Self.one))/features", "3\n")
        #expect(try driver().values() == ["": "85.0 °C"])
        // A second measurement mends it.
        try tree.write("\(Self.folder(Self.one))/features", "0\n")
        try tree.write(path, Self.slave("5f 01 4b 46 7f ff 01 10 5a", t: 21937))
        #expect(try driver().values() == ["": "21.937 °C"])
    }

    @Test("A boiler at 85 °C is believed as soon as it was seen nearby") func boiler() throws {
        let tree = try Self.bus([Self.one: "85000"])
        try tree.write("\(Self.folder(Self.one))/w1_slave", Self.slave(Self.copied, t: 85000))
        let driver = try make(W1Driver.self, ["device": .string(Self.one)], in: tree)
        func read(_ temperature: String, after seconds: Int) throws -> [String: String]? {
            try tree.write("\(Self.folder(Self.one))/temperature", "\(temperature)\n")
            return try? driver.values(at: noon + .seconds(seconds))
        }
        #expect(try read("85000", after: 0) == nil)
        #expect(try read("84937", after: 10) == ["": "84.937 °C"])
        for second in 2..<200 { #expect(try read("85000", after: second * 10) == ["": "85.0 °C"]) }
        #expect(try read("20000", after: 3000) == ["": "20.0 °C"])
        #expect(try read("85000", after: 3010) == nil, "from 20 °C nothing goes to 85 °C in ten seconds")
        #expect(
            driver.failure(at: noon + .seconds(3020))?.problem
                == "says 85.0 °C, after 20.0 °C, as a device does that lost its power while it measured")
        #expect(try read("80000", after: 4000) == ["": "80.0 °C"])
        #expect(try read("85000", after: 4000 + 16 * 60) == nil, "that is too long ago")
    }

    @Test("Doubt is a table") func doubt() {
        var history = W1History()
        #expect(history.believesPowerUp(.measured, at: noon))
        #expect(history.believesPowerUp(.checkedByKernel, at: noon))
        #expect(!history.believesPowerUp(.none, at: noon))
        #expect(!history.believesPowerUp(.powerUp, at: noon))
        history.add(76, at: noon)
        for evidence: W1History.Evidence in [.measured, .checkedByKernel, .none, .powerUp] {
            #expect(history.believesPowerUp(evidence, at: noon + .seconds(60)))
            #expect(history.believesPowerUp(evidence, at: noon + .seconds(-60)), "a clock that was set back")
        }
        history.add(60, at: noon)
        #expect(history.believesPowerUp(.measured, at: noon))
        #expect(!history.believesPowerUp(.checkedByKernel, at: noon))
    }

    @Test("The resolution is written where it differs, and errors about it stand beside the values") func settings()
        throws
    {
        let tree = try Self.bus([Self.one: "21937", Self.two: "20000"])
        try tree.write("\(Self.folder(Self.one))/resolution", "12\n")
        try tree.write("\(Self.folder(Self.one))/conv_time", "750\n")
        let driver = try make(W1Driver.self, ["resolution": 9, "conversion_time": "200ms"], in: tree)
        let error = try #require(driver.failure())
        #expect(error.measured.count == 2)
        #expect(error.text(in: tree).hasPrefix("/sys/bus/w1/devices/28-00000a1b2c3d/resolution does not exist"))
        #expect(error.mend?.hasSuffix("remove the option") == true)
        #expect(try tree.read("\(Self.folder(Self.one))/resolution") == "9")
        #expect(try tree.read("\(Self.folder(Self.one))/conv_time") == "200")
    }

    @Test("All devices of a bus convert at once; a bus with others is left alone") func bulk() throws {
        let tree = try Self.bus([Self.one: "21937", Self.two: "20000"])
        let path = "/sys/devices/w1_bus_master1/therm_bulk_read"
        _ = try make(W1Driver.self, ["device": .string(Self.one)], in: tree).values()
        #expect(try tree.read(path) == "0")
        let three = "42-000000000007"
        try tree.write("\(Self.folder(three))/temperature", "1000\n")
        _ = try make(W1Driver.self, ["device": ["28-0000075d6ab2", "28-00000a1b2c3d"]], in: tree).values()
        #expect(try tree.read(path) == "0", "the third would say that of now later")
        try tree.link("/sys/bus/w1/devices/\(three)", to: "../../../devices/w1_bus_master1/\(three)")
        #expect(try make(W1Driver.self, [:], in: tree).values().count == 3)
        #expect(try tree.read(path) == "trigger")
    }

    @Test("Options are checked") func options() {
        #expect(
            problems(of: W1Driver.self, ["device": "28-75d6ab2", "resolution": 13, "conversion_time": "1m"]) == [
                #"2:10: sensor[1].device: "28-75d6ab2" is no 1-Wire device: write one like "28-0000075d6ab2", with 12 digits"#,
                "3:14: sensor[1].resolution: 13 is out of range: allowed is 9 to 12",
                "4:19: sensor[1].conversion_time: 1m is out of range: allowed is 2ms to 10s",
            ])
        #expect(
            problems(of: W1Driver.self, ["device": "29-0000075d6ab2"]) == [
                #"2:10: sensor[1].device: "29-0000075d6ab2" is no thermometer: the families are 10, 22, 28, 3b, 42"#
            ])
    }
}
