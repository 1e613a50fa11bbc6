import Sensing
import Settings
import Testing
import Units

/// What somebody asks of a sensor between its reads.
@Suite(.timeLimit(.minutes(5))) struct SensorRequestTests {
    struct Valve: OutputDriver {
        static let name = "valve"
        let events = Shared<[String]>([])
        var hang: Gate?
        var failsToRead = false

        init(hang: Gate? = nil, failsToRead: Bool = false) { (self.hang, self.failsToRead) = (hang, failsToRead) }
        init?(_ settings: SettingsReader, context: DriverContext) { nil }

        mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
            events.change { $0.append("read") }
            hang?.pass()
            if failsToRead { throw SensorRunnerTests.broken }
            return [Measurement(.number(1))]
        }

        mutating func set(
            _ value: Reading.Value, channel: String?, at now: Timestamp
        ) throws(SensorError) -> [Measurement] {
            if channel != nil { throw SensorError(.rejected, "valve", "has no channels") }
            events.change { $0.append("set \(value)") }
            return [Measurement(value)]
        }

        mutating func makeSafe(at now: Timestamp) throws(SensorError) { events.change { $0.append("safe") } }
    }

    static func run(
        _ driver: any SensorDriver, every: Duration? = .seconds(3600),
        _ body: (SensorRunner, Shared<[SensorEvent]>) async throws -> Void
    ) async throws {
        let runner = SensorRunner([ConfiguredSensor(name: "gate", every: every, driver: driver)])
        let events = Shared<[SensorEvent]>([])
        let run = Task { await runner.run { event in events.change { $0.append(event) } } }
        try await eventually({ runner.counters[0].counters.reads > 0 }, "it was read once")
        try await body(runner, events)
        run.cancel()
        await run.value
    }

    @Test func `A read on demand is passed on like any other, and is no failure if it fails`() async throws {
        try await Self.run(Valve()) { runner, events in
            let before = SensorRunnerTests.readings(events.current, of: "gate").count
            let seen1 = try await runner.read("gate").map(\.value)
            #expect(seen1 == [.number(1)])
            #expect(SensorRunnerTests.readings(events.current, of: "gate").count == before + 1)
            #expect(runner.counters[0].counters.reads == 1)
            #expect(runner.counters[0].counters.receptions == 0)
        }
        try await Self.run(Valve(failsToRead: true)) { runner, events in
            let before = events.current.count
            await #expect(throws: SensorError.self) { try await runner.read("gate") }
            #expect(events.current.count == before)
        }
    }

    @Test func `An output is set and made safe, and what cannot be is refused`() async throws {
        let valve = Valve()
        try await Self.run(valve) { runner, _ in
            let seen2 = try await runner.set("gate", to: .boolean(true)).map(\.value)
            #expect(seen2 == [.boolean(true)])
            let seen3 = try await runner.makeSafe("gate").map(\.value)
            #expect(seen3 == [.number(1)])
            #expect(valve.events.current.dropFirst().map { $0.prefix(4) } == ["set ", "safe", "read"])
            await #expect(throws: SensorError.self) { try await runner.set("gate", channel: "2", to: .boolean(true)) }
            await #expect(throws: SensorError.self) { try await runner.set("door", to: .boolean(true)) }
        }
        let plain = SensorRunnerTests.Scripted { _, _ in [] }
        try await Self.run(plain) { runner, _ in
            await #expect(throws: SensorError.self) { try await runner.set("gate", to: .boolean(true)) }
            await #expect(throws: SensorError.self) { try await runner.makeSafe("gate") }
        }
    }

    @Test func `An output does not move when everybody has given up on it`() async throws {
        let gate = try Gate()
        let valve = Valve(hang: gate)
        let runner = SensorRunner([ConfiguredSensor(name: "gate", every: .seconds(3600), driver: valve)])
        let run = Task { await runner.run { _ in } }
        try await eventually({ valve.events.current == ["read"] }, "the first read hangs")
        await #expect(throws: BlockingPoolError.timedOut(after: .milliseconds(30))) {
            try await runner.set("gate", to: .boolean(true), timeout: .milliseconds(30))
        }
        gate.open()
        // What is asked now comes behind it.
        let seen4 = try await runner.set("gate", to: .boolean(false)).map(\.value)
        #expect(seen4 == [.boolean(false)])
        #expect(valve.events.current.count { $0.hasPrefix("set") } == 1)
        run.cancel()
        await run.value
    }

    @Test func `Another interval counts from now on, and the configured one comes back`() async throws {
        try await Self.run(Valve()) { runner, _ in
            try await runner.setInterval(of: "gate", to: .milliseconds(10))
            try await eventually({ runner.counters[0].counters.reads > 20 }, "it is read often")
            try await runner.setInterval(of: "gate", to: nil)
            let reads = runner.counters[0].counters.reads
            try await Task.sleep(for: .milliseconds(100))
            // One at once, and one that was under way.
            #expect(runner.counters[0].counters.reads <= reads + 2)
            await #expect(throws: SensorError.self) { try await runner.setInterval(of: "door", to: nil) }
        }
    }

    @Test func `Who asks a runner that has ended is told`() async throws {
        let runner = SensorRunner([ConfiguredSensor(name: "gate", every: .seconds(1), driver: Valve())])
        await #expect(throws: SensorError.self) { try await runner.read("gate") }
        let run = Task { await runner.run { _ in } }
        try await eventually({ runner.counters[0].counters.reads > 0 }, "it was read once")
        run.cancel()
        await run.value
        await #expect(throws: SensorError.self) { try await runner.set("gate", to: .boolean(true)) }
    }

    @Test func `A changed schedule reads at once, and then on its grid, whatever came before`() {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SplitMix(state: seed)
        for _ in 0..<500 {
            var now = Duration.milliseconds(Int.random(in: 0...100_000, using: &generator))
            var schedule = SensorSchedule(every: .seconds(10), phase: .milliseconds(300), start: now)
            for _ in 0..<Int.random(in: 0...5, using: &generator) {
                now = max(now, schedule.due)
                schedule.begin()
                if Bool.random(using: &generator) {
                    _ = schedule.succeeded(at: now)
                } else {
                    _ = schedule.failed(SensorRunnerTests.broken, at: now)
                }
                schedule.end(at: now, wall: Timestamp(milliseconds: Int64(now / .milliseconds(1)) + 1_800_000_000_123))
            }
            now += .milliseconds(Int.random(in: 0...5000, using: &generator))
            let every = Duration.milliseconds(Int.random(in: 10...60_000, using: &generator))
            schedule.change(every: every, phase: .zero, at: now)
            #expect(schedule.due == now, "seed \(seed)")
            schedule.begin()
            _ = schedule.succeeded(at: now)
            let wall = Timestamp(milliseconds: Int64(now / .milliseconds(1)) + 1_800_000_000_123)
            schedule.end(at: now, wall: wall)
            let wait = schedule.due - now
            #expect(wait > .zero && wait <= every * 1.5, "seed \(seed)")
            let (milliseconds, step) = (
                wall.milliseconds + Int64(wait / .milliseconds(1)), Int64(every / .milliseconds(1))
            )
            #expect(milliseconds % step == 0, "seed \(seed)")
        }
    }

    @Test func `Without an interval nothing is due behind the first read`() {
        var schedule = SensorSchedule(every: .seconds(1), start: .zero)
        schedule.change(every: nil, phase: .zero, at: .seconds(5))
        #expect(schedule.due == .seconds(5))
        schedule.begin()
        _ = schedule.succeeded(at: .seconds(5))
        schedule.end(at: .seconds(5), wall: nil)
        #expect(schedule.due > .seconds(365 * 86_400))
    }

    struct SplitMix: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }
}
