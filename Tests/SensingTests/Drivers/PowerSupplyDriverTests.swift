import Testing

@testable import Sensing

@Suite struct PowerSupplyDriverTests {
    private static let folder = "/sys/class/power_supply/battery"

    private static func hat(_ attributes: KeyValuePairs<String, String> = [:]) throws -> FakeTree {
        let tree = try FakeTree([
            "\(folder)/type": "Battery\n", "\(folder)/capacity": "57\n", "\(folder)/voltage_now": "3912500\n",
            "\(folder)/current_now": "-412000\n", "\(folder)/temp": "253\n", "\(folder)/status": "Not charging\n",
            "\(folder)/charge_now": "1500000\n", "\(folder)/present": "1\n", "\(folder)/time_to_empty_now": "7200\n",
            "\(folder)/health": "Good\n", "\(folder)/manufacturer": "Waveshare\n",
        ])
        for (attribute, text) in attributes { try tree.write("\(folder)/\(attribute)", "\(text)\n") }
        return tree
    }

    @Test("Properties come in units of ours") func units() throws {
        #expect(
            try make(PowerSupplyDriver.self, ["supply": "battery"], in: try Self.hat()).values() == [
                "capacity": "57.0 %", "voltage": "3.9125 V", "current": "-0.412 A", "temperature": "25.3 °C",
                "status": "Not charging", "charge": "1.5 Ah", "present": "true", "time_to_empty": "7200.0 s",
                "health": "Good",
            ])
    }

    @Test("One channel is the value; several keep their names; one that is not there is told") func channels() throws {
        let tree = try Self.hat()
        let one = try make(PowerSupplyDriver.self, ["supply": "battery", "channel": "voltage"], in: tree)
        #expect(try one.values() == ["": "3.9125 V"])
        let two = try make(PowerSupplyDriver.self, ["supply": "battery", "channel": ["status", "capacity"]], in: tree)
        #expect(try two.values() == ["status": "Not charging", "capacity": "57.0 %"])
        let absent = try make(PowerSupplyDriver.self, ["supply": "battery", "channel": "energy"], in: tree)
        #expect(absent.failure()?.problem == #"has no channel "energy""#)
        #expect(absent.failure()?.mend?.hasPrefix("it has capacity, voltage, current") == true)
    }

    @Test("A battery that says more than all is out of range") func range() throws {
        let tree = try Self.hat(["capacity": "104"])
        let driver = try make(PowerSupplyDriver.self, ["supply": "battery", "channel": "capacity"], in: tree)
        #expect(try driver.read(at: noon).map(\.quality) == [.outOfRange("no part of 100 %")])
    }

    @Test("A supply that is not there is answered with those that are; garbage fails alone") func failures() throws {
        let tree = try Self.hat(["voltage_now": "garbage"])
        let absent = try make(PowerSupplyDriver.self, ["supply": "BAT0"], in: tree)
        #expect(
            absent.failure()?.text(in: tree)
                == #"/sys/class/power_supply has no supply "BAT0"; it has battery"#)
        let driver = try make(PowerSupplyDriver.self, ["supply": "battery"], in: tree)
        let error = try #require(driver.failure())
        #expect(error.kind == .malformed)
        #expect(error.measured.count == 8)
    }

    @Test("Options are checked") func options() {
        #expect(
            problems(of: PowerSupplyDriver.self, ["channel": "volts", "property": "x"]) == [
                "1:1: sensor[1].supply: is missing",
                #"2:11: sensor[1].channel: "volts" is no channel: possible are capacity, voltage, voltage_mean, voltage_full, voltage_empty, current, current_mean, current_limit, power, energy, energy_full, energy_design, charge, charge_full, charge_design, charge_counter, temperature, ambient, time_to_empty, time_to_full, cycles, online, present, status, health, level"#,
                "3:1: sensor[1].property: unknown key: known here are also supply",
            ])
    }
}
