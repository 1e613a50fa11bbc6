import Testing

@testable import Sensing

@Suite struct LEDDriverTests {
    private static let folder = "/sys/class/leds/ACT"

    private static func light(
        brightness: String = "0", maximum: String = "255", trigger: String = "none timer [mmc0] heartbeat"
    ) throws -> FakeTree {
        try FakeTree([
            "\(folder)/brightness": "\(brightness)\n", "\(folder)/max_brightness": "\(maximum)\n",
            "\(folder)/trigger": "\(trigger)\n",
        ])
    }

    @Test("It says how bright it is, and who drives it") func reading() throws {
        let tree = try Self.light(brightness: "51")
        #expect(
            try make(LEDDriver.self, ["led": "ACT"], in: tree).values() == ["brightness": "20.0 %", "trigger": "mmc0"])
        #expect(try make(LEDDriver.self, ["led": "ACT", "channel": "brightness"], in: tree).values() == ["": "20.0 %"])
    }

    @Test("A light that the kernel drives is taken only on demand") func trigger() throws {
        let tree = try Self.light()
        let shy = try make(LEDDriver.self, ["led": "ACT"], in: tree)
        #expect(
            shy.refusal(.number(50))?.text(in: tree)
                == #"/sys/class/leds/ACT is driven by its trigger "mmc0"; write trigger = "none" to take it from the kernel"#
        )
        #expect(shy.refusal(.number(50))?.kind == .rejected)
        #expect(try tree.read("\(Self.folder)/brightness") == "0")

        let bold = try make(LEDDriver.self, ["led": "ACT", "trigger": "none", "channel": "brightness"], in: tree)
        #expect(throws: SensorError.self, "a plain file does not keep the brackets that the kernel writes") {
            _ = try bold.set(.number(50), channel: "trigger")
        }
        _ = try bold.set(.number(50))
        #expect(try tree.read("\(Self.folder)/trigger") == "none")
        #expect(try tree.read("\(Self.folder)/brightness") == "128")
        bold.stop()
        #expect(try tree.read("\(Self.folder)/trigger") == "mmc0", "it gets its trigger back")
    }

    @Test(
        "Brightness is a share of the brightest, and never nothing when something is wanted",
        arguments: [
            (Reading.Value.number(0), "255", "0"), (.number(100), "255", "255"), (.number(0.1), "255", "1"),
            (.number(50), "1", "1"), (.boolean(true), "7", "7"), (.boolean(false), "7", "0"),
            (.number(33.3), "1000", "333"),
        ])
    func brightness(value: Reading.Value, maximum: String, written: String) throws {
        let tree = try Self.light(brightness: "3", maximum: maximum, trigger: "[none] timer")
        _ = try make(LEDDriver.self, ["led": "ACT"], in: tree).set(value)
        #expect(try tree.read("\(Self.folder)/brightness") == written)
    }

    @Test("What it does not have is refused", arguments: [-1.0, 100.5, .nan, .infinity])
    func refusals(share: Double) throws {
        let driver = try make(LEDDriver.self, ["led": "ACT"], in: try Self.light(trigger: "[none] timer"))
        #expect(driver.refusal(.number(share))?.kind == .rejected)
        #expect(driver.refusal(.text("on"))?.kind == .rejected)
        #expect(driver.refusal(.number(1), channel: "trigger")?.kind == .rejected)
        #expect(driver.refusal(.text("none"), channel: "colour")?.kind == .rejected)
        #expect(driver.refusal(.text("disco"), channel: "trigger")?.mend == "it has none, timer")
    }

    @Test("At the end it is safe, if its owner said what that is") func safe() throws {
        let tree = try Self.light(brightness: "0", trigger: "none timer [mmc0]")
        let driver = try make(LEDDriver.self, ["led": "ACT", "trigger": "none", "safe": 100], in: tree)
        driver.stop()
        #expect(try tree.read("\(Self.folder)/trigger") == "none")
        #expect(try tree.read("\(Self.folder)/brightness") == "255")

        let untouched = try Self.light(brightness: "9", trigger: "none [mmc0]")
        try make(LEDDriver.self, ["led": "ACT"], in: untouched).stop()
        #expect(try untouched.read("\(Self.folder)/brightness") == "9")
        #expect(try untouched.read("\(Self.folder)/trigger") == "none [mmc0]")
    }

    @Test("Errors name the lights there are, and what is wrong with one") func failures() throws {
        let tree = try Self.light(trigger: "none timer")
        let absent = try make(LEDDriver.self, ["led": "led0"], in: tree)
        #expect(absent.failure()?.text(in: tree) == #"/sys/class/leds has no light "led0"; it has ACT"#)
        #expect(try make(LEDDriver.self, ["led": "ACT"], in: tree).failure()?.kind == .malformed)
    }

    @Test("Options are checked") func options() {
        #expect(
            problems(of: LEDDriver.self, ["safe": 101, "channel": "colour"]) == [
                "1:1: sensor[1].led: is missing", "2:8: sensor[1].safe: 101 is out of range: allowed is 0 to 100",
                #"3:11: sensor[1].channel: "colour" is no channel: possible are brightness, trigger"#,
            ])
    }
}
