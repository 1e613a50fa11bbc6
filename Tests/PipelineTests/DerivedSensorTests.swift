import Pipeline
import Sensing
import Testing
import Units

@Suite struct DerivedSensorTests {
    @Test func `Depth and distance give the fill, with the time of the distance`() throws {
        var pipeline = Pipeline(sensors: [
            try sensor("fill", ["expression": "100 * (0.92 - distance) / 0.92", "unit": "%"]),
            try sensor("distance", ["median": 3]),
        ])
        let output = pipeline.accept([number(0.46, of: "distance", unit: "m")], at: at(1))
        #expect(output.told == ["distance 0.46 m", "fill 50.0 %"])
        #expect(output.values == [number(0.46, of: "distance", unit: "m"), number(50, of: "fill", unit: "%")])
    }

    @Test func `It waits for all of its inputs, and takes the newest time`() throws {
        var pipeline = Pipeline(sensors: [try sensor("a"), try sensor("b"), try sensor("sum", ["expression": "a + b"])])
        #expect(pipeline.accept([number(1, at(5), of: "a")], at: at(5)).told == ["a 1.0"])
        let output = pipeline.accept([number(2, at(3), of: "b")], at: at(6))
        #expect(output.told == ["b 2.0", "sum 3.0"])
        #expect(output.values.last?.time == at(5))
    }

    @Test func `A channel that fails fails what is derived from it, and no other`() throws {
        var pipeline = Pipeline(sensors: [
            try sensor("p", ["report": ["change": 1, "silence": "10s"]]),
            try sensor("sum", ["expression": "p.a + p.n"]),
            try sensor("a", ["expression": "p.a"]),
        ])
        func pair(_ a: Double, _ n: Double?, _ seconds: Double) -> [Reading] {
            [number(a, at(seconds), of: "p", channel: "a")]
                + (n.map { [number($0, at(seconds), of: "p", channel: "n")] } ?? [])
        }
        _ = pipeline.accept(pair(1, 95, 0), at: at(0))
        #expect(
            pipeline.fail("p", channel: "n", reason: "unplugged", at: at(1)).told == [
                "p.n fails: unplugged", "sum fails: input p.n fails: unplugged",
            ])
        #expect(pipeline.accept(pair(3, nil, 1), at: at(1)).told == ["p.a 3.0", "a 3.0"])
        // It is told once, and its last value not at all.
        #expect(pipeline.fail("p", channel: "n", reason: "unplugged", at: at(2)).told == [])
        #expect(pipeline.advance(to: at(12)).told == ["p.a 3.0"])
        #expect(pipeline.accept(pair(3, 95, 13), at: at(13)).told.contains("p.n 95.0"))
        #expect(pipeline.accept(pair(4, 95, 14), at: at(14)).told.contains("sum 99.0"))
        // Also where it has never had a value.
        var young = Pipeline(sensors: [try sensor("p"), try sensor("sum", ["expression": "p.a + p.n"])])
        #expect(
            young.fail("p", channel: "n", reason: "unplugged", at: at(0)).told == [
                "p.n fails: unplugged", "sum fails: input p.n fails: unplugged",
            ])
        #expect(young.accept(pair(1, nil, 0), at: at(0)).told == ["p.a 1.0"])
    }

    @Test func `What failed with its input is worked out again when any channel of that has come back`() throws {
        var pipeline = Pipeline(sensors: [try sensor("p"), try sensor("twice", ["expression": "p.a * 2"])])
        func read(_ channel: String, _ second: Double) -> [String] {
            pipeline.accept([number(1, at(second), of: "p", channel: channel)], at: at(second)).told
        }
        #expect(read("a", 0) == ["p.a 1.0", "twice 2.0"])
        #expect(
            pipeline.fail("p", reason: "gone", at: at(1)).told == [
                "p fails: gone", "twice fails: input p.a fails: gone",
            ])
        #expect(read("b", 2) == ["p.b 1.0", "twice 2.0"])
        #expect(read("b", 3) == ["p.b 1.0"])
    }

    @Test func `Derived ones are worked out in order, once, however they hang together`() throws {
        var pipeline = Pipeline(sensors: [
            try sensor("d", ["expression": "b + c"]), try sensor("c", ["expression": "a + b"]),
            try sensor("b", ["expression": "2 * a"]), try sensor("a"),
        ])
        #expect(pipeline.accept([number(1, of: "a")], at: start).told == ["a 1.0", "b 2.0", "c 3.0", "d 5.0"])
    }

    @Test func `A derived sensor has filters too`() throws {
        var pipeline = Pipeline(sensors: [
            try sensor("a"),
            try sensor("b", ["expression": "a", "scale": 2, "range": [0, 10], "report": ["change": 4]]),
        ])
        #expect(pipeline.accept([number(1, of: "a")], at: start).told == ["a 1.0", "b 2.0"])
        let output = pipeline.accept([number(2, of: "a")], at: start)
        #expect(output.told == ["a 2.0"])
        #expect(output.seen == ["a 2.0", "b 4.0"])
        #expect(pipeline.accept([number(6, of: "a")], at: start).told == ["a 6.0", "b 12.0 ?"])
    }

    @Test func `Channels, quoted names, and names with dots`() throws {
        var pipeline = Pipeline(sensors: [
            try sensor("room.1"), try sensor("bin-1"),
            try sensor("x", ["expression": "room.'1'.'core 0' + 'bin-1'"]),
        ])
        let reading = number(3, of: "room.1", channel: "core 0")
        _ = pipeline.accept([reading, number(4, of: "room.1", channel: "core 1")], at: start)
        #expect(
            pipeline.accept([number(1, of: "bin-1", channel: "only")], at: start).told == ["bin-1.only 1.0", "x 4.0"])
    }

    @Test func `A channel that the sensor does not have is told with those that it has`() throws {
        var pipeline = Pipeline(sensors: [
            try sensor("climate"), try sensor("x", ["expression": "climate"]),
            try sensor("y", ["expression": "climate.hum"]),
        ])
        let readings = [number(3, of: "climate", channel: "t"), number(4, of: "climate", channel: "core 0")]
        #expect(
            pipeline.accept(readings, at: start).told == [
                "climate.t 3.0", "climate.core 0 4.0",
                "x fails: input climate has no value: the sensor's channels are t, 'core 0'",
                "y fails: input climate.hum has no value: the sensor's channels are t, 'core 0'",
            ])
    }

    @Test func `It fails with its input, once, and recovers with it`() throws {
        var pipeline = Pipeline(sensors: [
            try sensor("a"), try sensor("b", ["expression": "a + 1"]), try sensor("c", ["expression": "b + 1"]),
        ])
        _ = pipeline.accept([number(1, of: "a")], at: start)
        #expect(
            pipeline.fail("a", reason: "no echo", at: at(1)).told == [
                "a fails: no echo", "b fails: input a fails: no echo", "c fails: input b fails: input a fails: no echo",
            ])
        #expect(pipeline.fail("a", reason: "no echo", at: at(2)) == PipelineOutput())
        #expect(pipeline.accept([number(2, of: "a")], at: at(3)).told == ["a 2.0", "b 3.0", "c 4.0"])
        #expect(pipeline.fail("a", reason: "no echo", at: at(4)).told.count == 3)
    }

    @Test func `An input's quality is carried on, with its name`() throws {
        var pipeline = Pipeline(sensors: [
            try sensor("a", ["range": [0, 10]]), try sensor("b"), try sensor("c", ["expression": "a + b"]),
        ])
        _ = pipeline.accept([number(1, of: "b", quality: .stale("old"))], at: start)
        #expect(pipeline.accept([number(1, of: "a")], at: start).values.last?.quality == .stale("input b: old"))
        #expect(
            pipeline.accept([number(11, of: "a")], at: start).values.last?.quality
                == .outOfRange("input a: 11 is not within 0 to 10"))
    }

    @Test func `What is only derived from what a broker had retained is not silent`() throws {
        var pipeline = Pipeline(sensors: [try sensor("a"), try sensor("b"), try sensor("c", ["expression": "a + b"])])
        _ = pipeline.accept([number(1, of: "a", quality: .undated("retained"))], at: start)
        #expect(pipeline.accept([number(1, of: "b")], at: start).values.last?.quality == .undated("input a: retained"))
        let old = pipeline.accept([number(1, of: "b", quality: .stale("old"))], at: start)
        #expect(old.values.last?.quality == .stale("input b: old"))
    }

    @Test func `A division by zero is a failure until there is a value again`() throws {
        var pipeline = Pipeline(sensors: [try sensor("a"), try sensor("b", ["expression": "1 / a"])])
        #expect(pipeline.accept([number(0, of: "a")], at: start).told == ["a 0.0", "b fails: division by zero"])
        #expect(pipeline.accept([number(0, of: "a")], at: start).told == ["a 0.0"])
        #expect(pipeline.accept([number(2, of: "a")], at: start).told == ["a 2.0", "b 0.5"])
    }

    @Test func `An input that has become too old counts as failed`() throws {
        var pipeline = Pipeline(sensors: [
            try sensor("a"), try sensor("b"), try sensor("c", ["expression": "a + b", "max_age": "5m"]),
        ])
        _ = pipeline.accept([number(1, of: "a")], at: start)
        #expect(pipeline.due == at(300.001), "b has as long from the start")
        _ = pipeline.accept([number(1, at(100), of: "b")], at: at(100))
        #expect(pipeline.due == at(300.001))
        #expect(pipeline.advance(to: at(300)).told == [])
        #expect(pipeline.advance(to: at(301)).told == ["c fails: input a has had no new value for 5m"])
        #expect(pipeline.due == nil)
        #expect(pipeline.accept([number(2, at(302), of: "b")], at: at(302)).told == ["b 2.0"])
        #expect(pipeline.accept([number(2, at(303), of: "a")], at: at(303)).told == ["a 2.0", "c 4.0"])
    }

    @Test func `An input from before the clock was set back counts as too old`() throws {
        var pipeline = Pipeline(sensors: [
            try sensor("a"), try sensor("b"), try sensor("c", ["expression": "a + b", "max_age": "5m"]),
        ])
        _ = pipeline.accept([number(1, of: "a"), number(1, of: "b")], at: start)
        let back = pipeline.accept([number(2, at(-3600), of: "b")], at: at(-3600))
        #expect(back.told == ["b 2.0", "c fails: input a has had no new value for 5m"])
        #expect(pipeline.accept([number(2, at(-3599), of: "a")], at: at(-3599)).told == ["a 2.0", "c 4.0"])
    }

    @Test func `An input that says nothing since the start counts as failed when its time is over`() throws {
        let sensors = [try sensor("a"), try sensor("b"), try sensor("c", ["expression": "a + b", "max_age": "5m"])]
        var pipeline = Pipeline(sensors: sensors)
        for second in [0.0, 299] { _ = pipeline.accept([number(1, at(second), of: "a")], at: at(second)) }
        #expect(pipeline.advance(to: at(300)).told == [])
        #expect(
            pipeline.advance(to: try #require(pipeline.due)).told == ["c fails: input b has had no new value for 5m"])
        #expect(pipeline.accept([number(2, at(301), of: "b")], at: at(301)).told == ["b 2.0", "c 3.0"])
    }

    @Test func `Another channel of an input's sensor is nothing to it`() throws {
        var pipeline = Pipeline(sensors: [
            try sensor("p"), try sensor("twice", ["expression": "2 * p.n"]),
            try sensor("sum", ["expression": "p.n + p.m"]),
            try sensor("late", ["expression": "twice + 1"]),
        ])
        func accept(_ channels: String...) -> [String] {
            pipeline.accept(channels.map { number(1, of: "p", channel: $0) }, at: start).told.filter {
                !$0.hasPrefix("p.")
            }
        }
        #expect(accept("n", "m") == ["twice 2.0", "sum 2.0", "late 3.0"])
        #expect(accept("m") == ["sum 2.0"])
        #expect(accept("x") == [])
        #expect(accept("x", "n") == ["twice 2.0", "sum 2.0", "late 3.0"])
        #expect(pipeline.fail("p", reason: "gone", at: start).told.count == 4)
    }

    // MARK: Over a restart

    @Test func `What an input said in an earlier run is no input in this one`() throws {
        let sensors = [try sensor("x"), try sensor("y"), try sensor("diff", ["expression": "abs(x - y)"])]
        var pipeline = Pipeline(sensors: sensors)
        _ = pipeline.accept([number(20, of: "x"), number(22, of: "y")], at: start)
        pipeline = Pipeline(sensors: sensors, state: try stored(pipeline.state))
        #expect(pipeline.advance(to: at(100)).told == [])
        #expect(pipeline.accept([number(60, at(100), of: "x")], at: at(100)).told == ["x 60.0"])
        #expect(pipeline.accept([number(62, at(100), of: "y")], at: at(100)).told == ["y 62.0", "diff 2.0"])
    }

    @Test func `An input's age counts from the start of this run`() throws {
        let sensors = [try sensor("x"), try sensor("fill", ["expression": "x * 2", "max_age": "3s"])]
        var pipeline = Pipeline(sensors: sensors)
        _ = pipeline.accept([number(10, of: "x")], at: start)
        pipeline = Pipeline(sensors: sensors, state: try stored(pipeline.state))
        #expect(pipeline.advance(to: at(5)) == PipelineOutput())
        #expect(pipeline.due == at(8) + .milliseconds(1))
        #expect(pipeline.accept([number(11, at(5.1), of: "x")], at: at(5.1)).told == ["x 11.0", "fill 22.0"])
        // One that stays silent is not forgiven for ever.
        pipeline = Pipeline(sensors: sensors, state: try stored(pipeline.state))
        #expect(pipeline.advance(to: at(20)) == PipelineOutput())
        let failure = "input x has had no new value for 3s"
        #expect(pipeline.advance(to: at(23.001)).told == ["fill fails: \(failure)"])
        // And over the next start uplinks are not told twice, but alarms are.
        pipeline = Pipeline(sensors: sensors, state: try stored(pipeline.state))
        #expect(pipeline.advance(to: at(30)) == PipelineOutput())
        #expect(
            pipeline.advance(to: at(34))
                == PipelineOutput(failures: [.init(sensor: "fill", reason: failure, time: at(34))]))
    }

    @Test func `That an input failed in an earlier run does not fail what is derived from it`() throws {
        let sensors = [try sensor("x"), try sensor("y"), try sensor("sum", ["expression": "x + y"])]
        var pipeline = Pipeline(sensors: sensors)
        _ = pipeline.fail("x", reason: "gone", at: start)
        pipeline = Pipeline(sensors: sensors, state: try stored(pipeline.state))
        #expect(pipeline.accept([number(1, of: "y")], at: at(1)).told == ["y 1.0"])
        #expect(pipeline.fail("x", reason: "gone", at: at(1)).told == [], "it is known, and so is the sum's")
        #expect(pipeline.accept([number(1, of: "x")], at: at(2)).told == ["x 1.0", "sum 2.0"])
    }

    @Test func `What settles later changes what is derived from it`() throws {
        var pipeline = Pipeline(sensors: [
            try sensor("lid", ["settle": "1s"]), try sensor("shut", ["expression": "not lid"]),
        ])
        #expect(pipeline.accept([boolean(false, of: "lid")], at: start).told == ["lid false", "shut true"])
        #expect(pipeline.accept([boolean(true, at(1), of: "lid")], at: at(1)).told == [])
        #expect(pipeline.advance(to: at(2)).told == ["lid true", "shut false"])
    }

    @Test func `What settles at once is derived from in order`() throws {
        var pipeline = Pipeline(sensors: [
            try sensor("d", ["expression": "c + a"]), try sensor("c", ["expression": "b + a"]),
            try sensor("a", ["settle": "1s"]), try sensor("b", ["settle": "1s"]),
        ])
        _ = pipeline.accept([boolean(false, of: "a"), boolean(false, of: "b")], at: start)
        _ = pipeline.accept([boolean(true, at(1), of: "a"), boolean(true, at(1), of: "b")], at: at(1))
        #expect(pipeline.advance(to: at(2)).told == ["a true", "b true", "c 2.0", "d 3.0"])
    }

    @Test func `Circles and unknown names are found, and never have a value`() throws {
        let sensors = [
            try sensor("a", ["expression": "b + 1"]), try sensor("b", ["expression": "c"]),
            try sensor("c", ["expression": "a"]), try sensor("self", ["expression": "self + 1"]),
            try sensor("behind", ["expression": "a + level"]), try sensor("level"),
            try sensor("typo", ["expression": "1 + levle"]), try sensor("bin-1"),
            try sensor("dash", ["expression": "bin-1"]),
        ]
        let findings = Pipeline.check(sensors).map { "\($0.sensor) \($0.message): \($0.mend ?? "")" }
        #expect(
            Set(findings) == [
                "a is derived from itself: a → b → c → a: take one of them out of the other's expression",
                "b is derived from itself: b → c → a → b: take one of them out of the other's expression",
                "c is derived from itself: c → a → b → c: take one of them out of the other's expression",
                "self is derived from itself: self → self: take one of them out of the other's expression",
                "typo at character 5 of the expression: there is no sensor \"levle\": did you mean \"level\"? (possible are a, b, c, self, behind, level, typo, bin-1, dash)",
                "dash at character 1 of the expression: there is no sensor \"bin\": if \"bin-1\" is meant, write 'bin-1'",
            ])
        var pipeline = Pipeline(sensors: sensors)
        #expect(pipeline.accept([number(1, of: "level")], at: start).told == ["level 1.0"])
        #expect(Pipeline.check([try sensor("level"), try sensor("x", ["expression": "level"])]) == [])
    }
}
