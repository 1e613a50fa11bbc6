import Logging
import Pipeline
import Sensing
import Synchronization
import TestSupport
import Testing
import Units

@testable import FieldpostAgent

@Suite(.timeLimit(.minutes(2))) struct ProcessingTests {
    static func processing(
        _ folder: TemporaryDirectory, _ sensors: [PipelineSensor] = [PipelineSensor(name: "fill")],
        _ rules: [AlarmRule] = []
    ) async -> Processing {
        let state = StateFile(path: folder.path("queue.state.json"), logger: Logger(label: "test"))
        return await Processing(sensors, rules, state: state, logger: Logger(label: "test"))
    }

    static func reading(_ value: Double, _ sensor: String = "fill", _ channel: String? = nil) -> Reading {
        Reading(sensor: sensor, channel: channel, value: .number(value), time: .now())
    }

    static func full(_ delay: Duration = .zero) -> AlarmRule {
        AlarmRule(
            name: "full", sensor: "fill",
            condition: AlarmCondition(.outside(upper: .init(raise: 85, clear: 20), lower: nil)), raiseDelay: delay)
    }

    static func silent(_ sensor: String = "fill", _ delay: Duration = .zero) -> AlarmRule {
        AlarmRule(
            name: "silent", sensor: sensor, condition: AlarmCondition(nil, includesFailure: true), raiseDelay: delay)
    }

    /// What was delivered.
    final class Sink: Sendable {
        private let reports = Mutex<[Report]>([])
        var all: [Report] { reports.withLock { $0 } }
        func take(_ more: [Report]) { reports.withLock { $0 += more } }
        var values: [Double] {
            all.flatMap { report -> [Double] in
                guard case .readings(let readings) = report else { return [] }
                return readings.compactMap { if case .number(let value) = $0.value { value } else { nil } }
            }
        }
        var alarms: [AlarmState] { all.compactMap { if case .alarm(let alarm) = $0 { alarm.state } else { nil } } }
    }

    static func until(_ what: Comment, _ condition: () async -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(30)
        while await !condition() {
            try #require(ContinuousClock.now < end, what)
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test func `Readings are delivered in their order, and who brings them waits`() async throws {
        try await withTemporaryDirectory { folder in
            let (processing, sink) = (await Self.processing(folder), Sink())
            let run = Task { await processing.run { reports in sink.take(reports) } }
            for number in 0..<500 {
                await processing.accept([Self.reading(Double(number))])
                #expect(sink.values.last == Double(number))
            }
            run.cancel()
            await run.value
            #expect(sink.values == (0..<500).map(Double.init))
        }
    }

    @Test func `What comes while a delivery takes its time goes together, and waits`() async throws {
        try await withTemporaryDirectory { folder in
            let (processing, sink) = (await Self.processing(folder), Sink())
            let (gate, open) = AsyncStream.makeStream(of: Void.self)
            let gated = Task { for await _ in gate {} }
            let (deliveries, done) = (Record(), Record())
            let run = Task {
                await processing.run { reports in
                    deliveries.add(reports.count)
                    await gated.value
                    sink.take(reports)
                }
            }
            await withDiscardingTaskGroup { tasks in
                for number in 0..<100 {
                    tasks.addTask {
                        await processing.accept([Self.reading(Double(number))])
                        done.add(number)
                    }
                }
                for _ in 0..<20 { await Task.yield() }
                #expect(done.all.isEmpty)
                open.finish()
            }
            run.cancel()
            await run.value
            #expect(sink.values.sorted() == (0..<100).map(Double.init))
            #expect(deliveries.all.count < 100)
        }
    }

    @Test func `Nobody is left waiting when it stops, and it stops`() async throws {
        for round in 0..<30 {
            try await withTemporaryDirectory { folder in
                // An alarm is repeated all the time, so that time brings reports too.
                var rule = Self.full()
                rule.repeatInterval = .milliseconds(1)
                let processing = await Self.processing(folder, rules: [rule])
                let run = Task {
                    await processing.run { _ in try? await Task.sleep(for: .milliseconds(round % 3)) }
                }
                let bringers = (0..<4).map { _ in
                    Task { for number in 90..<140 { await processing.accept([Self.reading(Double(number))]) } }
                }
                try await Task.sleep(for: .milliseconds(round % 7))
                run.cancel()
                await run.value
                for bringer in bringers { await bringer.value }
                await processing.accept([Self.reading(1)])
            }
        }
    }

    @Test func `What was accepted before the stop is delivered`() async throws {
        for _ in 0..<20 {
            try await withTemporaryDirectory { folder in
                let (processing, sink) = (await Self.processing(folder), Sink())
                let run = Task { await processing.run { sink.take($0) } }
                let bring = Task { await processing.accept([Self.reading(1)]) }
                try await Self.until("it was gathered") { await !processing.values(of: ["fill"]).isEmpty }
                run.cancel()
                await run.value
                await bring.value
                #expect(sink.values == [1])
            }
        }
    }

    @Test func `An alarm is on disk before it is told, and known after a restart without being raised again`()
        async throws
    {
        try await withTemporaryDirectory { folder in
            let (processing, sink) = (await Self.processing(folder, rules: [Self.full()]), Sink())
            let run = Task {
                await processing.run { reports in
                    if reports.contains(where: { if case .alarm = $0 { true } else { false } }) {
                        #expect((try? folder.read("queue.state.json"))?.contains(#""state":"raised""#) == true)
                    }
                    sink.take(reports)
                }
            }
            await processing.accept([Self.reading(90)])
            #expect(sink.alarms == [.raised])
            let raised = await processing.alarmReports.first?.raisedAt
            // As if the power failed: no stop.
            let (later, laterSink) = (await Self.processing(folder, rules: [Self.full()]), Sink())
            let laterRun = Task { await later.run { laterSink.take($0) } }
            await later.begin()
            await later.accept([Self.reading(91)])
            #expect(laterSink.alarms == [.raised])
            #expect(await later.alarmReports.first?.raisedAt == raised)
            await later.accept([Self.reading(5)])
            #expect(laterSink.alarms == [.raised, .cleared])
            for task in [run, laterRun] { task.cancel() }
            for task in [run, laterRun] { await task.value }
        }
    }

    @Test func `An alarm that the configuration has no more is cleared`() async throws {
        try await withTemporaryDirectory { folder in
            let processing = await Self.processing(folder, rules: [Self.full()])
            let run = Task { await processing.run { _ in } }
            await processing.accept([Self.reading(90)])
            run.cancel()
            await run.value
            let (later, sink) = (await Self.processing(folder), Sink())
            let laterRun = Task { await later.run { sink.take($0) } }
            await later.begin()
            #expect(sink.alarms == [.cleared])
            laterRun.cancel()
            await laterRun.value
        }
    }

    @Test func `An alarm that watches something else now is cleared, and begins anew`() async throws {
        try await withTemporaryDirectory { folder in
            let processing = await Self.processing(folder, rules: [Self.full()])
            let run = Task { await processing.run { _ in } }
            await processing.accept([Self.reading(90)])
            run.cancel()
            await run.value
            var rule = Self.full()
            (rule.sensor, rule.severity) = ("level", .critical)
            let (later, sink) = (await Self.processing(folder, rules: [rule]), Sink())
            let laterRun = Task { await later.run { sink.take($0) } }
            await later.begin()
            #expect(sink.alarms == [.cleared])
            let told = sink.all.compactMap { if case .alarm(let alarm) = $0 { alarm } else { nil } }
            #expect(told.map(\.sensor) == ["level"])
            #expect(told.map(\.severity) == [.critical])
            await later.accept([Self.reading(90)])
            await later.accept([Self.reading(90, "level")])
            #expect(sink.alarms == [.cleared, .raised])
            laterRun.cancel()
            await laterRun.value
        }
    }

    @Test func `An alarm's delay is kept although something much later was waited for`() async throws {
        try await withTemporaryDirectory { folder in
            var other = Self.full()
            (other.name, other.sensor, other.repeatInterval) = ("other", "other", .seconds(3600))
            let sensors = [PipelineSensor(name: "other"), PipelineSensor(name: "fill")]
            let processing = await Self.processing(folder, sensors, [other, Self.full(.milliseconds(200))])
            let sink = Sink()
            let run = Task { await processing.run { sink.take($0) } }
            await processing.accept([Self.reading(90, "other")])
            // It rests for the hour now.
            try await Task.sleep(for: .milliseconds(50))
            let start = ContinuousClock.now
            await processing.accept([Self.reading(90)])
            try await Self.until("both are raised") { sink.alarms.count == 2 }
            #expect(start.duration(to: .now) < .seconds(8))
            run.cancel()
            await run.value
        }
    }

    @Test func `A derived sensor whose input is too old raises the alarm for sensors that fail`() async throws {
        try await withTemporaryDirectory { folder in
            let derived = DerivedSensor(try Expression(parsing: "distance * 2"), maximumAge: .seconds(1))
            let sensors = [PipelineSensor(name: "distance"), PipelineSensor(name: "fill", derived: derived)]
            let (processing, sink) = (await Self.processing(folder, sensors, [Self.silent()]), Sink())
            let run = Task { await processing.run { sink.take($0) } }
            await processing.accept([Self.reading(1, "distance")])
            #expect(await processing.values(of: ["fill"]).map(\.value) == [.number(2)])
            try await Self.until("the alarm is raised") { sink.alarms.last == .raised }
            run.cancel()
            await run.value
        }
    }

    @Test func `A sensor that still fails after a restart raises its alarm in time`() async throws {
        try await withTemporaryDirectory { folder in
            let rules = [Self.silent("fill", .milliseconds(300))]
            let processing = await Self.processing(folder, rules: rules)
            let run = Task { await processing.run { _ in } }
            await processing.fail("fill", reason: "gone")
            run.cancel()
            await run.value
            let (later, sink) = (await Self.processing(folder, rules: rules), Sink())
            let laterRun = Task { await later.run { sink.take($0) } }
            await later.begin()
            await later.fail("fill", reason: "gone")
            try await Self.until("the alarm is raised") { sink.alarms.last == .raised }
            laterRun.cancel()
            await laterRun.value
        }
    }

    @Test func `A derived sensor that fails over a restart raises its alarm in this run too`() async throws {
        try await withTemporaryDirectory { folder in
            let derived = DerivedSensor(try Expression(parsing: "distance * 2"))
            let sensors = [PipelineSensor(name: "distance"), PipelineSensor(name: "fill", derived: derived)]
            let rules = [Self.silent("fill", .milliseconds(300))]
            let processing = await Self.processing(folder, sensors, rules)
            let run = Task { await processing.run { _ in } }
            await processing.fail("distance", reason: "gone")
            run.cancel()
            await run.value
            let (later, sink) = (await Self.processing(folder, sensors, rules), Sink())
            let laterRun = Task { await later.run { sink.take($0) } }
            await later.begin()
            await later.fail("distance", reason: "gone")
            try await Self.until("the alarm is raised") { sink.alarms.last == .raised }
            laterRun.cancel()
            await laterRun.value
        }
    }

    @Test func `Who calibrates twice before the next read corrects once`() async throws {
        try await withTemporaryDirectory { folder in
            let processing = await Self.processing(folder)
            let run = Task { await processing.run { _ in } }
            await processing.accept([Self.reading(18)])
            let offset1 = try await processing.calibrate("fill", channel: nil, to: 20)
            #expect(offset1 == 2)
            let offset2 = try await processing.calibrate("fill", channel: nil, to: 20)
            #expect(offset2 == 2)
            await processing.accept([Self.reading(18)])
            #expect(await processing.values(of: ["fill"]).map(\.value) == [.number(20)])
            let offset3 = try await processing.calibrate("fill", channel: nil, to: nil)
            #expect(offset3 == nil)
            await processing.accept([Self.reading(18)])
            #expect(await processing.values(of: ["fill"]).map(\.value) == [.number(18)])
            run.cancel()
            await run.value
        }
    }

    @Test func `No more channels of a sensor are remembered than have filters`() async throws {
        try await withTemporaryDirectory { folder in
            let processing = await Self.processing(folder)
            let run = Task { await processing.run { _ in } }
            await processing.accept((0..<1000).map { Self.reading(1, "fill", "c\($0)") })
            #expect(await processing.values(of: ["fill"]).count == Pipeline.maximumChannels)
            run.cancel()
            await run.value
        }
    }
}

extension ProcessingTests {
    static func processing(_ folder: TemporaryDirectory, rules: [AlarmRule]) async -> Processing {
        await processing(folder, [PipelineSensor(name: "fill")], rules)
    }
}
