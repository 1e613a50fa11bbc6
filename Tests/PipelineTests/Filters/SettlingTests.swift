import Pipeline
import Sensing
import Testing
import Units

@Suite struct SettlingTests {
    var pipeline: Pipeline

    init() throws {
        pipeline = try Pipeline(["settle": "500ms"])
        #expect(pipeline.accept([boolean(false)], at: start).told == ["s false"])
    }

    mutating func say(_ value: Bool, _ seconds: Double) -> [String] {
        pipeline.accept([boolean(value, at(seconds))], at: at(seconds)).told
    }

    @Test mutating func `What does not last is never told`() {
        #expect(say(true, 1) == [])
        #expect(say(false, 1.4) == ["s false"])
        #expect(pipeline.advance(to: at(10)).told == [])
        #expect(pipeline.due == nil)
    }

    @Test mutating func `What lasts is told when it is time, with the time of its reading`() {
        #expect(say(true, 1) == [])
        #expect(pipeline.due == at(1.5))
        #expect(pipeline.advance(to: at(1.499)).told == [])
        let output = pipeline.advance(to: at(1.5))
        #expect(output.told == ["s true"])
        #expect(output.values.map(\.time) == [at(1)])
        #expect(pipeline.due == nil)
    }

    @Test mutating func `A later reading can say that it has lasted`() {
        #expect(say(true, 1) == [])
        #expect(say(true, 1.3) == [])
        #expect(say(true, 1.5) == ["s true"])
    }

    @Test mutating func `Edges that come late, all at once, have their own times`() {
        let edges = [boolean(true, at(1)), boolean(false, at(1.1)), boolean(true, at(1.2)), boolean(true, at(1.8))]
        #expect(pipeline.accept(edges, at: at(2)).told == ["s false", "s true"])
    }

    @Test mutating func `What was pending when it ended waits for the first reading behind the gap`() throws {
        let sensors = [try sensor("s", ["settle": "500ms"])]
        #expect(say(true, 1) == [])
        let state = try stored(pipeline.state)
        for (value, told) in [(false, "s false"), (true, "s true")] {
            pipeline = Pipeline(sensors: sensors, state: state)
            #expect(pipeline.advance(to: at(5)) == PipelineOutput())
            #expect(pipeline.due == nil)
            let output = pipeline.accept([boolean(value, at(5.1))], at: at(5.1))
            #expect(output.told == [told])
            #expect(output.values.map(\.time) == [at(5.1)])
        }
    }

    @Test(arguments: [-3600.0, 3600.0]) mutating func `A clock that jumps holds nothing back`(_ jump: Double) {
        #expect(say(true, 1) == [])
        _ = pipeline.advance(to: at(1 + jump))
        #expect((pipeline.due ?? at(1 + jump)) <= at(1.5 + jump))
        _ = pipeline.advance(to: at(1.5 + jump))
        #expect(say(true, 2 + jump) == ["s true"])
    }
}
