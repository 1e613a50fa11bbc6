import Pipeline
import Sensing
import TestSupport
import Testing
import Units

@Suite struct PipelineTests {
    @Test func `An offset is forgotten when the sensor is scaled otherwise, and kept when it is only filtered`() throws
    {
        var pipeline = Pipeline(sensors: [try sensor("s", ["scale": 2])])
        pipeline.calibrate("s", channel: nil, by: 5)
        let state = try JSONReader.value(Array(pipeline.state.text.utf8)[...])
        func restored(_ sensor: PipelineSensor) -> Pipeline { Pipeline(sensors: [sensor], state: state) }
        #expect(restored(try sensor("s", ["scale": 2, "median": 3])).calibrations.map(\.offset) == [5])
        let other = restored(try sensor("s", ["scale": 1]))
        #expect(other.calibrations.isEmpty)
        #expect(other.forgotten.map(\.offset) == [5])
    }

    @Test func `Without filters all goes through as it is`() throws {
        var pipeline = Pipeline(sensors: [try sensor("s")])
        let readings = [number(1, channel: "a", unit: "V"), number(2, channel: "b", quality: .stale("old"))]
        #expect(
            pipeline.accept(readings, at: start) == PipelineOutput(reports: [.readings(readings)], values: readings))
        #expect(pipeline.accept([], at: start) == PipelineOutput())
        let stranger = [number(1, of: "stranger")]
        #expect(
            pipeline.accept(stranger, at: start) == PipelineOutput(reports: [.readings(stranger)], values: stranger))
        #expect(pipeline.due == nil)
    }

    @Test func `Channels have filters of their own`() throws {
        var pipeline = try Pipeline(["median": 3, "report": ["change": 2]])
        _ = pipeline.accept([number(1, channel: "a"), number(100, channel: "b")], at: start)
        let output = pipeline.accept([number(1, channel: "a"), number(110, channel: "b")], at: at(1))
        #expect(output.seen == ["s.a 1.0", "s.b 105.0"])
        #expect(output.told == ["s.b 105.0"])
    }

    @Test func `Channels beyond the limit are dropped, and counted`() throws {
        var pipeline = try Pipeline(["median": 3])
        let output = pipeline.accept((0..<300).map { number(1, channel: "\($0)") }, at: start)
        #expect(output.values.count == Pipeline.maximumChannels)
        #expect(pipeline.dropped == 44)
    }

    @Test func `A calibration is added in the told unit, makes medians begin anew, and can be taken back`() throws {
        var pipeline = try Pipeline(["convert": "°F", "median": 3])
        #expect(pipeline.accept(0, at: 0, unit: "°C").told == ["s 32.0 °F"])
        var isDone = pipeline.calibrate("s", channel: nil, by: 100)
        #expect(isDone)
        #expect(pipeline.calibrations.map(\.offset) == [100])
        #expect(pipeline.accept(0, at: 1, unit: "°C").told == ["s 132.0 °F"])
        isDone = pipeline.calibrate("s", channel: nil, by: nil)
        #expect(isDone)
        #expect(pipeline.accept(0, at: 2, unit: "°C").told == ["s 32.0 °F"])
        #expect(pipeline.calibrations == [])
        isDone = pipeline.calibrate("stranger", channel: nil, by: 1)
        #expect(!isDone)
        isDone = pipeline.calibrate("s", channel: nil, by: .nan)
        #expect(!isDone)

        var plain = Pipeline(sensors: [try sensor("s")])
        plain.calibrate("s", channel: "a", by: 1)
        #expect(
            plain.accept([number(1, channel: "a"), number(1, channel: "b")], at: start).told == ["s.a 2.0", "s.b 1.0"])
    }

    // MARK: State

    static let options: [JSON] = [
        [:], ["median": 5, "report": ["change": 3, "silence": "2m"]], ["average": 4, "range": [-10, 10]],
        ["average": "20s", "report": ["percent": 20]], ["rate": "1m", "counter": true],
        ["window": ["every": "1m", "values": ["min", "max", "mean", "last", "count"], "empty": true]],
        ["settle": "5s", "report": ["change": 1]],
        ["settle": "5s", "window": ["every": "1m", "values": ["mean", "count"]]],
        ["convert": "°F", "window": ["every": "30s", "values": ["mean"]], "report": ["change": 2]],
    ]

    static func sensors() throws -> [PipelineSensor] {
        try options.enumerated().map { try sensor("s\($0)", $1) } + [
            try sensor("sum", ["expression": "s0 + s1", "median": 3, "max_age": "1m", "report": ["change": 1]]),
            try sensor("quotient", ["expression": "1 / s6"]), try sensor("both", ["expression": "sum * 2 + quotient"]),
        ]
    }

    /// Without what is derived: that begins anew with its inputs.
    private func own(_ output: PipelineOutput) -> PipelineOutput {
        func isOwn(_ sensor: String) -> Bool { sensor.hasPrefix("s") && sensor != "sum" }
        var output = output
        output.values.removeAll { !isOwn($0.sensor) }
        output.failures.removeAll { !isOwn($0.sensor) }
        output.reports.removeAll { report in
            switch report {
            case .readings(let readings): !isOwn(readings[0].sensor)
            case .failure(let sensor, _, _, _): !isOwn(sensor)
            case .alarm: false
            }
        }
        return output
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>) func `A restart at any time changes nothing`(_ seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var whole = Pipeline(sensors: try Self.sensors())
        var split = whole
        var now = 0.0
        for step in 0..<600 {
            now += Double.random(in: 0...5, using: &random).rounded()
            if Int.random(in: 0..<100, using: &random) == 0 {
                now += [-3600.0, 3600].randomElement(using: &random) ?? 0
            }
            let index = Int.random(in: 0..<Self.options.count, using: &random)
            let reading =
                index == 6 || index == 7
                ? boolean(Bool.random(using: &random), at(now), of: "s\(index)")
                : number(
                    Double.random(in: -12...12, using: &random), at(now), of: "s\(index)",
                    channel: Int.random(in: 0..<9, using: &random) == 0 && index > 1 ? "c" : nil,
                    unit: index == 8 ? "°C" : nil)
            let kind = Int.random(in: 0..<12, using: &random)
            func event(_ pipeline: inout Pipeline) -> PipelineOutput {
                switch kind {
                case 0: return pipeline.fail("s\(index)", reason: "gone", at: at(now))
                case 1:
                    pipeline.calibrate("s\(index)", channel: nil, by: now.truncatingRemainder(dividingBy: 3))
                    return PipelineOutput()
                case 2...4: return pipeline.advance(to: at(now))
                default: return pipeline.accept([reading], at: at(now))
                }
            }
            if Int.random(in: 0..<20, using: &random) == 0 {
                let text = split.state.text
                let state = try JSONReader.value(Array(text.utf8)[...])
                split = Pipeline(sensors: try Self.sensors(), state: state)
                #expect(split.state.text == text, "seed \(seed)")
                // The first that a run does is to read its sensors.
                for index in Self.options.indices {
                    for channel in index > 1 && index != 6 && index != 7 ? [nil, "c"] : [nil] {
                        let reading =
                            index == 6 || index == 7
                            ? boolean(true, at(now), of: "s\(index)")
                            : number(5, at(now), of: "s\(index)", channel: channel, unit: index == 8 ? "°C" : nil)
                        let pair = (whole.accept([reading], at: at(now)), split.accept([reading], at: at(now)))
                        #expect(own(pair.0) == own(pair.1), "seed \(seed), step \(step)")
                    }
                }
            }
            #expect(own(event(&whole)) == own(event(&split)), "seed \(seed), step \(step)")
            // Who waits until it is due does not wait in vain for ever.
            if 2...4 ~= kind { #expect(whole.due.map { $0 > at(now) } ?? true, "seed \(seed), step \(step)") }
        }
    }

    @Test func `Of a state, what does not fit is left out`() throws {
        var old = Pipeline(sensors: [try sensor("s", ["median": 3, "report": ["change": 5]]), try sensor("gone")])
        old.calibrate("s", channel: nil, by: 1)
        for second in 0..<3 { _ = old.accept(100, at: Double(second)) }
        let state = old.state
        var same = Pipeline(sensors: [try sensor("s", ["median": 3, "report": ["change": 7]])], state: state)
        #expect(same.accept(0, at: 4).seen == ["s 101.0"])
        var other = Pipeline(sensors: [try sensor("s", ["median": 3, "scale": 2])], state: state)
        #expect(other.accept(0, at: 4).told == ["s 0.0"])
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>) func `No state makes it trap`(_ seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var pipeline = Pipeline(sensors: try Self.sensors())
        for second in 0..<200 {
            let index = second % Self.options.count
            let value: Reading =
                index > 5
                ? boolean(second % 4 < 2, at(Double(second)), of: "s\(index)")
                : number(1, at(Double(second)), of: "s\(index)")
            _ = pipeline.accept([value], at: at(Double(second)))
        }
        let state = pipeline.state
        let garbage: [JSON] = [
            .null, .boolean(true), .number(-1), .number(1e308), .number(.nan), .integer(.max), .integer(.min), "x", [],
            [:],
            .number(0.5),
        ]
        func spoiled(_ json: JSON) -> JSON {
            if Int.random(in: 0..<20, using: &random) == 0 { return garbage.randomElement(using: &random) ?? .null }
            switch json {
            case .array(let elements): return .array(elements.map(spoiled))
            case .object(let members): return .object(members.map { JSON.Member($0.name, spoiled($0.value)) })
            default: return json
            }
        }
        for _ in 0..<200 {
            var pipeline = Pipeline(sensors: try Self.sensors(), state: spoiled(state))
            for index in Self.options.indices {
                _ = pipeline.accept([number(1, at(300), of: "s\(index)")], at: at(300))
            }
            _ = pipeline.advance(to: pipeline.due ?? at(301))
            _ = pipeline.state
        }
        for json in garbage { #expect(Pipeline(sensors: [], state: json).due == nil) }
    }

    @Test func `No time makes it trap`() throws {
        var pipeline = Pipeline(sensors: try Self.sensors())
        let times = [.min, -1, 0, start.milliseconds, .max].map(Timestamp.init(milliseconds:))
        for time in times {
            for now in times {
                for index in Self.options.indices {
                    let name = "s\(index)"
                    _ = pipeline.accept([number(1, time, of: name), boolean(true, time, of: name)], at: now)
                    _ = pipeline.accept([number(2, now, of: name), boolean(false, now, of: name)], at: time)
                }
                _ = pipeline.advance(to: now)
                _ = pipeline.state
            }
        }
        #expect(pipeline.accept([number(1, of: "s0")], at: start).seen.first == "s0 1.0")
    }
}
