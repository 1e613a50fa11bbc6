import Sensing
import TestSupport
import Testing
import Units

@Suite struct SensorScheduleTests {
    static let broken = SensorError(.unavailable, "/sys/x", "gave no answer")
    static let gone = SensorError(.missing, "/sys/x", "does not exist")

    /// One read that begins when it is due and takes so long; what is told of it.
    @discardableResult
    static func fail(
        _ schedule: inout SensorSchedule, _ error: SensorError = broken, partly: Bool = false,
        taking time: Duration = .zero
    ) -> SensorSchedule.Failure? {
        let now = schedule.due + time
        schedule.begin()
        defer { schedule.end(at: now) }
        return schedule.failed(error, partly: partly, at: now)
    }

    @discardableResult
    static func succeed(_ schedule: inout SensorSchedule, taking time: Duration = .zero) -> SensorSchedule.Recovery? {
        let now = schedule.due + time
        schedule.begin()
        defer { schedule.end(at: now) }
        return schedule.succeeded(at: now)
    }

    @Test("The grid holds, however long reads take, and points that pass are counted") func grid() {
        var schedule = SensorSchedule(every: .seconds(10), start: .seconds(3))
        let table: [(takes: Duration, due: Int, overruns: UInt64)] = [
            (.zero, 13, 0), (.seconds(4), 23, 0), (.milliseconds(9999), 33, 0), (.seconds(10), 43, 0),
            (.milliseconds(10001), 63, 1), (.seconds(35), 103, 4), (.zero, 113, 4),
        ]
        #expect(schedule.due == .seconds(3))
        for row in table {
            Self.succeed(&schedule, taking: row.takes)
            #expect(schedule.due == .seconds(row.due))
            #expect(schedule.overruns == row.overruns)
        }
    }

    @Test("After failures the pauses double, up to five minutes, and the first success ends them") func backoff() {
        var schedule = SensorSchedule(every: .seconds(10), start: .zero)
        var pauses: [Duration] = []
        for _ in 0..<9 {
            let before = schedule.due
            Self.fail(&schedule)
            pauses.append(schedule.due - before)
        }
        let seconds = [10, 20, 40, 80, 160, 300, 300, 300, 300]
        #expect(pauses == seconds.map { Duration.seconds($0) })
        let recovery = Self.succeed(&schedule)
        #expect(recovery?.failures == 9)
        #expect(recovery?.after == .seconds(10 + 20 + 40 + 80 + 160 + 4 * 300))
        #expect(Self.succeed(&schedule) == nil)
        #expect(schedule.due == .seconds(1530))
        #expect(schedule.overruns == 0)
    }

    @Test("That the last channel fails too is told, though the first one's trouble stays the same") func lastChannel() {
        var schedule = SensorSchedule(every: .seconds(10), start: .zero)
        #expect(Self.fail(&schedule, partly: true) != nil)
        #expect(Self.fail(&schedule, partly: true) == nil)
        #expect(Self.fail(&schedule) != nil)
        #expect(Self.fail(&schedule) == nil)
        #expect(Self.fail(&schedule, partly: true) == nil)
    }

    @Test("A sensor that is read once an hour is retried after five minutes, and keeps its hours") func rareReads() {
        var schedule = SensorSchedule(every: .seconds(3600), start: .zero)
        Self.succeed(&schedule)
        #expect(Self.fail(&schedule)?.retryIn == .seconds(300))
        #expect(schedule.due == .seconds(3900))
        Self.fail(&schedule, taking: .seconds(10))
        #expect(schedule.due == .seconds(4210))
        Self.succeed(&schedule)
        #expect(schedule.due == .seconds(7200))
        Self.fail(&schedule)
        for _ in 0..<10 { Self.fail(&schedule) }
        #expect(schedule.due == .seconds(7200 + 11 * 300))
        Self.fail(&schedule)
        #expect(schedule.due == .seconds(10800))
        #expect(schedule.overruns == 0)
    }

    @Test("Sensors of which some channels fail keep their pace") func partly() {
        var schedule = SensorSchedule(every: .seconds(10), start: .zero)
        for _ in 0..<9 { Self.fail(&schedule, partly: true) }
        #expect(schedule.due == .seconds(90))
    }

    @Test("A failure is told at first, when its reason changes, and at each twelfth") func telling() {
        var schedule = SensorSchedule(every: .seconds(10), start: .zero)
        var told: [Int] = []
        for count in 1...30 {
            if let failure = Self.fail(&schedule, count < 8 ? Self.broken : Self.gone) {
                #expect(failure.count == count)
                told.append(count)
            }
        }
        #expect(told == [1, 8, 12, 24])
        Self.succeed(&schedule)
        let anew = Self.fail(&schedule, Self.gone)
        #expect(anew?.count == 1)
        #expect(anew?.retryIn == .seconds(10))
    }

    @Test("A rare sensor whose device is missing or busy is looked for soon, one that is broken later") func rare() {
        for (error, limit) in [
            (Self.gone, SensorSchedule.searchLimit),
            (SensorError(.busy, "/dev/ttyUSB0", "is in use"), SensorSchedule.searchLimit),
            (Self.broken, SensorSchedule.retryLimit),
        ] {
            var schedule = SensorSchedule(every: .seconds(3600), start: .zero)
            #expect(Self.fail(&schedule, error)?.retryIn == limit)
            #expect(schedule.due == limit)
        }
    }

    /// A read that takes no time, and what the wall clock says at its end.
    static func succeed(_ schedule: inout SensorSchedule, wall: Timestamp) {
        let now = schedule.due
        schedule.begin()
        _ = schedule.succeeded(at: now)
        schedule.end(at: now, wall: wall)
    }

    @Test("After the first read, reads fall on the wall clock's round times, as much later as the phase says")
    func wallClock() {
        // 12:00:03.250, and the board has run for 100 seconds.
        let start = Duration.seconds(100)
        let wall = Timestamp(milliseconds: noon.milliseconds + 3_250)
        var schedule = SensorSchedule(every: .seconds(10), phase: .milliseconds(300), start: start)
        #expect(schedule.due == start)
        for point in 1...3 {
            Self.succeed(&schedule, wall: wall + (schedule.due - start))
            #expect(wall + (schedule.due - start) == noon + .milliseconds(10_000 * point + 300))
        }
        #expect(schedule.overruns == 0)
    }

    @Test("A wall clock that is set moves the grid, without a read too many") func clockIsSet() {
        for step in [
            Duration.seconds(4), .seconds(-4), .seconds(3_600 * 24 * 365 * 20), .milliseconds(1), .seconds(-5),
        ] {
            var schedule = SensorSchedule(every: .seconds(10), start: .zero)
            Self.succeed(&schedule, wall: noon)
            #expect(schedule.due == .seconds(10))
            let wall = noon + .seconds(10) + step
            Self.succeed(&schedule, wall: wall)
            let due = schedule.due - .seconds(10)
            #expect((wall + due).milliseconds % 10_000 == 0)
            #expect(due >= .seconds(5) && due <= .seconds(15), "step \(step)")
            #expect(schedule.overruns == 0)
        }
    }

    @Test("A clock that drifts never makes two reads of one point") func drift() {
        var schedule = SensorSchedule(every: .seconds(3_600), start: .zero)
        Self.succeed(&schedule, wall: noon)
        for hour in 1...200 {
            // It runs 0.05 % faster or slower than the other one.
            let pace = hour % 2 == 0 ? 1.0005 : 0.9995
            let wall = noon + schedule.due * pace
            Self.succeed(&schedule, wall: wall)
            #expect(schedule.due >= .seconds(3_590 * (hour + 1)))
            #expect(schedule.due <= .seconds(3_610 * (hour + 1)))
        }
    }

    @Test("Without a grid nothing is due after the first read, until the device is gone") func noGrid() {
        var schedule = SensorSchedule(every: nil, start: .seconds(5))
        #expect(schedule.due == .seconds(5))
        Self.succeed(&schedule)
        #expect(schedule.due > .seconds(10 * 365 * 86_400))
        #expect(schedule.received(at: .seconds(60)) == nil)
        #expect(schedule.failedToReceive(Self.broken, isDeaf: false, at: .seconds(70))?.count == 1)
        #expect(schedule.due > .seconds(10 * 365 * 86_400))
        #expect(schedule.received(at: .seconds(80))?.failures == 1)
        #expect(schedule.failedToReceive(Self.gone, isDeaf: true, at: .seconds(100))?.retryIn == .seconds(1))
        var pauses: [Duration] = []
        for _ in 0..<8 {
            let before = schedule.due
            Self.fail(&schedule, Self.gone)
            pauses.append(schedule.due - before)
        }
        let seconds = [2, 4, 8, 16, 30, 30, 30, 30]
        #expect(pauses == seconds.map { Duration.seconds($0) })
        #expect(Self.succeed(&schedule)?.failures == 9)
        #expect(schedule.due > .seconds(10 * 365 * 86_400))
        #expect(schedule.overruns == 0)
    }

    @Test("What fails between reads does not shift them") func receptionsAndGrid() {
        var schedule = SensorSchedule(every: .seconds(10), start: .zero)
        Self.succeed(&schedule)
        _ = schedule.failedToReceive(Self.broken, isDeaf: false, at: .seconds(4))
        #expect(schedule.due == .seconds(10))
        _ = schedule.failedToReceive(Self.gone, isDeaf: true, at: .seconds(5))
        #expect(schedule.due == .seconds(10))
        #expect(Self.succeed(&schedule)?.failures == 2)
    }

    @Test("What is received ends the pause after failures") func receptionAfterFailures() {
        var schedule = SensorSchedule(every: .seconds(1), start: .zero)
        for _ in 0..<7 { Self.fail(&schedule, Self.broken) }
        #expect(schedule.due == .seconds(127))
        #expect(schedule.received(at: .milliseconds(70_500))?.failures == 7)
        #expect(schedule.due == .seconds(71))
        #expect(schedule.received(at: .milliseconds(70_600)) == nil)
        #expect(schedule.due == .seconds(71))
    }

    @Test("Whatever happens: never two reads at once, no read before its time, pauses bounded, the grid kept")
    func simulation() {
        for seed in UInt64(0)..<3000 {
            var random = SplitMix64(seed: seed)
            let every = Duration.milliseconds(Int.random(in: 10...700_000, using: &random))
            var now = Duration.milliseconds(Int.random(in: 0...1_000_000, using: &random))
            let start = now
            var schedule = SensorSchedule(every: every, start: start)
            for _ in 0..<60 {
                now = max(now, schedule.due)
                #expect(!schedule.isReading, "seed \(seed)")
                schedule.begin()
                #expect(schedule.isReading, "seed \(seed)")
                now += .milliseconds(Int.random(in: 0...20_000, using: &random))
                let succeeded = Bool.random(using: &random)
                if succeeded {
                    _ = schedule.succeeded(at: now)
                } else if let failure = schedule.failed(Self.broken, at: now) {
                    #expect(failure.retryIn <= max(SensorSchedule.retryLimit, every), "seed \(seed)")
                }
                // Acceptance takes its time too.
                now += .milliseconds(Int.random(in: 0...2_000, using: &random))
                schedule.end(at: now)
                #expect(schedule.due - now <= max(SensorSchedule.retryLimit, every), "seed \(seed)")
                if succeeded || every <= SensorSchedule.retryLimit {
                    let steps = (schedule.due - start) / every
                    #expect(abs(steps - steps.rounded()) < 1e-6, "seed \(seed)")
                    #expect(schedule.due >= now, "seed \(seed)")
                }
            }
        }
    }
}
