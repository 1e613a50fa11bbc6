import Sensing
import Settings
import Testing
import Units

@Suite(.timeLimit(.minutes(5))) struct SensorRunnerTests {
    /// Does what a test tells it to.
    struct Scripted: SensorDriver {
        static let name = "scripted"
        var body: @Sendable (_ read: Int, Timestamp) throws(SensorError) -> [Measurement]
        private var reads = 0

        init(_ body: @escaping @Sendable (_ read: Int, Timestamp) throws(SensorError) -> [Measurement]) {
            self.body = body
        }

        init?(_ settings: SettingsReader, context: DriverContext) { nil }

        mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
            reads += 1
            return try body(reads, now)
        }
    }

    static func sensor(
        _ name: String, every: Duration = .milliseconds(10), timeout: Duration = .seconds(30),
        _ body: @escaping @Sendable (_ read: Int, Timestamp) throws(SensorError) -> [Measurement]
    ) -> ConfiguredSensor {
        ConfiguredSensor(name: name, every: every, timeout: timeout, driver: Scripted(body))
    }

    static let broken = SensorError(.unavailable, "/sys/x", "gave no answer")

    /// Runs until `isEnough` of all events so far; then cancels, and waits for the end.
    static func events(
        of runner: SensorRunner, until isEnough: @escaping @Sendable ([SensorEvent]) -> Bool
    ) async -> [SensorEvent] {
        let all = Shared<[SensorEvent]>([])
        let (enough, continuation) = AsyncStream.makeStream(of: Void.self)
        let run = Task {
            await runner.run { event in
                let done = all.change {
                    $0.append(event)
                    return isEnough($0)
                }
                if done { continuation.finish() }
            }
        }
        for await _ in enough {}
        run.cancel()
        await run.value
        return all.current
    }

    static func readings(_ events: [SensorEvent], of sensor: String) -> [Reading] {
        events.flatMap { event -> [Reading] in
            guard case .readings(let readings) = event else { return [] }
            return readings.filter { $0.sensor == sensor }
        }
    }

    @Test("Of channels that fail while others give values, each read tells why") func channels() async throws {
        let runner = SensorRunner([
            Self.sensor("p") { read, _ throws(SensorError) in
                let good = read < 2 ? ["a", "n", "m"] : read < 3 ? ["a", "m"] : ["a"]
                let measured = good.map { Measurement(channel: $0, .number(Double(read))) }
                if good.count == 3 { return measured }
                var error = Self.broken
                error.measured = measured
                for channel in ["n", "m"] where !good.contains(channel) { error.failing[channel] = "\(Self.broken)" }
                throw error
            }
        ])
        let events = await Self.events(of: runner) { $0.count { if case .readings = $0 { true } else { false } } == 4 }
        let told = events.compactMap { event -> String? in
            switch event {
            case .channelsFailed(let sensor, let reasons): "\(sensor) \(reasons.keys.sorted())"
            case .readings(let readings): "\(readings.compactMap(\.channel))"
            case .failed, .recovered: nil
            }
        }
        #expect(
            told == [
                #"["a", "n", "m"]"#, #"p ["n"]"#, #"["a", "m"]"#, #"p ["m", "n"]"#, #"["a"]"#, #"p ["m", "n"]"#,
                #"["a"]"#,
            ])
        let reasons = events.compactMap { if case .channelsFailed(_, let reasons) = $0 { reasons } else { nil } }.first
        #expect(reasons == ["n": "\(Self.broken)"])
    }

    @Test("It is able to read while one sensor is stuck, and not when all threads are") func ability() async throws {
        let gate = try Gate()
        let stuck = (1...2).map { number in
            Self.sensor("stuck \(number)", every: .seconds(1000), timeout: .milliseconds(20)) { _, _ in
                gate.pass()
                return []
            }
        }
        let one = SensorRunner([stuck[0]], pool: BlockingPool(width: 1, stuckLimit: 1))
        let pool = BlockingPool(width: 1, stuckLimit: 1)
        let both = SensorRunner(stuck, pool: pool)
        _ = await Self.events(of: one) { !$0.isEmpty }
        try await one.waitUntilAbleToRead()
        _ = await Self.events(of: both) { $0.count == 2 }
        await #expect(throws: BlockingPoolError.refused(stuck: 2, queued: 0)) { try await both.waitUntilAbleToRead() }
        for _ in 1...3 { gate.open() }
        try await eventually({ pool.status.stuck == 0 }, "the stuck threads are back")
        try await both.waitUntilAbleToRead()
    }

    @Test("A failing and a stuck sensor do not slow down a good one") func isolation() async throws {
        let gate = try Gate()
        let underWay = Shared((now: 0, most: 0))
        let runner = SensorRunner(
            [
                Self.sensor("bad") { _, _ throws(SensorError) in throw Self.broken },
                Self.sensor("stuck", timeout: .milliseconds(30)) { _, _ in
                    underWay.change {
                        $0.now += 1
                        $0.most = max($0.most, $0.now)
                    }
                    gate.pass()
                    underWay.change { $0.now -= 1 }
                    return []
                },
                Self.sensor("good") { read, _ in [Measurement(.number(Double(read)), unit: "°C")] },
            ], pool: BlockingPool(width: 1, stuckLimit: 1), wallClock: { noon })

        let events = await Self.events(of: runner) { Self.readings($0, of: "good").count >= 100 }
        let good = Self.readings(events, of: "good")
        // Every read came through, in order.
        #expect(good.map(\.value) == (1...good.count).map { .number(Double($0)) })
        #expect(good.allSatisfy { $0.time == noon && $0.unit == "°C" && $0.channel == nil })

        let counters = Dictionary(uniqueKeysWithValues: runner.counters.map { ($0.sensor, $0.counters) })
        #expect(counters["good"]?.failures == 0)
        // Failing sensors are read more and more rarely, and told of still more rarely.
        #expect(try #require(counters["bad"]).reads < 12)
        let told = events.filter { if case .failed("bad", Self.broken, _, _) = $0 { true } else { false } }
        #expect(told.count == 1)
        // The stuck one is not read again while it is stuck, and that it is stuck is told once.
        #expect(underWay.current.most == 1)
        let stuck = events.compactMap { event -> SensorError? in
            if case .failed("stuck", let error, _, _) = event { error } else { nil }
        }
        #expect(
            stuck.map(\.description) == [
                #"sensor "stuck" did not return within 30ms; check its device; a slow one needs a longer timeout"#
            ])
        gate.open()
    }

    @Test("A stuck sensor that returns is read again, and its return is told") func unstuck() async throws {
        let gate = try Gate()
        let runner = SensorRunner([
            Self.sensor("s", timeout: .milliseconds(20)) { read, _ in
                if read == 1 { gate.pass() }
                return [Measurement(.number(Double(read)))]
            }
        ])
        let events = await Self.events(of: runner) { events in
            if case .failed = events.last { gate.open() }
            if case .readings = events.last { return true }
            return false
        }
        guard case .recovered("s", let failures, _) = events.dropFirst().first else {
            Issue.record("no recovery in \(events)")
            return
        }
        #expect(failures >= 1)
        // What the late read gave is dropped: nobody knows when it was measured.
        #expect(Self.readings(events, of: "s").map(\.value) == [.number(2)])
    }

    @Test("Failure, partial failure and recovery are told in turn") func turns() async throws {
        let runner = SensorRunner([
            Self.sensor("s") { read, _ throws(SensorError) in
                switch read {
                case 1, 2: throw Self.broken
                case 3:
                    var error = SensorError(.malformed, "/sys/y", "says nothing")
                    error.measured = [Measurement(channel: "a", .boolean(true))]
                    throw error
                default: return [Measurement(channel: "a", .boolean(true)), Measurement(channel: "b", .text("x"))]
                }
            }
        ])
        let events = await Self.events(of: runner) { Self.readings($0, of: "s").count >= 3 }
        #expect(
            events.prefix(5).map { event in
                switch event {
                case .readings(let readings): "\(readings.map { $0.channel ?? "" })"
                case .failed(let sensor, let error, let failures, _): "\(sensor) \(error.place) \(failures)"
                case .channelsFailed(let sensor, _): "\(sensor)'s channels"
                case .recovered(let sensor, let failures, _): "\(sensor) recovered after \(failures)"
                }
            } == ["s /sys/x 1", "s /sys/y 3", #"["a"]"#, "s recovered after 3", #"["a", "b"]"#])
    }

    @Test("NaN and infinity are failures of their channel, not values", arguments: [Double.nan, .infinity, -.infinity])
    func notFinite(number: Double) async throws {
        let runner = SensorRunner([
            Self.sensor("s") { _, _ in
                [Measurement(channel: "a", .number(number)), Measurement(channel: "b", .number(1))]
            }
        ])
        let result = try #require(await runner.readOnce().first)
        #expect(result.readings.map(\.channel) == ["b"])
        #expect(result.error?.description == "sensor \"s\" channel \"a\" gave \(number), which is no value")
    }

    @Test("A reading's time is the read's, or the kernel's own (T1)") func times() async throws {
        let before = Timestamp(milliseconds: noon.milliseconds - 1500)
        let runner = SensorRunner(
            [
                Self.sensor("s") { _, now in
                    #expect(now == noon)
                    return [
                        Measurement(channel: "own", .number(1), time: before), Measurement(channel: "read", .number(2)),
                    ]
                }
            ], wallClock: { noon })
        let result = try #require(await runner.readOnce().first)
        #expect(result.readings.map(\.time) == [before, noon])
    }

    @Test("Slow acceptance slows its sensor down, is counted, and queues nothing (D5)") func backPressure() async throws
    {
        let runner = SensorRunner([
            Self.sensor("slow") { read, _ in [Measurement(.number(Double(read)))] },
            Self.sensor("quick") { read, _ in [Measurement(.number(Double(read)))] },
        ])
        let (enough, continuation) = AsyncStream.makeStream(of: Void.self)
        let accepted = Shared((slow: 0, quick: 0))
        let run = Task {
            await runner.run { event in
                guard case .readings(let readings) = event else { return }
                if readings.first?.sensor == "slow" {
                    accepted.change { $0.slow += 1 }
                    // Never accepted, until the run is cancelled.
                    try? await Task.sleep(for: .seconds(600))
                } else if accepted.change({
                    $0.quick += 1
                    return $0.quick == 20
                }) {
                    continuation.finish()
                }
            }
        }
        for await _ in enough {}
        #expect(accepted.current.slow == 1)
        run.cancel()
        await run.value
        let slow = try #require(runner.counters.first)
        #expect(slow.sensor == "slow")
        #expect(slow.counters.reads == 1)
        #expect(slow.counters.overruns >= 10)
    }

    @Test("Cancellation ends the run at once, also while reads are stuck") func cancellation() async throws {
        let gate = try Gate()
        let pool = BlockingPool()
        let runner = SensorRunner(
            [
                Self.sensor("stuck", timeout: .seconds(300)) { _, _ in
                    gate.pass()
                    return []
                },
                Self.sensor("rare", every: .seconds(3600)) { _, _ in [] },
            ], pool: pool)
        let run = Task { await runner.run { _ in } }
        try await eventually({ pool.status.working == 1 && runner.counters[1].counters.reads == 1 }, "both were read")
        run.cancel()
        await run.value
        gate.open()
    }

    /// Is told when it is stopped.
    struct Stopped: SensorDriver {
        static let name = "stopped"
        var gate: Gate
        var stops: Shared<Int>

        init(_ gate: Gate, _ stops: Shared<Int>) { (self.gate, self.stops) = (gate, stops) }

        init?(_ settings: SettingsReader, context: DriverContext) { nil }

        mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
            gate.pass()
            return []
        }

        mutating func stop(at now: Timestamp) { stops.change { $0 += 1 } }
    }

    @Test("A driver that is in a read when the run ends is stopped when it returns, be it late or not")
    func stoppedInRead() async throws {
        for isLate in [false, true] {
            let gate = try Gate()
            let stops = Shared(0)
            let pool = BlockingPool()
            let timeout = isLate ? Duration.milliseconds(20) : .seconds(300)
            let runner = SensorRunner(
                [ConfiguredSensor(name: "s", every: .seconds(1), timeout: timeout, driver: Stopped(gate, stops))],
                pool: pool)
            let run = Task { await runner.run { _ in } }
            try await eventually({ isLate ? pool.status.stuck == 1 : pool.status.working == 1 }, "it is read")
            if isLate { try await eventually({ runner.counters[0].counters.failures == 1 }, "it is told") }
            run.cancel()
            if isLate { await run.value } else { try await eventually({ pool.status.stuck == 1 }, "it is left") }
            #expect(stops.current == 0)
            gate.open()
            await run.value
            try await eventually({ stops.current == 1 }, "it is stopped")
        }
    }

    @Test("Any number of slow sensors delays no quick one") func slowNeighbours() async throws {
        let gate = try Gate()
        let slow = (1...20).map { number in
            Self.sensor("slow \(number)") { _, _ in
                gate.pass()
                return []
            }
        }
        let quick = Self.sensor("quick") { read, _ in [Measurement(.number(Double(read)))] }
        let pool = BlockingPool(width: 2, stuckLimit: 8, queueLimit: 1000, patience: .milliseconds(1))
        let runner = SensorRunner([quick] + slow, pool: pool)
        let run = Task { await runner.run { _ in } }
        // Each has once to be found slow, which takes the threads of one; from then on they are known.
        let opening = Task {
            while !Task.isCancelled {
                gate.open()
                try await Task.sleep(for: .milliseconds(120))
            }
        }
        try await eventually({ runner.counters.allSatisfy { $0.counters.reads > 0 } }, "all were read once")
        opening.cancel()
        let before = runner.counters[0].counters
        try await eventually({ runner.counters[0].counters.reads >= before.reads + 50 }, "the quick one goes on")
        run.cancel()
        for _ in 0..<200 { gate.open() }
        await run.value
    }

    @Test("Reading once gives every sensor's values or error, in the configuration's order") func once() async throws {
        let gate = try Gate()
        let runner = SensorRunner(
            [
                Self.sensor("stuck", timeout: .milliseconds(30)) { _, _ in
                    gate.pass()
                    return []
                },
                Self.sensor("good") { _, _ in [Measurement(.number(1))] },
                Self.sensor("bad") { _, _ throws(SensorError) in throw Self.broken },
            ], wallClock: { noon })
        let results = await runner.readOnce()
        #expect(results.map(\.sensor) == ["stuck", "good", "bad"])
        #expect(results.map { $0.error?.kind } == [.timedOut, nil, .unavailable])
        #expect(results[1].readings == [Reading(sensor: "good", value: .number(1), time: noon)])
        // Again, while the first read of the stuck one has not returned.
        #expect(await runner.readOnce()[0].error?.problem == "has not returned from an earlier read")
        gate.open()
    }
}
