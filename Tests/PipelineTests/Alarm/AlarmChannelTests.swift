import Pipeline
import Sensing
import TestSupport
import Testing
import Units

/// An alarm that names no channel, on a sensor that has several.
@Suite struct AlarmChannelTests {
    private static let over50 = AlarmCondition(.outside(upper: .init(raise: 50), lower: nil))

    private static func rule(
        _ condition: AlarmCondition = over50, channel: String? = nil, for delay: Int = 0, clearFor: Int = 0
    ) -> AlarmRule {
        AlarmRule(
            name: channel ?? "any", sensor: "multi", channel: channel, condition: condition,
            raiseDelay: .seconds(delay), clearDelay: .seconds(clearFor))
    }

    private func round(_ values: KeyValuePairs<String, Double>, _ second: Int, _ quality: Quality = .good) -> [Reading]
    {
        values.map {
            Reading(sensor: "multi", channel: $0, value: .number($1), time: noon(second), quality: quality)
        }
    }

    /// "raised 80 h"
    private func texts(_ reports: [AlarmReport]) -> [String] {
        reports.map { report in (brief(report) ?? "") + (report.channel.map { " \($0)" } ?? "") }
    }

    @Test func `It is raised once while one of its channels is over the threshold`() {
        var board = AlarmBoard([Self.rule()])
        #expect(texts(board.accept(round(["t": 20, "h": 80], 0))) == ["raised 80 h"])
        for second in 1..<10 { #expect(board.accept(round(["t": 20, "h": 80], second)) == []) }
        #expect(texts(board.accept(round(["t": 20, "h": 40], 10))) == ["cleared 40 h"])
    }

    @Test func `What has to last, lasts in its channel`() {
        var board = AlarmBoard([Self.rule(for: 2, clearFor: 3)])
        #expect(texts(board.accept(round(["t": 20, "h": 80], 0))) == ["cleared 20 t"])
        #expect(board.due == noon(2))
        #expect(board.accept(round(["t": 20, "h": 80], 1)) == [])
        #expect(texts(board.accept(round(["t": 20, "h": 80], 2))) == ["raised 80 h"])
        #expect(board.accept(round(["t": 20, "h": 1], 3)) == [])
        #expect(board.due == noon(6))
        #expect(texts(board.advance(to: noon(6))) == ["cleared 1 h"])
        // One second of each are not two of one.
        #expect(board.accept(round(["t": 80, "h": 1], 10)) == [])
        #expect(board.accept(round(["t": 20, "h": 80], 11)) == [])
        #expect(board.accept(round(["t": 80, "h": 1], 12)) == [])
    }

    @Test func `Where one channel takes over from another, nothing has changed`() {
        var board = AlarmBoard([Self.rule()])
        #expect(texts(board.accept(round(["t": 20, "h": 80], 0))) == ["raised 80 h"])
        #expect(board.accept(round(["h": 20, "t": 80], 1)) == [])
        #expect(texts(board.accept(round(["h": 20, "t": 30], 2))) == ["cleared 30 t"])
    }

    @Test func `A channel's readings that come together are still one after the other`() {
        var board = AlarmBoard([Self.rule()])
        let edges = round(["a": 80], 0) + round(["a": 1], 1) + round(["a": 90], 2)
        #expect(texts(board.accept(edges, at: noon(2))) == ["raised 80 a", "cleared 1 a", "raised 90 a"])
    }

    @Test func `The hysteresis of one channel is none of another's`() {
        var board = AlarmBoard([Self.rule(AlarmCondition(.outside(upper: .init(raise: 85, clear: 20), lower: nil)))])
        #expect(texts(board.accept(round(["t": 60, "h": 90], 0))) == ["raised 90 h"])
        #expect(board.accept(round(["t": 60, "h": 30], 1)) == [])
        #expect(texts(board.accept(round(["t": 60, "h": 10], 2))) == ["cleared 10 h"])
    }

    @Test func `The failure of a sensor is over when it has a value, of whatever channel`() throws {
        let rule = Self.rule(AlarmCondition(Self.over50.test, includesFailure: true))
        for restarts in [false, true] {
            var board = AlarmBoard([rule])
            #expect(texts(board.accept(round(["t": 20, "h": 40, "gone": 1], 0))) == ["cleared 20 t"])
            #expect(texts(board.fail(sensor: "multi", reason: "gone", at: noon(1))) == ["raised"])
            if restarts { board = AlarmBoard([rule], state: try kept(board.state)) }
            #expect(texts(board.accept(round(["t": 20], 2))) == ["cleared 20 t"])
            // What a broker had retained of the others is no news of them, and holds it no longer.
            #expect(texts(board.fail(sensor: "multi", reason: "gone", at: noon(2))) == ["raised"])
            #expect(board.accept(round(["t": 20, "h": 40], 2, .undated("retained"))) == [])
            #expect(texts(board.accept(round(["t": 20], 2))) == ["cleared 20 t"])
            // But one that was over the threshold before still is, as far as anybody knows.
            #expect(texts(board.accept(round(["h": 80], 3))) == ["raised 80 h"])
            #expect(board.fail(sensor: "multi", reason: "gone", at: noon(4)) == [])
            if restarts { board = AlarmBoard([rule], state: try kept(board.state)) }
            #expect(board.accept(round(["t": 20], 5)) == [])
            #expect(texts(board.accept(round(["h": 20], 6))) == ["cleared 20 h"])
        }
    }

    @Test func `A failure is that of all channels, and one that is stale fails alone`() {
        var board = AlarmBoard([Self.rule(AlarmCondition(Self.over50.test, includesFailure: true))])
        #expect(texts(board.fail(sensor: "multi", reason: "gone", at: noon(0))) == ["raised"])
        #expect(board.accept(round(["t": 20, "h": 80], 1)) == [], "one is over the threshold")
        #expect(texts(board.accept(round(["t": 20, "h": 40], 2))) == ["cleared 40 h"])
        #expect(texts(board.fail(sensor: "multi", reason: "gone", at: noon(3))) == ["raised"])
        #expect(texts(board.accept(round(["t": 20, "h": 40], 4))) == ["cleared 40 h"])
        // Of one channel alone, too.
        #expect(texts(board.accept(round(["t": 20], 5) + round(["h": 40], 5, .stale("old")))) == ["raised"])
        #expect(board.accept(round(["t": 21], 6)) == [])
        #expect(texts(board.accept(round(["h": 41], 7))) == ["cleared 41 h"])
    }

    @Test func `A restart knows which channel it was`() throws {
        var board = AlarmBoard([Self.rule()])
        _ = board.accept(round(["t": 20, "h": 80], 0))
        let report = board.reports
        board = AlarmBoard([Self.rule()], state: try kept(board.state))
        #expect(board.reports == report)
        #expect(board.accept(round(["t": 20], 1)) == [])
        #expect(texts(board.accept(round(["h": 20], 2))) == ["cleared 20 h"])
    }

    @Test func `State from before channels were told apart is that of each that comes`() throws {
        let state = #"{"any":{"state":"raised","active":true,"changed":1,"raised":1,"repeated":1,"value":80}}"#
        var board = AlarmBoard([Self.rule()], state: try JSONReader.value(Array(state.utf8)[...]))
        #expect(board.accept(round(["t": 20, "h": 80], 1)) == [])
        #expect(texts(board.accept(round(["t": 20, "h": 20], 2))) == ["cleared 20 h"])
        board = AlarmBoard([Self.rule()], state: try JSONReader.value(Array(state.utf8)[...]))
        #expect(texts(board.accept(round(["t": 20, "h": 20], 1))) == ["cleared 20 h"])
    }

    @Test func `More channels than are told apart leave the alarm where it belongs`() {
        var board = AlarmBoard([Self.rule()])
        #expect(texts(board.accept(round(["h": 80], 0))) == ["raised 80 h"])
        for index in 0..<1000 { #expect(board.accept(round(["c\(index)": 1], 1)) == []) }
        #expect(texts(board.accept(round(["h": 1], 2))) == ["cleared 1 h"])
        #expect(texts(board.accept(round(["last": 80], 3))) == ["raised 80 last"])
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `It is raised while an alarm of one of the channels would be`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let names = ["a", "b", "c", "d"]
        let condition = AlarmCondition(
            .outside(upper: .init(raise: 60, clear: 40), lower: nil))
        let (delay, clearFor) = (Int.random(in: 0...4, using: &generator), Int.random(in: 0...4, using: &generator))
        let rules = ([nil] + names).map { Self.rule(condition, channel: $0, for: delay, clearFor: clearFor) }
        var board = AlarmBoard(rules)
        for second in 0..<300 {
            switch Int.random(in: 0..<20, using: &generator) {
            case 0: _ = board.fail(sensor: "multi", reason: "gone", at: noon(second))
            case 1: board = AlarmBoard(rules, state: try kept(board.state))
            case 2: break
            default:
                let readings = names.filter { _ in second == 0 || Bool.random(using: &generator) }.flatMap {
                    round([$0: Double.random(in: 0...100, using: &generator)], second)
                }
                _ = board.accept(readings, at: noon(second))
            }
            _ = board.advance(to: noon(second))
            let each = names.contains { board[$0]?.report?.state == .raised }
            try #require((board["any"]?.report?.state == .raised) == each, "seed \(seed), second \(second)")
        }
    }
}
