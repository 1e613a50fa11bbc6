import Sensing
import Settings
import Testing

@Suite struct ConfiguredSensorTests {
    @Test("A sensor's table is read with its driver's options") func table() async throws {
        let tree = try FakeTree([
            "/sys/class/thermal/thermal_zone0/type": "cpu\n", "/sys/class/thermal/thermal_zone0/temp": "1000",
        ])
        let settings = reader(["name": "processor", "driver": "thermal", "every": "1m", "zone": "cpu"])
        let sensor = try #require(ConfiguredSensor(settings, root: tree.root + "/"))
        settings.finish()
        #expect(settings.problems.all == [])
        #expect(sensor.name == "processor")
        #expect(sensor.every == .seconds(60))
        #expect(sensor.timeout == .seconds(5))
        let results = await SensorRunner([sensor], wallClock: { noon }).readOnce()
        #expect(
            results == [
                SensorResult(
                    sensor: "processor",
                    readings: [Reading(sensor: "processor", value: .number(1), unit: "°C", time: noon)])
            ])
    }

    @Test("All that is wrong with a table is told")
    func problems() {
        let names = DriverRegistry.builtIn.names.joined(separator: ", ")
        func problems(_ options: Options) -> [String] {
            let settings = reader(options)
            #expect(ConfiguredSensor(settings) == nil)
            settings.finish()
            return settings.problems.all.map(\.description)
        }
        #expect(
            problems(["driver": "hwmom", "every": 10, "timeout": "1h", "chip": "x"]) == [
                "1:1: sensor[1].name: is missing",
                #"2:10: sensor[1].driver: "hwmom" is no driver: did you mean "hwmon"? (possible are \#(names))"#,
                #"3:9: sensor[1].every: 10 has no unit: write "10s""#,
                "4:11: sensor[1].timeout: 1h is out of range: allowed is 10ms to 5m",
            ])
        #expect(
            problems(["name": ""]) == [
                "1:1: sensor[1].driver: is missing: possible are \(names)",
                "2:8: sensor[1].name: is empty",
            ])
    }

    @Test("A driver of one's own takes its place in the registry") func registry() throws {
        var registry = DriverRegistry.builtIn
        registry.register(SensorRunnerTests.Scripted.self)
        #expect(registry.names == (DriverRegistry.builtIn.names + ["scripted"]).sorted())
        #expect(registry["scripted"] != nil)
        #expect(registry["no such"] == nil)
    }
}
