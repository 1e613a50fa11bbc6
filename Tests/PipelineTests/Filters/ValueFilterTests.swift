import Pipeline
import Sensing
import TestSupport
import Testing
import Units

/// Scale, conversion, range, median, average and rate.
@Suite struct ValueFilterTests {
    @Test func `A number is scaled exactly, and then shifted`() throws {
        var pipeline = try Pipeline(["scale": 0.001, "offset": -5])
        #expect(pipeline.accept(25080, at: 0).numbers == [25.08 - 5])
        #expect(pipeline.accept([boolean(true, of: "s")], at: start).seen == ["s true"])
    }

    @Test(arguments: [
        (100, "°C", "°F", 212), (-40, "°F", "°C", -40), (0, "°C", "K", 273.15), (32, "°F", "K", 273.15),
        (25, "mm", "m", 0.025), (1, "in", "mm", 25.4), (1, "mi", "km", 1.609344), (1013.25, "hPa", "atm", 1),
        (1, "bar", "kPa", 100), (36, "km/h", "m/s", 10), (1, "kn", "km/h", 1.852), (1, "lb", "g", 453.59237),
        (1, "kWh", "MJ", 3.6), (0.5, "1", "%", 50), (90, "s", "min", 1.5), (1, "MiB", "kB", 1048.576),
        (8, "Mbit/s", "MB/s", 1), (60, "rpm", "Hz", 1), (180, "°", "rad", Double.pi), (1, "degC", "K", 274.15),
        (1500, "μg/m³", "mg/m³", 1.5), (60, "L/min", "m³/h", 3.6),
    ])
    func `Units of one dimension are converted`(_ row: (value: Double, from: String, to: String, result: Double)) throws
    {
        var pipeline = try Pipeline(["convert": .string(row.to)])
        let reading = try #require(pipeline.accept(row.value, at: 0, unit: row.from).values.first)
        #expect(abs(try #require(reading.number) - row.result) <= abs(row.result) * 1e-12)
        #expect(reading.unit == row.to)
        #expect(reading.quality == .good)
    }

    @Test func `What cannot be converted is marked where it is the only value, and stays where others are`() throws {
        var pipeline = try Pipeline(["convert": ["°F", "bar"], "median": 3])
        let only = pipeline.accept(50, at: 0, unit: "%").values
        #expect(only.map(\.quality) == [.outOfRange("% cannot be converted to °F, bar: possible are 1, ‰, ppm, ppb")])
        #expect(
            pipeline.accept(50, at: 1).values.map(\.quality.reason) == [
                "a value without a unit cannot be converted to °F, bar"
            ])
        let several = pipeline.accept(
            [
                number(10, channel: "t", unit: "°C"), number(50, channel: "h", unit: "%"),
                number(1000, channel: "p", unit: "hPa"),
            ], at: start)
        #expect(several.seen == ["s.t 50.0 °F", "s.h 50.0 %", "s.p 1.0 bar"])
    }

    @Test func `What is implausible is marked, and enters no median, average, rate or window`() throws {
        var median = try Pipeline(["range": [0, 400], "median": 3])
        #expect(median.accept(10, at: 0).seen == ["s 10.0"])
        let far = median.accept(8191, at: 1)
        #expect(far.seen == ["s 8191.0 ?"])
        #expect(far.values[0].quality == .outOfRange("8191 is not within 0 to 400"))
        #expect(median.accept(12, at: 2).seen == ["s 11.0"])
        #expect(median.accept([number(500, quality: .stale("old"))], at: at(3)).seen == ["s 500.0 ?"])

        var average = try Pipeline(["range": [0, 400], "average": 3, "implausible": "drop"])
        #expect(average.accept(10, at: 0).seen == ["s 10.0"])
        #expect(average.accept(-1, at: 1) == PipelineOutput())
        #expect(average.accept(20, at: 2).seen == ["s 15.0"])

        var window = try Pipeline([
            "range": [0, 400], "window": ["every": "1m", "values": ["max", "count"]],
        ])
        _ = window.accept(10, at: 0)
        _ = window.accept(401, at: 1)
        #expect(window.advance(to: at(60)).told == ["s.max 10.0", "s.count 1.0"])
    }

    @Test func `A scaled number beyond all numbers is none`() throws {
        var pipeline = try Pipeline(["scale": 1e300])
        #expect(pipeline.accept(1e300, at: 0).seen == ["s 1e+300 ?"])
    }

    @Test func `A number that cannot be converted keeps its unit`() throws {
        var pipeline = try Pipeline(["convert": "°F"])
        #expect(pipeline.accept(1.7e308, at: 0, unit: "°C").seen == ["s 1.7e+308 °C ?"])
        var dropping = try Pipeline(["convert": "°F", "range": [0, 100], "implausible": "drop"])
        #expect(dropping.accept(1.7e308, at: 0, unit: "°C") == PipelineOutput())
    }

    @Test(arguments: [3, 5, 99]) func `The median is the middle of the sorted last values`(_ length: Int) throws {
        var random = SplitMix64(seed: UInt64(length))
        var pipeline = try Pipeline(["median": .integer(Int64(length))])
        var all: [Double] = []
        for second in 0..<500 {
            all.append(Double(Int.random(in: -20...20, using: &random)))
            let sorted = all.suffix(length).sorted()
            let middle = sorted.count / 2
            let expected = sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
            #expect(pipeline.accept(all[second], at: Double(second)).numbers == [expected], "seed \(random.seed)")
        }
    }

    @Test func `An average is of so many values, or of so much time`() throws {
        var count = try Pipeline(["average": 2])
        #expect([1, 3, 9].enumerated().flatMap { count.accept($1, at: Double($0)).numbers } == [1, 2, 6])
        var span = try Pipeline(["average": "10s"])
        #expect(span.accept(1, at: 0).numbers == [1])
        #expect(span.accept(3, at: 9).numbers == [2])
        #expect(span.accept(5, at: 10).numbers == [4])
        #expect(span.accept(7, at: 100).numbers == [7])
        // The clock is set back, and forth again.
        #expect(span.accept(9, at: -3600).numbers == [9])
        #expect(span.accept(11, at: 200).numbers == [11])
    }

    @Test func `A rate needs two values, and time between them`() throws {
        var pipeline = try Pipeline(["rate": "1m"])
        #expect(pipeline.accept(10, at: 0, unit: "mm").told == [])
        #expect(pipeline.accept(11, at: 30, unit: "mm").told == ["s 2.0 mm/min"])
        #expect(pipeline.accept(11, at: 30, unit: "mm").told == [])
        #expect(pipeline.accept(9, at: 60, unit: "mm").told == ["s -4.0 mm/min"])
        #expect(pipeline.accept(10, at: 0, unit: "mm").told == [])
        #expect(pipeline.accept(10.5, at: 60, unit: "mm").told == ["s 0.5 mm/min"])
    }

    @Test func `Of two values of one instant, the change since the first counts`() throws {
        var pipeline = try Pipeline(["rate": "1m"])
        #expect([10.0, 11].flatMap { pipeline.accept($0, at: 0).numbers } == [])
        #expect(pipeline.accept(14, at: 60).numbers == [4])
    }

    @Test(arguments: [("1s", "mm/s"), ("1h", "mm/h"), ("1d", "mm/d"), ("10s", "mm/10s")])
    func `A rate's unit names its time`(_ row: (per: String, unit: String)) throws {
        var pipeline = try Pipeline(["rate": .string(row.per)])
        _ = pipeline.accept(1, at: 0, unit: "mm")
        #expect(pipeline.accept(2, at: 10, unit: "mm").values.map(\.unit) == [row.unit])
    }

    @Test func `What is implausible is no rate, and told once as what has no value`() throws {
        var pipeline = Pipeline(sensors: [
            try sensor("s", ["range": [0, 400], "rate": "1m", "report": ["change": 1]]),
            try sensor("twice", ["expression": "2 * s"]),
        ])
        _ = pipeline.accept(10, at: 0, unit: "mm")
        #expect(pipeline.accept(11, at: 60, unit: "mm").told == ["s 1.0 mm/min", "twice 2.0"])
        let far = pipeline.accept(500, at: 120, unit: "mm")
        let reason = "500 is not within 0 to 400"
        #expect(far.told == ["s fails: \(reason)", "twice fails: input s has no value: \(reason)"])
        #expect(far.values == [])
        #expect(!far.failures.contains { $0.sensor == "s" }, "what is implausible raises no alarm")
        #expect(pipeline.accept(501, at: 121, unit: "mm") == PipelineOutput())
        let stale = number(12, at(122), unit: "mm", quality: .stale("old"))
        #expect(pipeline.accept([stale], at: at(122)).told.first == "s fails: old")
        #expect(pipeline.accept(13, at: 180, unit: "mm").told == ["s 1.0 mm/min", "twice 2.0"])
    }

    @Test func `Of several channels only the implausible one has no rate`() throws {
        var pipeline = try Pipeline(["range": [0, 400], "rate": "1m"])
        func accept(_ a: Double, _ b: Double, at seconds: Double) -> [String] {
            let readings = [number(a, at(seconds), channel: "a"), number(b, at(seconds), channel: "b")]
            return pipeline.accept(readings, at: at(seconds)).told
        }
        #expect(accept(1, 1, at: 0) == [])
        #expect(accept(2, -1, at: 60) == ["s.b fails: -1 is not within 0 to 400", "s.a 1.0 1/min"])
        #expect(accept(3, -1, at: 120) == ["s.a 1.0 1/min"])
        #expect(accept(4, 4, at: 180) == ["s.a 1.0 1/min", "s.b 1.0 1/min"])
    }

    @Test func `A counter that went back began anew`() throws {
        var pipeline = try Pipeline(["rate": "1s", "counter": true])
        #expect([100, 110, 3, 13].enumerated().flatMap { pipeline.accept($1, at: Double($0)).numbers } == [10, 10])
    }
}
