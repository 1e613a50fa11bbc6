import Testing
import Units

@testable import Sensing

@Suite struct RTCDriverTests {
    private static func clocks(_ clocks: [(name: String, time: String, setsSystem: Bool)]) throws -> FakeTree {
        let tree = try FakeTree()
        for (number, clock) in clocks.enumerated() {
            let folder = "/sys/class/rtc/rtc\(number)"
            try tree.write("\(folder)/name", "\(clock.name)\n")
            try tree.write("\(folder)/since_epoch", "\(clock.time)\n")
            try tree.write("\(folder)/hctosys", clock.setsSystem ? "1\n" : "0\n")
        }
        return tree
    }

    @Test(
        "It tells its time, and what it is ahead of the system's",
        arguments: [(0, "0.0 s"), (999, "0.0 s"), (1000, "-1.0 s"), (-1, "1.0 s"), (-3_600_000, "3600.0 s")])
    func difference(milliseconds: Int64, difference: String) throws {
        let tree = try Self.clocks([("rtc_cmos 00:04", "1767268800", true)])
        let now = Timestamp(milliseconds: noon.milliseconds + milliseconds)
        #expect(
            try make(RTCDriver.self, [:], in: tree).values(at: now)
                == ["time": "1767268800.0 s", "difference": difference])
        #expect(try make(RTCDriver.self, ["channel": "difference"], in: tree).values(at: now) == ["": difference])
    }

    @Test("Of several clocks it is the named one, or the one that set the system's time") func several() throws {
        let tree = try Self.clocks([("rpi-rtc soc:rpi_rtc", "100", false), ("rtc-ds1307 1-0068", "200", true)])
        for (options, time) in [
            (["channel": "time"], "200.0 s"), (["channel": "time", "device": "rtc0"], "100.0 s"),
            (["channel": "time", "device": "rpi-rtc soc:rpi_rtc"], "100.0 s"),
        ] as [(Options, String)] {
            #expect(try make(RTCDriver.self, options, in: tree).values() == ["": time])
        }
        let absent = try make(RTCDriver.self, ["device": "rtc2"], in: tree)
        #expect(
            absent.failure()?.text(in: tree)
                == #"/sys/class/rtc has no clock "rtc2"; it has rpi-rtc soc:rpi_rtc (rtc0), rtc-ds1307 1-0068 (rtc1)"#)
        let twins = try make(RTCDriver.self, [:], in: try Self.clocks([("a", "1", false), ("b", "2", false)]))
        #expect(twins.failure()?.kind == .ambiguous)
        #expect(try make(RTCDriver.self, [:], in: try FakeTree()).failure()?.problem == "has no clock")
    }

    @Test("Options are checked") func options() {
        #expect(
            problems(of: RTCDriver.self, ["channel": "drift"]) == [
                #"2:11: sensor[1].channel: "drift" is no channel: possible are time, difference"#
            ])
    }
}
