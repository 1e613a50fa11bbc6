import Pipeline
import Sensing
import TestSupport
import Testing
import Units

@testable import FieldpostAgent

/// T2: what times are worth on a board that comes up without knowing the time.
@Suite struct ClockJudgeTests {
    /// 2026-11-20T21:00:00Z
    static let evening = Timestamp(milliseconds: 1_795_208_400_000)

    private func moment(_ wall: Timestamp, _ seconds: Int64) -> ClockJudge.Moment {
        ClockJudge.Moment(wall: wall, sinceBoot: seconds * 1000)
    }

    @Test func aClockThatIsRightFromTheStartChangesNothing() {
        let judge = ClockJudge(moment(Self.evening, 20), isKnown: true)
        #expect(judge.isSet)
        for time in [Self.evening, Timestamp(milliseconds: 0), Self.evening + .seconds(-86_400 * 400)] {
            #expect(judge.corrected(time) == time)
        }
    }

    @Test func aTimeFromBeforeIsPutRight() {
        var judge = ClockJudge(moment(Timestamp(milliseconds: 5_000), 5), isKnown: false)
        let taken = Timestamp(milliseconds: 7_250)
        judge.observe(moment(Timestamp(milliseconds: 9_000), 9), isKnown: false)
        #expect(!judge.isSet)
        #expect(judge.mark(taken) == Timestamp(milliseconds: 7_250))
        judge.observe(moment(Self.evening, 30), isKnown: true)
        #expect(judge.isSet)
        #expect(judge.wall(Timestamp(milliseconds: 7_250)) == Self.evening + .milliseconds(7_250 - 30_000))
        #expect(judge.corrected(taken) == Self.evening + .milliseconds(7_250 - 30_000))
        #expect(judge.corrected(Self.evening) == Self.evening)
    }

    @Test func theTimeOfTheLastShutdownIsNoTimeEither() {
        let shutdown = Self.evening + .seconds(-3 * 86_400)
        var judge = ClockJudge(moment(shutdown, 10), isKnown: false)
        let taken = shutdown + .seconds(2)
        judge.observe(moment(shutdown + .seconds(5), 15), isKnown: false)
        // Whoever is told before it is known sees at once that it is none.
        #expect(judge.corrected(taken) == Timestamp(milliseconds: 12_000))
        #expect(!judge.corrected(taken).isPlausible)
        judge.observe(moment(Self.evening, 40), isKnown: true)
        #expect(judge.corrected(taken) == Self.evening + .seconds(-28))
    }

    @Test func severalStepsAreAddedUp() {
        var judge = ClockJudge(moment(Timestamp(milliseconds: 0), 1), isKnown: false)
        let first = Timestamp(milliseconds: 1_000)
        judge.observe(moment(Timestamp(milliseconds: 86_400_000), 5), isKnown: false)
        let second = Timestamp(milliseconds: 86_401_000)
        judge.observe(moment(Timestamp(milliseconds: 86_404_000), 9), isKnown: false)
        judge.observe(moment(Self.evening, 20), isKnown: true)
        #expect(judge.corrected(first) == Self.evening + .seconds(-18))
        #expect(judge.corrected(second) == Self.evening + .seconds(-14))
    }

    @Test func whoeverSetsItByHandIsBelieved() {
        var judge = ClockJudge(moment(Self.evening + .seconds(-500_000), 10), isKnown: false)
        judge.observe(moment(Self.evening + .seconds(-499_999), 11), isKnown: false)
        #expect(!judge.isSet)
        judge.observe(moment(Self.evening, 12), isKnown: false)
        #expect(judge.isSet)
    }

    @Test func aDriftIsNoStep() {
        var judge = ClockJudge(moment(Self.evening, 10), isKnown: false)
        for second in 1..<100 {
            let wall = Self.evening + .milliseconds(second * 1_100)
            judge.observe(moment(wall, 10 + Int64(second)), isKnown: false)
        }
        #expect(!judge.isSet)
    }

    @Test func aDeviceWithAClockOfItsOwnIsBelieved() {
        var judge = ClockJudge(moment(Timestamp(milliseconds: 5_000), 5), isKnown: false)
        #expect(judge.mark(Self.evening) == Self.evening)
        #expect(judge.corrected(Self.evening) == Self.evening)
        judge.observe(moment(Self.evening + .seconds(10), 20), isKnown: true)
        let old = Self.evening + .seconds(-86_400 * 100)
        #expect(judge.corrected(old) == old)
        for extreme in [Timestamp(milliseconds: .min), Timestamp(milliseconds: .max)] {
            #expect(judge.corrected(extreme) == extreme)
        }
    }

    @Test func allTimesOfAReportChange() {
        let time = Timestamp(milliseconds: 1)
        let readings = [1, 2].map { Reading(sensor: "a", value: .number($0), time: time) }
        let alarm = AlarmReport(
            alarm: "x", sensor: "a", state: .raised, isActive: true, severity: .info, time: time, raisedAt: time)
        let later = Timestamp(milliseconds: 9)
        for report in [Report.readings(readings), .failure(sensor: "a", reason: "r", time: time), .alarm(alarm)] {
            let changed = report.timed { _ in later }
            #expect(!"\(changed)".contains("milliseconds: 1)"))
            #expect(changed.timed { _ in time } == report)
        }
    }
}

/// What the system says of its clock.
@Suite struct BoardClockTests {
    private func isKnown(_ files: [String: String], at wall: Timestamp = ClockJudgeTests.evening) throws -> Bool {
        let root = try TemporaryDirectory()
        for (path, text) in files {
            let folders = path.split(separator: "/").dropLast()
            for depth in 1...folders.count {
                let folder = folders.prefix(depth).joined(separator: "/")
                if !root.exists(folder) { _ = try root.makeDirectory(folder) }
            }
            try root.write(text, to: path)
        }
        return BoardClock(root: root.path).isKnown(wall)
    }

    @Test func whatIsBelieved() throws {
        #expect(try isKnown([:]))
        #expect(try !isKnown([:], at: Timestamp(milliseconds: 1_000_000)))
        // systemd-timesyncd, before and after it had an answer.
        #expect(try !isKnown(["run/systemd/timesync/somebody": ""]))
        #expect(try isKnown(["run/systemd/timesync/synchronized": ""]))
    }

    @Test func aBatteryKeepsTheTime() throws {
        let waiting = "run/systemd/timesync/somebody"
        let now = ClockJudgeTests.evening.milliseconds / 1000
        let clock = "sys/class/rtc/rtc0/since_epoch"
        #expect(try isKnown([waiting: "", clock: "\(now + 7_200)\n"]))
        // A Raspberry Pi 5 without its battery.
        #expect(try !isKnown([waiting: "", clock: "41\n"]))
        #expect(try isKnown([waiting: "", clock: "41\n", "sys/class/rtc/rtc1/since_epoch": "\(now)\n"]))
        for nonsense in ["", "x", "-1", "99999999999999999999", "9223372036854775807"] {
            #expect(try !isKnown([waiting: "", clock: nonsense]))
        }
    }

    @Test func thisMachineHasBeenUpForAWhileUnderAName() {
        let clock = BoardClock()
        #expect(clock.boot.utf8.count == 36)
        let first = clock.moment()
        #expect(first.sinceBoot > 0)
        #expect(clock.moment().sinceBoot >= first.sinceBoot)
    }
}
