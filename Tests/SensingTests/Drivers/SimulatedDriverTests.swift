import Sensing
import Settings
import Testing
import Units

@Suite struct SimulatedDriverTests {
    static let kinds = ["sine", "ramp", "random-walk", "bin"]

    static func run(_ options: Options, reads: Int, every: Duration = .seconds(7), sensor: String = "s") throws
        -> [Double]
    {
        let driver = try make(SimulatedDriver.self, options, sensor: sensor)
        return try (0..<reads).compactMap { index in
            try driver.read(at: noon + every * index).first?.number
        }
    }

    @Test("The same seed gives the same values; another one others", arguments: kinds)
    func seeds(kind: String) throws {
        let options: Options = ["kind": .string(kind), "seed": 7, "noise": 3]
        let other: Options = ["kind": .string(kind), "seed": 8, "noise": 3]
        #expect(try Self.run(options, reads: 100) == Self.run(options, reads: 100))
        #expect(try Self.run(options, reads: 100) != Self.run(other, reads: 100))
        // Without a seed, the name is it.
        let unseeded: Options = ["kind": .string(kind), "noise": 3]
        #expect(try Self.run(unseeded, reads: 9, sensor: "a") == Self.run(unseeded, reads: 9, sensor: "a"))
        #expect(try Self.run(unseeded, reads: 9, sensor: "a") != Self.run(unseeded, reads: 9, sensor: "b"))
    }

    @Test("Values stay in their range for thousands of seeds", arguments: kinds) func range(kind: String) throws {
        for seed in 0..<2000 {
            let options: Options = [
                "kind": .string(kind), "seed": .integer(Int64(seed)), "minimum": -3, "maximum": 5.005, "noise": 4,
            ]
            for value in try Self.run(options, reads: 20, every: .seconds(600)) {
                #expect((-3...5.005).contains(value), "seed \(seed)")
            }
        }
    }

    @Test("A sine passes through its middle, top and bottom; a ramp climbs") func phases() throws {
        let quarter = Duration.seconds(15)
        #expect(try Self.run(["kind": "sine"], reads: 5, every: quarter) == [50, 100, 50, 0, 50])
        #expect(try Self.run(["kind": "ramp"], reads: 5, every: quarter) == [0, 25, 50, 75, 0])
        #expect(
            try Self.run(["kind": "ramp", "period": "2m", "minimum": 10, "maximum": 20], reads: 3, every: quarter * 2)
                == [10, 12.5, 15])
    }

    @Test("A bin only fills, until it is emptied after its threshold") func bin() throws {
        for seed in 0..<200 {
            let options: Options = [
                "kind": "bin", "seed": .integer(Int64(seed)), "fill_time": "10m", "empty_at": 80,
            ]
            let levels = try Self.run(options, reads: 400, every: .seconds(10))
            var emptied = 0
            for (before, after) in zip(levels, levels.dropFirst()) {
                if after < before {
                    // What is shown is rounded.
                    #expect(before >= 79.99 && after == 0, "seed \(seed)")
                    emptied += 1
                } else {
                    #expect(before < 80.01, "seed \(seed)")
                }
            }
            // 4000 s at 480 s from empty to 80 %, on average.
            #expect((5...12).contains(emptied), "seed \(seed): emptied \(emptied) times")
        }
    }

    @Test("A clock that is set, back or far ahead, does not throw a bin over") func clockSet() throws {
        let driver = try make(SimulatedDriver.self, ["kind": "bin", "seed": 1])
        let first = try #require(driver.read(at: noon).first?.number)
        let back = try #require(driver.read(at: Timestamp(milliseconds: 0)).first?.number)
        #expect(back == first)
        let ahead = try #require(driver.read(at: noon).first?.number)
        #expect((first...100).contains(ahead))
    }

    @Test("Each so many-th read fails, and says so") func failures() throws {
        let driver = try make(SimulatedDriver.self, ["kind": "ramp", "fail_every": 3], sensor: "bin-1")
        let failed = (1...9).filter { _ in driver.failure() != nil }
        #expect(failed == [3, 6, 9])
        _ = driver.failure()
        _ = driver.failure()
        #expect(
            driver.failure()?.description
                == #"simulated sensor "bin-1" fails at each read whose number is a multiple of 3"#)
    }

    @Test("Units and decimals") func units() throws {
        let bin = try make(SimulatedDriver.self, ["kind": "bin"])
        #expect(try bin.read(at: noon).first?.unit == "%")
        let sine = try make(SimulatedDriver.self, ["kind": "sine", "unit": "m", "decimals": 0, "noise": 2])
        let value = try #require(sine.read(at: noon + .seconds(3)).first)
        #expect(value.unit == "m")
        #expect(value.number == value.number?.rounded())
    }

    @Test("Options are checked, and only those of the kind are known") func options() {
        #expect(
            problems(of: SimulatedDriver.self, ["minimum": 1]) == [
                "1:1: sensor[1].kind: is missing: possible are sine, ramp, bin, random-walk"
            ])
        #expect(
            problems(
                of: SimulatedDriver.self,
                ["kind": "bin", "period": "1m", "empty_at": 101, "fill_time": "10ms", "fail_every": 0]) == [
                    #"3:1: sensor[1].period: unknown key: known here are also decimals, maximum, minimum, noise, seed, unit"#,
                    "4:12: sensor[1].empty_at: 101 is out of range: allowed is 0 to 100",
                    "5:13: sensor[1].fill_time: 10ms is out of range: allowed is 1s and more",
                    "6:14: sensor[1].fail_every: 0 is out of range: allowed is 1 and more",
                ])
        #expect(
            problems(of: SimulatedDriver.self, ["kind": "sine", "minimum": 200, "period": 60]) == [
                "3:11: sensor[1].minimum: the maximum is not above the minimum"
            ])
        #expect(
            problems(of: SimulatedDriver.self, ["kind": "cosine"]) == [
                #"2:8: sensor[1].kind: "cosine" is not possible: did you mean "sine"? (possible are sine, ramp, bin, random-walk)"#
            ])
    }
}
