import Logging
import NIOCore
import Pipeline
import Sensing
import StoreForward
import Synchronization
import TestSupport
import Testing
import Units

@testable import FieldpostAgent

/// T2: readings that were taken before the clock was set are told with their right times, or marked.
@Suite(.timeLimit(.minutes(3))) struct ClockGateTests {
    /// A board whose clock is set when the test says so.
    private final class World: Sendable {
        struct State {
            var sinceBoot: Int64 = 1_000
            /// True time less time since boot, and what the board's clock makes of it.
            var start = ClockJudgeTests.evening.milliseconds
            var lead: Int64 = 0
            var isKnown = false
            var isConnected = false
            var boot = "first"
            var delivered: [Report] = []
            var settings: [ClockJudge] = []
        }

        let state = Mutex(State())
        private let ticks = Mutex<AsyncStream<Void>.Continuation?>(nil)

        var moment: ClockJudge.Moment {
            state.withLock {
                ClockJudge.Moment(
                    wall: Timestamp(milliseconds: $0.lead + $0.sinceBoot), sinceBoot: $0.sinceBoot)
            }
        }

        func pass(_ milliseconds: Int64) { state.withLock { $0.sinceBoot += milliseconds } }

        func setClock() {
            state.withLock {
                $0.lead = $0.start
                $0.isKnown = true
            }
        }

        var delivered: [Report] { state.withLock { $0.delivered } }

        func gate(
            _ folder: TemporaryDirectory, patience: Duration = .seconds(30), maximumAge: Duration? = nil
        ) -> ClockGate {
            let (stream, continuation) = AsyncStream<Void>.makeStream()
            ticks.withLock { $0 = continuation }
            let iterator = Ticks(stream)
            let world = ClockGate.World(
                moment: { self.moment }, isKnown: { _ in self.state.withLock { $0.isKnown } },
                boot: state.withLock { $0.boot },
                isConnected: { self.state.withLock { $0.isConnected } },
                deliver: { reports in self.state.withLock { $0.delivered += reports } },
                clockWasSet: { judge in self.state.withLock { $0.settings.append(judge) } },
                pause: { _ in try await iterator.next() })
            var options = OutboxOptions(durability: .relaxed, commitInterval: .milliseconds(1))
            options.maximumAge = maximumAge
            return ClockGate(
                path: folder.path("held.db"), options: options, patience: patience, world: world,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }

        /// The gate may look at the clock so often.
        func tick(_ count: Int = 1) {
            for _ in 0..<count {
                pass(1_000)
                ticks.withLock { _ = $0?.yield() }
            }
        }

        private actor Ticks {
            private var iterator: AsyncStream<Void>.Iterator
            init(_ stream: AsyncStream<Void>) { iterator = stream.makeAsyncIterator() }
            func next() async throws {
                var own = iterator
                guard await own.next(isolation: self) != nil else { throw CancellationError() }
                try Task.checkCancellation()
            }
        }

        /// One reading, of now as the board knows it.
        func reading(_ number: Int) -> Report {
            .readings([Reading(sensor: "s", value: .number(Double(number)), time: moment.wall)])
        }

        /// When that truly is.
        var truth: Timestamp { state.withLock { Timestamp(milliseconds: $0.start + $0.sinceBoot) } }
    }

    private func times(_ reports: [Report]) -> [Timestamp] {
        reports.compactMap { if case .readings(let readings) = $0 { readings.first?.time } else { nil } }
    }

    @Test func T2_whatWasReadBeforeTheClockWasSetIsToldWithItsRightTime() async throws {
        let (world, folder) = (World(), try TemporaryDirectory())
        let gate = world.gate(folder)
        await gate.begin()
        let running = Task { await gate.run() }
        var truth: [Timestamp] = []
        for number in 0..<20 {
            world.pass(700)
            truth.append(world.truth)
            await gate.accept([world.reading(number)])
        }
        #expect(world.delivered.isEmpty)
        world.state.withLock { $0.isConnected = true }
        world.setClock()
        world.tick()
        await running.value
        #expect(times(world.delivered) == truth)
        // From now on directly; the slow driver that looked at the clock before it was set, too.
        await gate.accept([
            .readings([Reading(sensor: "slow", value: .number(1), time: Timestamp(milliseconds: 15_000))])
        ])
        #expect(times(world.delivered).last == Timestamp(milliseconds: world.state.withLock { $0.start } + 15_000))
        await gate.accept([world.reading(21)])
        #expect(times(world.delivered).last == world.truth)
        await gate.close()
        #expect(!folder.exists("held.db"))
    }

    @Test func T2_whoCannotBeToldTheTimeIsToldHowLongAfterTheStart() async throws {
        let (world, folder) = (World(), try TemporaryDirectory())
        world.state.withLock { $0.lead = $0.start - 86_400_000 }
        let gate = world.gate(folder, patience: .seconds(3))
        await gate.begin()
        let running = Task { await gate.run() }
        await gate.accept([world.reading(1)])
        // Without a connection there is nothing to be won by not waiting.
        world.tick(5)
        world.state.withLock { $0.isConnected = true }
        world.tick(3)
        await running.value
        #expect(times(world.delivered) == [Timestamp(milliseconds: 1_000)])
        await gate.accept([world.reading(2)])
        #expect(times(world.delivered).last == Timestamp(milliseconds: world.moment.sinceBoot))
        #expect(times(world.delivered).allSatisfy { !$0.isPlausible })
        world.setClock()
        await gate.accept([world.reading(3)])
        #expect(times(world.delivered).last == world.truth)
        await gate.close()
    }

    @Test func whoDoesNotWantToWaitDoesNot() async throws {
        let (world, folder) = (World(), try TemporaryDirectory())
        world.state.withLock { $0.lead = $0.start - 86_400_000 }
        let gate = world.gate(folder, patience: .zero)
        await gate.begin()
        await gate.run()
        await gate.accept([world.reading(1)])
        #expect(times(world.delivered) == [world.moment.wall])
        await gate.close()
        #expect(!folder.exists("held.db"))
    }

    @Test func D1_whatALimitTakesWhileItWaitsIsCounted() async throws {
        let (world, folder) = (World(), try TemporaryDirectory())
        let counted = Mutex<Int64>(0)
        let gate = ClockGate(
            path: folder.path("held.db"),
            options: OutboxOptions(durability: .relaxed, commitInterval: .milliseconds(1), maximumRows: 5),
            patience: .seconds(30),
            world: ClockGate.World(
                moment: { world.moment }, isKnown: { _ in world.state.withLock { $0.isKnown } }, boot: "first",
                isConnected: { false }, deliver: { reports in world.state.withLock { $0.delivered += reports } },
                count: { losses in counted.withLock { $0 += losses.evictedByRows } }, pause: { _ in }),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        await gate.begin()
        for number in 0..<12 { await gate.accept([world.reading(number)]) }
        world.setClock()
        await gate.run()
        await gate.close()
        #expect(world.delivered.count == 5)
        #expect(counted.withLock { $0 } == 7)
    }

    @Test(arguments: [true, false]) func T2_whatWaitsOutlivesTheAgent(isSameBoot: Bool) async throws {
        let (world, folder) = (World(), try TemporaryDirectory())
        let first = world.gate(folder)
        await first.begin()
        let truth = world.truth
        await first.accept([world.reading(1), .failure(sensor: "t", reason: "gone", time: world.moment.wall)])
        await first.close()
        #expect(world.delivered.isEmpty)
        world.pass(60_000)
        if !isSameBoot { world.state.withLock { $0.boot = "second" } }
        world.setClock()
        let second = world.gate(folder)
        await second.begin()
        // What is new goes behind what waited.
        let accepting = Task { await second.accept([world.reading(2)]) }
        await second.run()
        await accepting.value
        await second.close()
        let expected = isSameBoot ? truth : Timestamp(milliseconds: 1_000)
        #expect(world.delivered.count == 3)
        #expect(times(world.delivered) == [expected, world.truth])
        #expect(world.delivered.contains(.failure(sensor: "t", reason: "gone", time: expected)))
    }

    /// systemd-timesyncd lets a board go on at the time of its last shutdown. What waited on the board did so for seconds,
    /// however long the board was off.
    @Test func aClockThatLeapsLetsNothingExpire() async throws {
        let (world, folder) = (World(), try TemporaryDirectory())
        // The queue that holds it sees the test machine's time, if any.
        world.state.withLock { $0.lead = Timestamp.now().milliseconds - $0.sinceBoot }
        let first = world.gate(folder, maximumAge: .milliseconds(1))
        await first.begin()
        let truth = world.truth
        await first.accept([world.reading(1)])
        await first.close()
        try await Task.sleep(for: .milliseconds(20))
        world.pass(1_000)
        world.setClock()
        let second = world.gate(folder, maximumAge: .milliseconds(1))
        await second.begin()
        await second.run()
        #expect(times(world.delivered) == [truth])
        await second.close()
    }

    /// A folder that stands in the file's way.
    @Test func whatADiskThatFailsDoesNotTakeIsToldAtTheEnd() async throws {
        let (world, folder) = (World(), try TemporaryDirectory())
        try folder.makeDirectory("held.db")
        let gate = world.gate(folder)
        await gate.begin()
        for number in 0..<3 { await gate.accept([world.reading(number)]) }
        #expect(world.delivered.isEmpty)
        await gate.close()
        #expect(times(world.delivered) == Array(repeating: Timestamp(milliseconds: 1_000), count: 3))
    }

    @Test(arguments: [true, false]) func whoKeepsTimesIsToldOnceThatTheClockWasSet(hasPatience: Bool) async throws {
        let (world, folder) = (World(), try TemporaryDirectory())
        world.state.withLock { $0.lead = $0.start - 86_400_000 }
        let gate = world.gate(folder, patience: hasPatience ? .seconds(30) : .seconds(1))
        await gate.begin()
        let (taken, truth) = (world.moment.wall, world.truth)
        let running = Task { await gate.run() }
        if hasPatience {
            await gate.accept([world.reading(1)])
        } else {
            world.state.withLock { $0.isConnected = true }
            world.tick()
            await running.value
        }
        world.setClock()
        world.tick()
        await running.value
        for number in 2..<4 { await gate.accept([world.reading(number)]) }
        #expect(world.state.withLock { $0.settings }.map { $0.corrected(taken) } == [truth])
        await gate.close()
    }

    @Test func whatANewerFieldpostHasLeftWaitsForIt() async throws {
        let (world, folder) = (World(), try TemporaryDirectory())
        try await Outbox.open(path: folder.path("held.db")).close()
        // SQLite's user_version, big-endian, is the format.
        var bytes = try folder.readBytes("held.db")
        bytes.replaceSubrange(60..<64, with: [0, 0, 0, 9])
        _ = try folder.write(bytes, to: "held.db")
        let gate = world.gate(folder)
        await gate.begin()
        let truth = world.truth
        await gate.accept([world.reading(1)])
        let running = Task { await gate.run() }
        world.setClock()
        world.tick()
        await running.value
        await gate.close()
        #expect(times(world.delivered) == [truth])
        #expect(try folder.readBytes("held.db") == bytes)
    }

    @Test func everythingArrivesOnceAndInOrder() async throws {
        for seed in 0..<40 as Range<UInt64> {
            var random = SplitMix64(seed: seed)
            let (world, folder) = (World(), try TemporaryDirectory())
            world.state.withLock { $0.lead = Bool.random(using: &random) ? 0 : $0.start - 86_400_000 }
            var gate = world.gate(folder)
            await gate.begin()
            var running = Task { [gate] in await gate.run() }
            var truths: [(time: Timestamp, boot: String)] = []
            let settingAt = Int.random(in: 0..<30, using: &random)
            for step in 0..<30 {
                world.pass(Int64.random(in: 0..<5_000, using: &random))
                if step == settingAt { world.setClock() }
                switch Int.random(in: 0..<10, using: &random) {
                case 0:
                    running.cancel()
                    world.tick()
                    await running.value
                    await gate.close()
                    if step < settingAt, Bool.random(using: &random) {
                        world.state.withLock {
                            $0.boot += "+"
                            $0.start += $0.sinceBoot
                            $0.sinceBoot = 500
                        }
                    }
                    gate = world.gate(folder)
                    await gate.begin()
                    running = Task { [gate] in await gate.run() }
                case 1: world.tick()
                default:
                    truths.append((world.truth, world.state.withLock { $0.boot }))
                    await gate.accept([world.reading(truths.count - 1)])
                }
            }
            world.tick()
            await running.value
            await gate.close()
            let numbers = world.delivered.compactMap { report -> Int? in
                guard case .readings(let readings) = report, case .number(let number)? = readings.first?.value else {
                    return nil
                }
                return Int(number)
            }
            #expect(numbers == Array(truths.indices), "seed \(seed)")
            let last = world.state.withLock { $0.boot }
            for (told, truth) in zip(times(world.delivered), truths) {
                if truth.boot == last {
                    #expect(told == truth.time, "seed \(seed)")
                } else {
                    #expect(!told.isPlausible, "seed \(seed)")
                }
            }
        }
    }

    // MARK: On disk

    @Test func reportsAreReadAsTheyWereWritten() throws {
        let values: [Reading.Value] = [.number(-0.1), .number(1e300), .boolean(true), .text("\"ä\u{0}")]
        let qualities: [Quality] = [.good, .stale("old"), .outOfRange("too much")]
        let time = Timestamp(milliseconds: 86_399_999)
        var reports: [Report] = [.failure(sensor: "a", reason: "no\nway", time: time)]
        for value in values {
            for quality in qualities {
                let reading = Reading(
                    sensor: "a", channel: "+3.3V", value: value, unit: "V", time: time, quality: quality)
                reports.append(.readings([reading, Reading(sensor: "a", value: value, time: ClockJudgeTests.evening)]))
            }
            for state in AlarmState.allCases {
                reports.append(
                    .alarm(
                        AlarmReport(
                            alarm: "x", sensor: "a", channel: "c", state: state, isActive: state == .raised,
                            severity: .critical, value: value, unit: "%", time: time, raisedAt: time,
                            acknowledgedBy: "Li")))
            }
        }
        var retold = AlarmReport(
            alarm: "x", sensor: "", state: .cleared, isActive: false, severity: .info, time: time)
        reports.append(.alarm(retold))
        retold.isRetold = true
        reports.append(.alarm(retold))
        for report in reports {
            let held = HeldReport(boot: "b", report: report)
            #expect(HeldReport(ByteBuffer(string: held.text)) == held)
        }
    }

    @Test(arguments: ["", "{}", "[]", #"{"boot":"b"}"#, #"{"boot":"b","readings":[]}"#, #"{"boot":"b","alarm":{}}"#])
    func whatIsNoReportIsNone(text: String) {
        #expect(HeldReport(ByteBuffer(string: text)) == nil)
    }
}
