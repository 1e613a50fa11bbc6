import Glibc
import Testing

@testable import Sensing

@Suite(.timeLimit(.minutes(5))) struct PWMDriverTests {
    private static let chip = "/sys/devices/platform/fe20c000.pwm/pwm/pwmchip0"

    private static func chip(channels: String = "2", exported: (period: String, duty: String)? = nil) throws -> FakeTree
    {
        let tree = try FakeTree([
            "\(chip)/npwm": "\(channels)\n", "\(chip)/export": "", "\(chip)/unexport": "",
        ])
        try tree.link("\(chip)/device", to: "../../../fe20c000.pwm")
        try tree.link("/sys/class/pwm/pwmchip0", to: "../../devices/platform/fe20c000.pwm/pwm/pwmchip0")
        if let exported { try show(tree, period: exported.period, duty: exported.duty) }
        return tree
    }

    /// What the kernel does when a channel is exported.
    private static func show(
        _ tree: FakeTree, in folder: String = chip, period: String = "0", duty: String = "0"
    ) throws {
        for (name, text) in [("period", period), ("duty_cycle", duty), ("polarity", "normal"), ("enable", "0")] {
            try tree.write("\(folder)/pwm0/\(name)", "\(text)\n")
        }
    }

    private func state(_ tree: FakeTree) throws -> [String] {
        try ["period", "duty_cycle", "polarity", "enable"].map { try tree.read("\(Self.chip)/pwm0/\($0)") }
    }

    @Test("A channel that is exported is read") func reading() throws {
        let tree = try Self.chip(exported: ("20000000", "1500000"))
        for chip: Options in [["chip": "fe20c000.pwm"], ["chip": "pwmchip0", "channel": 0]] {
            #expect(
                try make(PWMDriver.self, chip, in: tree).values()
                    == ["duty": "7.5 %", "period": "20000.0 µs", "polarity": "normal", "enabled": "false"])
        }
        let fresh = try make(PWMDriver.self, ["chip": "pwmchip0"], in: try Self.chip(exported: ("0", "0")))
        #expect(try fresh.values()["duty"] == nil, "without a period there is no duty")
    }

    @Test("A duty is set within its period, and enables the channel") func duty() throws {
        let tree = try Self.chip(exported: ("20000000", "19000000"))
        let driver = try make(
            PWMDriver.self, ["chip": "fe20c000.pwm", "period": "1ms", "polarity": "inversed"], in: tree)
        #expect(try driver.set(.number(12.5))["duty"] == "12.5 %")
        #expect(try state(tree) == ["1000000", "125000", "inversed", "1"])
        #expect(try driver.set(.boolean(false))["enabled"] == "false")
        #expect(try driver.set(.number(100), channel: "duty")["enabled"] == "true")
        #expect(try state(tree) == ["1000000", "1000000", "inversed", "1"])
    }

    @Test("What it does not have is refused", arguments: [-0.1, 100.1, .nan]) func refusals(duty: Double) throws {
        let driver = try make(PWMDriver.self, ["chip": "pwmchip0"], in: try Self.chip(exported: ("0", "0")))
        #expect(driver.refusal(.number(duty))?.kind == .rejected)
        #expect(driver.refusal(.text("on"))?.kind == .rejected)
        #expect(driver.refusal(.number(1), channel: "period")?.kind == .rejected)
        #expect(driver.refusal(.number(1))?.problem == "has no period yet")
        #expect(driver.refusal(.boolean(true))?.problem == "has no period yet")
    }

    @Test("A channel is exported when it is ours, and given back at the end") func export() throws {
        let tree = try Self.chip()
        let others = try make(PWMDriver.self, ["chip": "fe20c000.pwm"], in: tree)
        #expect(others.failure()?.kind == .disabled)
        #expect(try tree.read("\(Self.chip)/export") == "", "to read is not to take")

        // The kernel's part, on a thread of its own: it sees the wish, and shows the channel.
        let driver = try make(PWMDriver.self, ["chip": "fe20c000.pwm", "period": "20ms"], in: tree)
        try Self.show(tree, in: "/prepared")
        let root = tree.root
        let started = WorkerThread.start {
            let end = ContinuousClock.now + .seconds(30)
            while (try? KernelFile.text("\(root)\(Self.chip)/export")) != "0", ContinuousClock.now < end { usleep(500) }
            symlink("\(root)/prepared/pwm0", "\(root)\(Self.chip)/pwm0")
        }
        #expect(started)
        let values = try driver.set(.number(5))
        #expect(values["duty"] == "5.0 %")
        #expect(try tree.read("\(Self.chip)/export") == "0")
        #expect(try tree.read("\(Self.chip)/unexport") == "")
        driver.stop()
        #expect(try tree.read("\(Self.chip)/unexport") == "0")
        tree.delete("\(Self.chip)/pwm0")
    }

    @Test("At the end it is safe, and stays exported so that it holds") func safe() throws {
        let tree = try Self.chip(exported: ("20000000", "1500000"))
        try make(PWMDriver.self, ["chip": "pwmchip0", "safe": 10], in: tree).stop()
        #expect(try state(tree) == ["20000000", "2000000", "normal", "1"])
        #expect(try tree.read("\(Self.chip)/unexport") == "")

        let never = try Self.chip()
        try make(PWMDriver.self, ["chip": "pwmchip0", "safe": 10], in: never).stop()
        #expect(try never.read("\(Self.chip)/export") == "")
    }

    @Test("Errors name what there is") func failures() async throws {
        let tree = try Self.chip(channels: "1")
        let absent = try make(PWMDriver.self, ["chip": "1f00098000.pwm"], in: tree)
        #expect(
            absent.failure()?.text(in: tree)
                == #"/sys/class/pwm has no chip "1f00098000.pwm"; it has fe20c000.pwm (pwmchip0)"#)
        let beyond = try make(PWMDriver.self, ["chip": "pwmchip0", "channel": 1], in: tree)
        #expect(
            beyond.failure()?.text(in: tree) == "/sys/class/pwm/pwmchip0 has no channel 1; it has only channel 0")
        // A kernel that shows nothing is waited for; not on a thread of the tests.
        let silent = try make(PWMDriver.self, ["chip": "pwmchip0", "period": "1ms"], in: tree).driver
        let sensor = ConfiguredSensor(name: "s", every: .seconds(10), timeout: .seconds(30), driver: silent)
        let result = await SensorRunner([sensor]).readOnce().first
        #expect(result?.error?.problem == "did not come when it was exported")
    }

    @Test("Options are checked") func options() {
        #expect(
            problems(of: PWMDriver.self, ["period": 20, "polarity": "reverse", "safe": -1, "channel": -1]) == [
                "1:1: sensor[1].chip: is missing", #"2:10: sensor[1].period: 20 has no unit: write "20s""#,
                #"3:12: sensor[1].polarity: "reverse" is not possible: possible are normal, inversed"#,
                "4:8: sensor[1].safe: -1 is out of range: allowed is 0 to 100",
                "5:11: sensor[1].channel: -1 is out of range: allowed is 0 to 1023",
            ])
    }
}
