import Sensing
import Synchronization
import Testing
import Units

/// Sensors that speak for themselves, in the runner.
@Suite(.timeLimit(.minutes(5))) struct EventSensorTests {
    typealias Runs = SensorRunnerTests

    static func sensor(_ driver: PipeDriver, every: Duration? = nil) -> ConfiguredSensor {
        ConfiguredSensor(name: "s", every: every, timeout: .seconds(30), driver: driver)
    }

    static func numbers(_ events: [SensorEvent]) -> [Double] {
        Runs.readings(events, of: "s").compactMap { if case .number(let number) = $0.value { number } else { nil } }
    }

    @Test("It is read once, and then what it says arrives, in order and without a poll") func listening() async throws {
        let device = PipeDevice()
        let runner = SensorRunner([Self.sensor(PipeDriver(device))], wallClock: { noon })
        let said = Mutex(0)
        let events = await Runs.events(of: runner) { events in
            let count = Self.numbers(events).count
            // Each word when the one before has arrived.
            let isNext = said.withLock { said in
                guard count == said, said < 100 else { return false }
                said += 1
                return true
            }
            if isNext { device.say([UInt8(count + 1)]) }
            return count == 100
        }
        #expect(events.first == .readings([Reading(sensor: "s", channel: "read", value: .boolean(true), time: noon)]))
        #expect(Self.numbers(events) == (1...100).map(Double.init))
        let counters = try #require(runner.counters.first?.counters)
        #expect(counters.reads == 1)
        // The last one is counted when it was accepted, which ends the run.
        #expect((99...100).contains(counters.receptions))
        #expect(device.stopped == 1)
    }

    @Test("With every it is read on that grid as well") func both() async {
        let device = PipeDevice()
        let runner = SensorRunner([Self.sensor(PipeDriver(device), every: .milliseconds(10))])
        let events = await Runs.events(of: runner) { events in
            if events.count == 3 { device.say([7]) }
            return events.count >= 20
        }
        #expect(Self.numbers(events) == [7])
        #expect(Runs.readings(events, of: "s").count { $0.channel == "read" } >= 19)
    }

    @Test("Reads that are always late leave room for what it says") func late() async {
        let device = PipeDevice()
        let runner = SensorRunner([Self.sensor(PipeDriver(device), every: .milliseconds(10))])
        let heard = Shared<[Double]>([])
        let (enough, continuation) = AsyncStream.makeStream(of: Void.self)
        let run = Task {
            await runner.run { event in
                guard case .readings(let readings) = event else { return }
                if readings.first?.channel == "read" {
                    device.say([7])
                    // Longer than from one read to the next.
                    try? await Task.sleep(for: .milliseconds(15))
                } else if heard.change({
                    $0 += Self.numbers([event])
                    return $0.count >= 5
                }) {
                    continuation.finish()
                }
            }
        }
        for await _ in enough {}
        run.cancel()
        await run.value
        #expect(heard.current.allSatisfy { $0 == 7 })
    }

    @Test("With options that want no events it is only read") func silent() async {
        let device = PipeDevice()
        let runner = SensorRunner([Self.sensor(PipeDriver(device, listens: false), every: .milliseconds(10))])
        let events = await Runs.events(of: runner) { events in
            if events.count == 3 { device.say([7]) }
            return events.count >= 20
        }
        #expect(Self.numbers(events) == [])
    }

    @Test("A device that goes fails the sensor, is looked for, and its return is told") func unplugged() async throws {
        let device = PipeDevice()
        let isThere = Shared(true)
        let runner = SensorRunner([Self.sensor(PipeDriver(device, isThere: { isThere.current }))])
        let events = await Runs.events(of: runner) { events in
            switch events.last {
            case .readings where events.count == 1:
                isThere.change { $0 = false }
                device.unplug()
            case .failed: isThere.change { $0 = true }
            case .readings where device.opened == 2: return true
            default: break
            }
            return false
        }
        // What failed first tells that it is gone; the first try after a second finds it.
        guard case .failed("s", let error, 1, let wait) = events.dropFirst().first else {
            Issue.record("\(events)")
            return
        }
        #expect(error.description == "/dev/pipe has gone")
        #expect(wait > .zero && wait <= .seconds(1))
        guard case .recovered("s", failures: 1, _) = events.dropFirst(2).first else {
            Issue.record("\(events)")
            return
        }
    }

    @Test("A device that is missing at the start is looked for") func missing() async {
        let device = PipeDevice()
        let isThere = Shared(false)
        let runner = SensorRunner([Self.sensor(PipeDriver(device, isThere: { isThere.current }))])
        let events = await Runs.events(of: runner) { events in
            if case .failed = events.last { isThere.change { $0 = true } }
            if case .readings = events.last, events.count == 3 { device.say([9]) }
            return Self.numbers(events) == [9]
        }
        guard case .failed("s", let error, 1, _) = events.first else {
            Issue.record("\(events)")
            return
        }
        #expect(error.kind == .missing)
    }

    @Test("What was lost is told, with what was not; the next word ends the trouble") func gaps() async {
        let device = PipeDevice()
        let runner = SensorRunner([Self.sensor(PipeDriver(device))])
        let events = await Runs.events(of: runner) { events in
            if events.count == 1 { device.say([1, 0, 2]) }
            if events.count == 3 { device.say([3]) }
            return Self.numbers(events).last == 3
        }
        #expect(
            events.map { event in
                switch event {
                case .readings(let readings): "\(readings.count) readings"
                case .failed(_, let error, let failures, _): "\(error.kind) \(failures)"
                case .channelsFailed: "channels"
                case .recovered(_, let failures, _): "recovered \(failures)"
                }
            } == ["1 readings", "lost 1", "3 readings", "recovered 1", "1 readings"])
    }

    @Test("An output is set between reads, its new state is passed on, and at the end it is safe") func output()
        async throws
    {
        let device = PipeDevice()
        let plain = Runs.sensor("plain", every: .seconds(1000)) { _, _ in [] }
        let runner = SensorRunner([Self.sensor(PipeDriver(device)), plain], wallClock: { noon })
        let (started, continuation) = AsyncStream.makeStream(of: Void.self)
        let all = Shared<[SensorEvent]>([])
        let run = Task {
            await runner.run { event in
                all.change { $0.append(event) }
                continuation.yield()
            }
        }
        var arrivals = started.makeAsyncIterator()
        await arrivals.next()
        let state = [Reading(sensor: "s", channel: "output", value: .number(3), time: noon)]
        #expect(try await runner.set("s", to: .number(3)) == state)
        await arrivals.next()
        #expect(all.current.last == .readings(state))
        #expect(device.output == 3)
        // What cannot be done is the asker's trouble, not the sensor's.
        await #expect(throws: SensorError.self) { try await runner.set("s", to: .text("x")) }
        await #expect(throws: SensorError(.rejected, #"sensor "plain""#, "cannot be set: it is no output")) {
            try await runner.set("plain", to: .number(1))
        }
        await #expect(throws: SensorError(.missing, #"sensor "x""#, "is not configured")) {
            try await runner.set("x", to: .number(1))
        }
        #expect(all.current.count == 2)
        run.cancel()
        await run.value
        #expect(device.isSafe && device.stopped == 1 && device.output == 0)
        await #expect(throws: SensorError.self) { try await runner.set("s", to: .number(1)) }
    }

    @Test("An output that is stuck is not waited for beyond the time that was granted") func stuckOutput() async throws
    {
        let gate = try Gate()
        let runner = SensorRunner([
            Runs.sensor("s", every: .seconds(1000)) { _, _ in
                gate.pass()
                return []
            }
        ])
        let run = Task { await runner.run { _ in } }
        try await eventually({ runner.isReading }, "the read is under way")
        await #expect(throws: BlockingPoolError.timedOut(after: .milliseconds(20))) {
            try await runner.set("s", to: .number(1), timeout: .milliseconds(20))
        }
        run.cancel()
        await run.value
        gate.open()
    }

    @Test("Hundreds of them wait on one thread") func many() async {
        let devices = (0..<300).map { _ in PipeDevice() }
        let runner = SensorRunner(
            devices.enumerated().map { index, device in
                ConfiguredSensor(name: "\(index)", every: nil, driver: PipeDriver(device))
            })
        let counts = Shared((read: 0, heard: 0))
        let (enough, continuation) = AsyncStream.makeStream(of: Void.self)
        let run = Task {
            await runner.run { event in
                guard case .readings(let readings) = event else { return }
                let now = counts.change { counts in
                    if readings.first?.channel == "read" { counts.read += 1 } else { counts.heard += readings.count }
                    return counts
                }
                if now.read == 300, now.heard == 0 { for device in devices { device.say([1]) } }
                if now.heard == 300 { continuation.finish() }
            }
        }
        for await _ in enough {}
        run.cancel()
        await run.value
        #expect(counts.current == (300, 300))
    }
}
