import Pipeline
import Sensing
import Testing
import Units

@Suite struct AlarmBoardTests {
    @Test func `A channel that fails raises its alarm, and the sensor's, until it has a value again`() {
        let lost = AlarmCondition(nil, includesFailure: true)
        var board = AlarmBoard([
            AlarmRule(name: "any", sensor: "p", condition: lost),
            AlarmRule(name: "n", sensor: "p", channel: "n", condition: lost),
            AlarmRule(name: "a", sensor: "p", channel: "a", condition: lost),
        ])
        func read(_ channels: String..., second: Int) -> [String] {
            let values = channels.map { Reading(sensor: "p", channel: $0, value: .number(1), time: noon(second)) }
            return board.accept(values).map { "\($0.alarm) \($0.state)" }
        }
        func fail(_ second: Int) -> [String] {
            board.fail(sensor: "p", channel: "n", reason: "unplugged", at: noon(second)).map {
                "\($0.alarm) \($0.state)"
            }
        }
        #expect(read("a", "n", second: 0) == ["any cleared", "n cleared", "a cleared"])
        #expect(fail(1) == ["any raised", "n raised"])
        #expect(read("a", second: 1) == [])
        #expect(fail(2) == [])
        #expect(read("a", second: 2) == [])
        #expect(read("a", "n", second: 3) == ["any cleared", "n cleared"])
    }

    private let rules = [
        AlarmRule(
            name: "full", sensor: "fill", condition: AlarmCondition(.outside(upper: .init(raise: 85), lower: nil))),
        AlarmRule(
            name: "overflowing", sensor: "fill",
            condition: AlarmCondition(.outside(upper: .init(raise: 95), lower: nil)), raiseDelay: .seconds(60),
            severity: .critical),
        AlarmRule(name: "blind", sensor: "fill", condition: AlarmCondition(nil, includesFailure: true)),
        AlarmRule(
            name: "open", sensor: "lid", condition: AlarmCondition(.equal(.boolean(true))),
            repeatInterval: .seconds(600)),
    ]

    private func lid(_ isOpen: Bool, _ seconds: Int) -> Reading {
        Reading(sensor: "lid", value: .boolean(isOpen), time: noon(seconds))
    }

    private func names(_ reports: [AlarmReport]) -> [String] { reports.map { "\($0.alarm) \($0.state)" } }

    @Test func eachValueGoesToItsSensorsAlarms() {
        var board = AlarmBoard(rules)
        #expect(board.reports == [])
        #expect(
            names(board.accept([fill(99, 0), lid(false, 0), Reading(sensor: "x", value: .number(1), time: noon(0))]))
                == ["full raised", "overflowing cleared", "blind cleared", "open cleared"])
        #expect(board.due == noon(60))
        #expect(board.advance(to: noon(59)) == [])
        #expect(names(board.advance(to: noon(60))) == ["overflowing raised"])
        #expect(board.due == nil)
        #expect(names(board.fail(sensor: "fill", reason: "gone", at: noon(61))) == ["blind raised"])
        #expect(board["blind"]?.failure == "gone")
        #expect(
            names(board.accept([fill(1, 62)])) == ["full cleared", "overflowing cleared", "blind cleared"])
        #expect(names(board.reports) == ["full cleared", "overflowing cleared", "blind cleared", "open cleared"])
    }

    @Test func anAlarmIsAcknowledgedByItsName() throws {
        var board = AlarmBoard(rules)
        _ = board.accept([lid(true, 0)])
        #expect(names(try board.acknowledge("open", by: "anna", at: noon(1))) == ["open acknowledged"])
        #expect(try board.acknowledge("open", by: "anna", at: noon(1)) == [])
        let error = #expect(throws: InvalidText.self) { try board.acknowledge("ful", by: nil, at: noon(1)) }
        #expect(
            error?.description
                == "there is no alarm \"ful\": did you mean \"full\"? (possible are blind, full, open, overflowing)")
        var empty = AlarmBoard([])
        #expect(throws: InvalidText("there is no alarm \"x\"", mend: "none is configured")) {
            try empty.acknowledge("x", by: nil, at: noon(0))
        }
    }

    @Test func onlyChangesCountAsSuch() {
        var board = AlarmBoard(rules)
        _ = board.accept([lid(true, 0)])
        #expect(board.stateChanges == 1)
        _ = board.accept([lid(true, 1), fill(99, 1)])
        #expect(board.stateChanges == 4)
        #expect(names(board.advance(to: noon(601))) == ["overflowing raised", "open raised"])
        #expect(board.stateChanges == 5, "what is told again is no change")
    }

    @Test func aRestartKeepsWhatWasAndForgetsWhatIsNoMore() throws {
        var board = AlarmBoard(rules)
        _ = board.accept([fill(99, 0), lid(true, 0)])
        _ = try board.acknowledge("full", by: "anna", at: noon(1))
        var next = AlarmBoard(Array(rules.dropFirst(1)) + [rules[0]], state: try kept(board.state))
        #expect(Set(next.reports) == Set(board.reports))
        #expect(next.due == noon(600), "the lid is told again")
        #expect(next.accept([fill(99, 30), lid(true, 30)]) == [])
        #expect(next.stateChanges == 0)
        #expect(names(next.advance(to: noon(60))) == ["overflowing raised"], "the minute goes on")

        let fewer = AlarmBoard(Array(rules.prefix(1)), state: try kept(board.state))
        #expect(names(fewer.reports) == ["full acknowledged"])
        #expect(fewer.state.object?.map(\.name) == ["full"])
    }
}
