import Pipeline
import Sensing
import TestSupport
import Testing
import Units

@Suite struct ReportByExceptionTests {
    /// What is told of numbers that come each second.
    func told(_ report: JSON, _ numbers: [Double]) throws -> [Double] {
        var pipeline = try Pipeline(["report": report])
        return try numbers.enumerated().flatMap { second, value in
            let output = pipeline.accept(value, at: Double(second))
            #expect(output.numbers == [value])
            return try output.reports.flatMap { report in
                guard case .readings(let readings) = report else { return [Double]() }
                return try readings.map { try #require($0.number) }
            }
        }
    }

    @Test func `A dead band is absolute, or relative to the last told value, or both`() throws {
        #expect(try told(["change": 2], [10, 11, 11.9, 12, 11, 10, 7]) == [10, 12, 10, 7])
        #expect(try told(["percent": 10], [100, 109, 110, 120, 121, 0, 0.1, 0.1]) == [100, 110, 121, 0, 0.1])
        #expect(try told(["change": 50, "percent": 10], [100, 109, 110, 1000, 1049, 1050]) == [100, 110, 1000, 1050])
        #expect(try told([:], [1, 1, 1, 2, 2, 1]) == [1, 2, 1])
        #expect(try told(["change": 0], [1, 1, 1.5]) == [1, 1.5])
        #expect(try told(["change": 5, "silence": "3s"], [1, 1, 2, 3, 3, 3, 1]) == [1, 3, 1])
    }

    @Test func `Booleans and texts are told when they change`() throws {
        var pipeline = try Pipeline(["report": ["change": 5]])
        let values: [Reading.Value] = [
            .boolean(true), .boolean(true), .boolean(false), .text("a"), .text("a"), .text("b"),
        ]
        let told = values.flatMap { pipeline.accept([Reading(sensor: "s", value: $0, time: start)], at: start).told }
        #expect(told == ["s true", "s false", "s a", "s b"])
    }

    @Test func `A change of quality or of unit is told, and the first value after a failure`() throws {
        var pipeline = try Pipeline(["range": [0, 10], "report": ["change": 100]])
        #expect(pipeline.accept(5, at: 0).told == ["s 5.0"])
        #expect(pipeline.accept(11, at: 1).told == ["s 11.0 ?"])
        #expect(pipeline.accept(12, at: 2).told == [])
        #expect(pipeline.accept(5, at: 3).told == ["s 5.0"])
        #expect(pipeline.accept(5, at: 4, unit: "m").told == ["s 5.0 m"])
        #expect(pipeline.fail("s", reason: "gone", at: at(5)).told == ["s fails: gone"])
        #expect(pipeline.fail("s", reason: "gone", at: at(6)).told == [])
        #expect(pipeline.accept(5, at: 7, unit: "m").told == ["s 5.0 m"])
        #expect(pipeline.fail("s", reason: "gone", at: at(8)).told == ["s fails: gone"])
    }

    @Test func `After a failure, each channel is told`() throws {
        var pipeline = try Pipeline(["report": ["change": 5]])
        let readings = [number(1, channel: "a"), number(2, channel: "b")]
        #expect(pipeline.accept(readings, at: start).told == ["s.a 1.0", "s.b 2.0"])
        #expect(pipeline.accept(readings, at: start).told == [])
        _ = pipeline.fail("s", reason: "gone", at: start)
        #expect(pipeline.accept(readings, at: start).told == ["s.a 1.0", "s.b 2.0"])
    }

    @Test func `Silence ends also where no reading comes, but not while the sensor fails`() throws {
        var pipeline = try Pipeline(["report": ["silence": "15m"]])
        #expect(pipeline.accept([boolean(true)], at: start).told == ["s true"])
        #expect(pipeline.due == at(900))
        #expect(pipeline.advance(to: at(899)).told == [])
        let output = pipeline.advance(to: at(900))
        #expect(output.told == ["s true"])
        #expect(output.values == [])
        #expect(output.reports == [.readings([boolean(true)])])
        #expect(pipeline.due == at(1800))
        _ = pipeline.fail("s", reason: "gone", at: at(1000))
        #expect(pipeline.advance(to: at(1800)).told == [])
        #expect(pipeline.due == nil)
    }

    @Test func `A clock set back lengthens a silence at most once`() throws {
        var pipeline = try Pipeline(["report": ["change": 9, "silence": "10s"]])
        _ = pipeline.accept(1, at: 0)
        #expect(pipeline.accept(1, at: -86400).told == [])
        #expect(pipeline.accept(1, at: -86391).told == [])
        #expect(pipeline.accept(1, at: -86390).told == ["s 1.0"])
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `What is told never differs from what is by the band or more`(
        _ seed: UInt64
    ) throws {
        var random = SplitMix64(seed: seed)
        let change = Double.random(in: 0.1...5, using: &random)
        var pipeline = try Pipeline(["report": ["change": .number(change), "silence": "1m"]])
        var value = 0.0
        var told: Double?
        var toldAt = 0.0
        var count = 0
        for second in 0..<3000 {
            value += Double.random(in: -1...1, using: &random)
            if case .readings(let readings)? = pipeline.accept(value, at: Double(second)).reports.first {
                told = readings[0].number
                toldAt = Double(second)
                count += 1
            }
            #expect(abs(value - (told ?? .infinity)) < change, "seed \(seed)")
            #expect(Double(second) - toldAt < 60, "seed \(seed)")
        }
        #expect(count < 3000)
    }
}
