import Pipeline
import Sensing
import TestSupport
import Testing
import Units

@Suite struct WindowTests {
    static let all: JSON = ["every": "1m", "values": ["min", "max", "mean", "last", "count"]]

    @Test func `A window's values are told at its end on the wall clock's grid`() throws {
        var pipeline = try Pipeline(["window": Self.all])
        #expect(pipeline.due == nil)
        for (second, value) in [(10.0, 4.0), (20, 1), (59.9, 7)] {
            let output = pipeline.accept(value, at: second, unit: "mm")
            #expect(output.seen == ["s \(value) mm"])
            #expect(output.told == [])
        }
        #expect(pipeline.due == at(60))
        #expect(pipeline.advance(to: at(59.999)).told == [])
        let output = pipeline.advance(to: at(60.02))
        #expect(output.told == ["s.min 1.0 mm", "s.max 7.0 mm", "s.mean 4.0 mm", "s.last 7.0 mm", "s.count 3.0"])
        guard case .readings(let readings)? = output.reports.first else { return }
        #expect(Set(readings.map(\.time)) == [at(60)])
        #expect(output.values == [])
        #expect(pipeline.due == nil)
    }

    @Test func `A reading behind the window ends it too`() throws {
        var pipeline = try Pipeline(["window": ["every": "1m", "values": "last"]])
        _ = pipeline.accept([number(1, channel: "t")], at: start)
        #expect(pipeline.accept([number(2, at(61), channel: "t")], at: at(61)).told == ["s.t.last 1.0"])
    }

    @Test func `A reading that comes when its window was told counts in the next`() throws {
        var pipeline = try Pipeline(["window": ["every": "1m", "values": ["last", "count"]]])
        _ = pipeline.accept(1, at: 10)
        #expect(pipeline.advance(to: at(60)).told == ["s.last 1.0", "s.count 1.0"])
        #expect(pipeline.accept([number(2, at(59))], at: at(60.1)).told == [])
        #expect(pipeline.due == at(120))
        #expect(pipeline.accept([number(3, at(119))], at: at(119)).told == [])
        #expect(pipeline.advance(to: at(120)).told == ["s.last 3.0", "s.count 2.0"])
    }

    @Test func `A window of a time that is to come again ends at once`() throws {
        var pipeline = try Pipeline(["window": ["every": "1m", "values": ["last", "count"]]])
        _ = pipeline.accept(1, at: 3610)
        #expect(pipeline.accept(2, at: 10).told == ["s.last 1.0", "s.count 1.0"])
        #expect(pipeline.advance(to: at(60)).told == ["s.last 2.0", "s.count 1.0"])
    }

    @Test func `Empty windows are told only if asked, and one for many`() throws {
        var quiet = try Pipeline(["window": Self.all])
        _ = quiet.accept(1, at: 0)
        _ = quiet.advance(to: at(60))
        #expect(quiet.advance(to: at(600)).told == [])

        var pipeline = try Pipeline(["window": ["every": "1m", "values": ["max", "count"], "empty": true]])
        _ = pipeline.accept(1, at: 0)
        #expect(pipeline.advance(to: at(60)).told == ["s.max 1.0", "s.count 1.0"])
        #expect(pipeline.due == at(120))
        #expect(pipeline.advance(to: at(120)).told == ["s.count 0.0"])
        #expect(pipeline.advance(to: at(86400 * 365)).told == ["s.count 0.0"])
        #expect(pipeline.due == at(86400 * 365 + 60))
    }

    @Test func `Booleans have a share, texts a last one, and bad values their quality`() throws {
        var pipeline = try Pipeline(["window": Self.all])
        _ = pipeline.accept(
            [boolean(true), boolean(false, at(1)), boolean(true, at(2)), boolean(true, at(3))], at: at(3))
        #expect(
            pipeline.advance(to: at(60)).told == [
                "s.min false", "s.max true", "s.mean 0.75", "s.last true", "s.count 4.0",
            ])
        _ = pipeline.accept([Reading(sensor: "s", value: .text("open"), time: at(61))], at: at(61))
        #expect(pipeline.advance(to: at(120)).told == ["s.last open", "s.count 1.0"])
        _ = pipeline.accept([number(9, at(121), quality: .outOfRange("far"))], at: at(121))
        #expect(
            pipeline.advance(to: at(180)).told == [
                "s.min 9.0 ?", "s.max 9.0 ?", "s.mean 9.0 ?", "s.last 9.0 ?", "s.count 0.0",
            ])
    }

    @Test func `A window is told whole if one of its values is news`() throws {
        var pipeline = try Pipeline([
            "window": ["every": "1m", "values": ["max", "count"]], "report": ["change": 2, "silence": "5m"],
        ])
        var told: [[String]] = []
        for (minute, value) in [1.0, 2, 3, 3, 3, 3, 3, 3].enumerated() {
            _ = pipeline.accept(value, at: Double(minute) * 60)
            told.append(pipeline.advance(to: at(Double(minute) * 60 + 60)).told)
        }
        #expect(
            told == [
                ["s.max 1.0", "s.count 1.0"], [], ["s.max 3.0", "s.count 1.0"], [], [], [], [],
                ["s.max 3.0", "s.count 1.0"],
            ])
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `Each reading counts in one window, whatever the clock does`(
        _ seed: UInt64
    ) throws {
        var random = SplitMix64(seed: seed)
        var pipeline = try Pipeline(["window": Self.all])
        var now = 0.0
        var counted = 0.0
        var accepted = 0.0
        func count(_ output: PipelineOutput) {
            for case .readings(let readings) in output.reports {
                counted += readings.filter { $0.channel == "count" }.compactMap(\.number).reduce(0, +)
            }
        }
        for _ in 0..<2000 {
            now += Double.random(in: 0...20, using: &random)
            if Int.random(in: 0..<100, using: &random) == 0 { now += Double.random(in: -1e5...1e5, using: &random) }
            if Bool.random(using: &random) {
                let late = Double.random(in: 0...30, using: &random)
                count(pipeline.accept([number(1, at(now - late))], at: at(now)))
                accepted += 1
            } else {
                count(pipeline.advance(to: at(now)))
            }
        }
        count(pipeline.advance(to: at(now + 1e6)))
        #expect(counted == accepted, "seed \(seed)")
    }
}
