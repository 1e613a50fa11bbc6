import Pipeline
import Sensing
import Testing
import Units

@Suite struct AlarmTests {
    private static let limits = AlarmCondition(.outside(upper: .init(raise: 85, clear: 20), lower: nil))

    private static func rule(
        _ condition: AlarmCondition = limits, for raiseDelay: Int = 0, clearFor: Int = 0, latch: Bool = false,
        repeating: Int? = nil
    ) -> AlarmRule {
        AlarmRule(
            name: "full", sensor: "fill", condition: condition, raiseDelay: .seconds(raiseDelay),
            clearDelay: .seconds(clearFor), severity: .serious, isLatched: latch,
            repeatInterval: repeating.map { .seconds($0) })
    }

    private enum Step {
        case value(Double)
        case implausible(Double)
        case stale
        case failure
        case time
        case acknowledge
    }

    /// Plays steps at seconds, and compares what each reports.
    private func play(
        _ rule: AlarmRule, _ steps: [(Int, Step, String?)], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var alarm = Alarm(rule)
        for (second, step, expected) in steps {
            let report =
                switch step {
                case .value(let value): alarm.accept(fill(value, second))
                case .implausible(let value): alarm.accept(fill(value, second, quality: .outOfRange("no")))
                case .stale: alarm.accept(fill(99, second, quality: .stale("old")))
                case .failure: alarm.fail(reason: "gone", at: noon(second))
                case .time: alarm.advance(to: noon(second))
                case .acknowledge: alarm.acknowledge(by: "anna", at: noon(second))
                }
            #expect(brief(report) == expected, "at \(second)", sourceLocation: sourceLocation)
            if let report { #expect(report.time == noon(second), sourceLocation: sourceLocation) }
        }
    }

    @Test func aBinFillsIsSeenToAndIsEmptied() {
        play(
            Self.rule(),
            [
                (0, .value(10), "cleared 10%"), (1, .value(85), nil), (2, .value(85.1), "raised 85.1%"),
                (3, .value(50), nil), (4, .value(99), nil), (5, .acknowledge, "acknowledged by anna"),
                (6, .acknowledge, nil), (7, .value(20), nil), (8, .value(19), "cleared 19% by anna"),
                (9, .acknowledge, nil), (10, .value(90), "raised 90%"), (11, .value(0), "cleared 0%"),
            ])
    }

    @Test func withoutAClearThresholdTheAlarmEndsAtTheOneThatRaisesIt() {
        play(
            Self.rule(AlarmCondition(.outside(upper: .init(raise: 0), lower: nil))),
            [(0, .value(0), "cleared 0%"), (1, .value(1), "raised 1%"), (2, .value(0), "cleared 0%")])
        play(
            Self.rule(AlarmCondition(.outside(upper: nil, lower: .init(raise: 3)))),
            [(0, .value(2), "raised 2%"), (1, .value(3), "cleared 3%")])
    }

    @Test func aRangeHasTwoSides() {
        play(
            Self.rule(
                AlarmCondition(.outside(upper: .init(raise: 8, clear: 7), lower: .init(raise: 2, clear: 3)))),
            [
                (0, .value(7.5), "cleared 7.5%"), (1, .value(9), "raised 9%"), (2, .value(7.5), nil),
                (3, .value(1), nil), (4, .value(2.5), nil), (5, .value(5), "cleared 5%"), (6, .value(2.5), nil),
                (7, .value(1), "raised 1%"),
            ])
    }

    @Test func aConditionMustLastAndSoMustItsEnd() {
        play(
            Self.rule(for: 60, clearFor: 30),
            [
                (0, .value(90), "cleared 90%"), (59, .value(91), nil), (60, .value(80), nil), (61, .time, nil),
                (70, .value(95), nil), (129, .time, nil), (130, .time, "raised 95%"), (140, .value(10), nil),
                (169, .value(25), nil), (171, .time, nil), (180, .value(5), nil), (211, .value(4), "cleared 4%"),
            ])
    }

    @Test func aLatchedAlarmWaitsForSomebody() {
        play(
            Self.rule(latch: true),
            [
                (0, .value(90), "raised 90%"), (1, .value(10), "raised over 10%"), (2, .value(90), "raised 90%"),
                (3, .value(10), "raised over 10%"), (4, .acknowledge, "cleared by anna"), (5, .acknowledge, nil),
                (6, .value(90), "raised 90%"), (7, .acknowledge, "acknowledged by anna"),
                (8, .value(10), "cleared 10% by anna"),
            ])
    }

    @Test func whatIsNoValueDecidesNothing() {
        play(
            Self.rule(for: 10),
            [
                (0, .failure, nil), (1, .implausible(99), nil), (2, .stale, nil), (3, .acknowledge, nil),
                (4, .value(1), "cleared 1%"), (5, .value(90), nil), (6, .failure, nil), (40, .time, nil),
                (41, .value(90), "raised 90%"), (42, .implausible(0), nil), (43, .stale, nil),
                (44, .value(0), "cleared 0%"),
            ])
    }

    @Test func aMissingValueMayBeWhatIsLookedFor() {
        play(
            Self.rule(AlarmCondition(nil, includesFailure: true), for: 30),
            [
                (0, .failure, nil), (29, .time, nil), (30, .time, "raised"), (40, .stale, nil),
                (50, .value(1), "cleared 1%"), (60, .stale, nil), (80, .implausible(1), nil), (89, .failure, nil),
                (90, .failure, "raised"),
            ])
        play(
            Self.rule(AlarmCondition(Self.limits.test, includesFailure: true), for: 30),
            [
                (0, .value(90), "cleared 90%"), (20, .failure, nil), (30, .time, "raised"), (31, .value(50), nil),
                (32, .value(1), "cleared 1%"),
            ])
    }

    @Test func itIsToldAgainWhileNobodyAcknowledges() {
        play(
            Self.rule(repeating: 60),
            [
                (0, .value(90), "raised 90%"), (59, .time, nil), (60, .time, "raised 90%"), (61, .value(95), nil),
                (119, .time, nil), (130, .time, "raised 95%"), (189, .time, nil), (190, .time, "raised 95%"),
                (191, .acknowledge, "acknowledged by anna"), (400, .time, nil),
            ])
    }

    @Test func textsAndBooleansAreCompared() {
        var lid = Alarm(
            AlarmRule(name: "open", sensor: "lid", channel: "a", condition: AlarmCondition(.equal(.boolean(true)))))
        func reading(_ value: Reading.Value, channel: String? = "a", sensor: String = "lid") -> Reading {
            Reading(sensor: sensor, channel: channel, value: value, time: noon(0))
        }
        #expect(lid.accept(reading(.boolean(true), channel: "b")) == nil)
        #expect(lid.accept(reading(.boolean(true), channel: nil)) == nil)
        #expect(lid.accept(reading(.boolean(true), sensor: "gate")) == nil)
        #expect(brief(lid.accept(reading(.boolean(true)))) == "raised true")
        #expect(brief(lid.accept(reading(.text("true")))) == "cleared true")

        var full = Alarm(Self.rule())
        #expect(full.accept(Reading(sensor: "fill", value: .text("99"), time: noon(0))) == nil)
        #expect(full.report == nil)
    }

    @Test func theReportSaysAllThatIsKnown() {
        var alarm = Alarm(Self.rule())
        #expect(alarm.report == nil)
        #expect(alarm.fail(reason: "unplugged", at: noon(0)) == nil)
        #expect(alarm.failure == "unplugged")
        let raised = alarm.accept(fill(90, 1))
        #expect(alarm.failure == nil)
        #expect(
            raised
                == AlarmReport(
                    alarm: "full", sensor: "fill", state: .raised, isActive: true, severity: .serious,
                    value: .number(90), unit: "%", time: noon(1), raisedAt: noon(1)))
        _ = alarm.accept(fill(95, 2))
        #expect(alarm.report == raised)
        let acknowledged = alarm.acknowledge(by: nil, at: noon(3))
        #expect(
            acknowledged
                == AlarmReport(
                    alarm: "full", sensor: "fill", state: .acknowledged, isActive: true, severity: .serious,
                    time: noon(3), raisedAt: noon(1)))
    }

    @Test func aRestartRaisesNothingAnew() throws {
        var alarm = Alarm(Self.rule(for: 60, latch: true, repeating: 600))
        _ = alarm.accept(fill(90, 0))
        alarm = Alarm(alarm.rule, state: try kept(alarm.state))
        #expect(alarm.due == nil, "what it is now is not known yet")
        #expect(alarm.advance(to: noon(100)) == nil)
        #expect(brief(alarm.accept(fill(91, 101))) == "raised 91%")

        let report = alarm.report
        alarm = Alarm(alarm.rule, state: try kept(alarm.state))
        #expect(alarm.report == report)
        #expect(alarm.accept(fill(92, 200)) == nil)
        #expect(alarm.due == noon(701))
        #expect(brief(alarm.acknowledge(by: "anna", at: noon(201))) == "acknowledged by anna")

        alarm = Alarm(alarm.rule, state: try kept(alarm.state))
        #expect(alarm.acknowledge(by: "bo", at: noon(202)) == nil)
        #expect(brief(alarm.accept(fill(1, 203))) == "cleared 1% by anna")
        alarm = Alarm(alarm.rule, state: try kept(alarm.state))
        #expect(alarm.accept(fill(1, 204)) == nil)
    }

    @Test func aRuleThatIsNoLongerLatchedLetsGo() throws {
        var latched = Alarm(Self.rule(latch: true))
        _ = latched.accept(fill(90, 0))
        _ = latched.accept(fill(1, 1))
        var alarm = Alarm(Self.rule(), state: try kept(latched.state))
        #expect(brief(alarm.accept(fill(1, 2))) == "cleared 1%")
    }

    @Test func `What was kept of another sensor, channel or condition is no state of this one`() throws {
        var alarm = Alarm(Self.rule())
        _ = alarm.accept(fill(90, 0))
        let state = try kept(alarm.state)
        var others = Array(repeating: Self.rule(), count: 5)
        others[0].sensor = "level"
        others[1].channel = "left"
        others[2].condition.includesFailure = true
        others[3].condition = AlarmCondition(.outside(upper: .init(raise: 86, clear: 20), lower: nil))
        others[4].condition = AlarmCondition(.equal(.number(90)))
        for other in others { #expect(Alarm(other, state: state).report == nil, "\(other)") }
        var same = Self.rule(for: 60, clearFor: 1, repeating: 60)
        (same.severity, same.message) = (.critical, "Please empty the bin")
        #expect(Alarm(same, state: state).report?.state == .raised)
        // What was about to be raised is not either.
        alarm = Alarm(Self.rule(for: 60))
        _ = alarm.accept(fill(90, 0))
        var later = Alarm(
            Self.rule(AlarmCondition(.outside(upper: .init(raise: 86), lower: nil)), for: 60),
            state: try kept(alarm.state))
        #expect(brief(later.accept(fill(90, 100))) == "cleared 90%")
    }

    @Test func `Older files do not say of what they are, and count`() throws {
        let text =
            #"{"state":"cleared","active":false,"changed":1767268800000,"value":90,"unit":"%","since":1767268800000}"#
        var alarm = Alarm(Self.rule(for: 60), state: try JSONReader.value(Array(text.utf8)[...]))
        #expect(alarm.report?.state == .cleared)
        #expect(brief(alarm.accept(fill(90, 61))) == "raised 90%")
    }

    @Test func `No change is told with an earlier time than the one before`() {
        var alarm = Alarm(Self.rule(AlarmCondition(Self.limits.test, includesFailure: true)))
        let failed = noon(10) + .milliseconds(889)
        #expect(alarm.fail(reason: "no number", at: failed)?.time == failed)
        let cleared = alarm.accept(fill(10, 10), at: noon(12))
        #expect(cleared?.time == failed)
        #expect(alarm.accept(fill(90, 9), at: noon(13))?.raisedAt == failed)
        // What claims to be of a time to come is not believed, and the next one need not wait for it.
        #expect(alarm.accept(fill(10, 999), at: noon(14))?.time == noon(14))
        #expect(alarm.accept(fill(90, 15), at: noon(15))?.time == noon(15))
        // The clock itself may go back.
        #expect(alarm.accept(fill(10, -3600), at: noon(-3600))?.time == noon(-3600))
    }

    @Test func `What a broker had retained neither raises nor clears`() {
        let both = AlarmCondition(Self.limits.test, includesFailure: true)
        func retained(_ value: Double, _ second: Int) -> Reading { fill(value, second, quality: .undated("retained")) }
        for rule in [Self.rule(both), Self.rule(AlarmCondition(nil, includesFailure: true)), Self.rule()] {
            var alarm = Alarm(rule)
            #expect(alarm.accept(retained(99, 0)) == nil)
            #expect(alarm.accept(retained(1, 0)) == nil)
            #expect(alarm.report == nil)
            #expect(brief(alarm.accept(fill(1, 1))) == "cleared 1%")
            #expect(alarm.accept(retained(99, 2)) == nil)
        }
        var alarm = Alarm(Self.rule(both))
        #expect(brief(alarm.fail(reason: "no connection", at: noon(0))) == "raised")
        #expect(alarm.accept(retained(1, 1)) == nil)
        #expect(brief(alarm.accept(fill(1, 2))) == "cleared 1%")
        // The end of a failure before it was raised.
        alarm = Alarm(Self.rule(both, for: 60))
        #expect(alarm.fail(reason: "no connection", at: noon(0)) == nil)
        #expect(alarm.accept(retained(1, 1)) == nil)
        #expect(alarm.due == nil)
        #expect(alarm.fail(reason: "no connection", at: noon(90)) == nil)
        #expect(brief(alarm.advance(to: noon(150))) == "raised")
    }

    @Test(
        arguments: [
            #"null"#, #"[]"#, #"{"state":"lost"}"#, #"{"state":"raised","active":true}"#,
            #"{"state":"cleared","active":true,"changed":1}"#, #"{"state":"acknowledged","active":false,"changed":1}"#,
            #"{"state":"raised","active":true,"changed":1e300}"#, #"{"state":"raised","active":1,"changed":1}"#,
            #"{"since":0.5}"#,
        ])
    func stateThatIsNoneCountsAsNone(text: String) throws {
        var alarm = Alarm(Self.rule(), state: try JSONReader.value(Array(text.utf8)[...]))
        #expect(alarm.report == nil)
        #expect(brief(alarm.accept(fill(1, 0))) == "cleared 1%")
    }

    @Test func timesAtTheEndOfTimeDoNoHarm() throws {
        let times: [Int64] = [.min, .max, 0, .min, -1, .max, .max, .min]
        var alarm = Alarm(
            Self.rule(for: 1_000_000_000, latch: true, repeating: 9_000_000_000),
            state: try JSONReader.value(
                Array(#"{"state":"raised","active":true,"changed":9e18,"raised":9e18,"since":-9e18}"#.utf8)[...]))
        for milliseconds in times {
            let time = Timestamp(milliseconds: milliseconds)
            _ = alarm.accept(Reading(sensor: "fill", value: .number(1), time: time))
            _ = alarm.advance(to: time)
            _ = alarm.due
            _ = alarm.accept(Reading(sensor: "fill", value: .number(99), time: time))
            _ = alarm.advance(to: time)
            _ = alarm.due
        }
        #expect(alarm.report != nil)
    }

    @Test func aClockThatIsSetBackOnlyBeginsADelayAnew() {
        play(
            Self.rule(for: 60, repeating: 60),
            [
                (100_000, .value(90), "cleared 90%"), (10, .time, nil), (69, .time, nil), (70, .time, "raised 90%"),
                (0, .time, nil), (59, .time, nil), (60, .time, "raised 90%"),
            ])
    }

    @Test func aClockThatIsSetForTheFirstTimeEndsNoDelay() {
        var alarm = Alarm(Self.rule(for: 60))
        let early = Reading(sensor: "fill", value: .number(90), unit: "%", time: Timestamp(milliseconds: 5000))
        #expect(brief(alarm.accept(early)) == "cleared 90%")
        #expect(alarm.accept(fill(90, 0)) == nil)
        #expect(alarm.due == noon(60))
        #expect(brief(alarm.advance(to: noon(60))) == "raised 90%")
    }

    // MARK: A clock that is set

    /// Three days after a board's last shutdown it is told so.
    @Test func `a delay that is running does not leap with the clock`() {
        var board = AlarmBoard([Self.rule(for: 60)])
        let leap = Duration.seconds(3 * 86_400)
        #expect(board.accept([fill(10, 0)]).count == 1)
        #expect(board.accept([fill(90, 10)]).isEmpty)
        let changes = board.stateChanges
        board.retime { $0 + leap }
        #expect(board.stateChanges > changes)
        #expect(board.advance(to: noon(20) + leap).isEmpty)
        #expect(board.due == noon(70) + leap)
        let raised = board.advance(to: noon(70) + leap)
        #expect(raised.map(\.raisedAt) == [noon(70) + leap])
    }

    @Test func `what is told again after a restart has been put right`() {
        let (rule, leap) = (Self.rule(), Duration.seconds(3 * 86_400))
        var board = AlarmBoard([rule])
        #expect(board.accept([fill(90, 10)]).count == 1)
        board.retime { $0 + leap }
        let retold = AlarmBoard([rule], state: board.state).reports
        #expect(retold.map(\.time) == [noon(10) + leap])
        #expect(retold.map(\.raisedAt) == [noon(10) + leap])
    }
}
