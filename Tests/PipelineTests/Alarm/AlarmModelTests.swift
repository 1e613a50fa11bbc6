import Pipeline
import Sensing
import TestSupport
import Testing
import Units

/// Random lives, second by second, against a model that counts seconds.
@Suite struct AlarmModelTests {
    /// The same alarm, told the simple way.
    private struct Model {
        var raise, clear: Double
        var raiseFor, clearFor: Int
        var isLatched, seesFailure: Bool
        var active = false, latchedOn = false, acknowledged = false, known = false
        /// For how many seconds the condition has been other than `active`.
        var count: Int?
        var input: Double?? = .none

        mutating func second(_ new: Double??, acknowledge: Bool) -> String? {
            var told: String?
            if acknowledge, active || latchedOn, !acknowledged {
                acknowledged = active
                latchedOn = false
                told = active ? "acknowledged" : "cleared"
            }
            if let new { input = .some(new) }
            count = count.map { $0 + 1 }
            let differs: Bool? =
                switch input {
                case .none: nil
                case .some(.none): seesFailure ? !active : nil
                case .some(.some(let value)): active ? value < clear : value > raise
                }
            if differs == true, count == nil { count = 0 }
            if differs == false { count = nil }
            if differs == true, let count, count >= (active ? clearFor : raiseFor) {
                self.count = nil
                active.toggle()
                known = true
                if active {
                    told = "raised"
                    latchedOn = isLatched
                } else if latchedOn, !acknowledged {
                    told = "raised over"
                } else {
                    acknowledged = false
                    latchedOn = false
                    told = "cleared"
                }
                if acknowledged { latchedOn = false }
            } else if case .some(.some) = new, !known {
                known = true
                told = "cleared"
            }
            return told
        }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func aLifeIsAsTheModelHasItAlsoOverRestarts(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let raiseFor = Int.random(in: 0...5, using: &generator), clearFor = Int.random(in: 0...5, using: &generator)
        let isLatched = Bool.random(using: &generator), seesFailure = Bool.random(using: &generator)
        let restarts = Bool.random(using: &generator)
        var model = Model(
            raise: 60, clear: 40, raiseFor: raiseFor, clearFor: clearFor, isLatched: isLatched,
            seesFailure: seesFailure)
        var alarm = Alarm(
            AlarmRule(
                name: "full", sensor: "fill",
                condition: AlarmCondition(
                    .outside(upper: .init(raise: 60, clear: 40), lower: nil), includesFailure: seesFailure),
                raiseDelay: .seconds(raiseFor), clearDelay: .seconds(clearFor), isLatched: isLatched))
        var last: Double?? = .none
        var value = 50.0
        for second in 0..<300 {
            value = min(max(value + Double.random(in: -15...15, using: &generator), 0), 100)
            var new: Double?? = .none
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<4: new = .some(value)
            case 4: new = .some(nil)
            default: break
            }
            let acknowledges = Int.random(in: 0..<15, using: &generator) == 0
            let expected = model.second(new, acknowledge: acknowledges)

            var told: AlarmReport?
            if restarts, Int.random(in: 0..<8, using: &generator) == 0 {
                alarm = Alarm(alarm.rule, state: try kept(alarm.state))
                // The sensor says the same again; with a second before it is due, which must not matter.
                if let last {
                    let again =
                        last.map { alarm.accept(fill($0, second - 1)) } ?? alarm.fail(reason: "x", at: noon(second - 1))
                    #expect(again == nil, "seed \(seed), second \(second)")
                }
            }
            if acknowledges { told = alarm.acknowledge(by: nil, at: noon(second)) ?? told }
            switch new {
            case .none: break
            case .some(nil): told = alarm.fail(reason: "x", at: noon(second)) ?? told
            case .some(let number?): told = alarm.accept(fill(number, second)) ?? told
            }
            if new != .none { last = new }
            if let due = alarm.due, due <= noon(second) { told = alarm.advance(to: noon(second)) ?? told }
            let words = told.map { $0.state.rawValue + ($0.state == .raised && !$0.isActive ? " over" : "") }
            try #require(words == expected, "seed \(seed), second \(second)")
        }
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func noClockMakesItStick(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var alarm = Alarm(
            AlarmRule(
                name: "full", sensor: "fill",
                condition: AlarmCondition(.outside(upper: .init(raise: 60), lower: nil)), raiseDelay: .seconds(60),
                clearDelay: .seconds(60)))
        var now = 0
        for round in 0..<50 {
            now += Int.random(in: -1_000_000...1_000_000, using: &generator)
            let high = round.isMultiple(of: 2)
            _ = alarm.accept(fill(high ? 90 : 10, now))
            now += Int.random(in: -1_000_000...1_000_000, using: &generator)
            for _ in 0...61 {
                _ = alarm.advance(to: noon(now))
                now += 1
            }
            #expect(alarm.report?.state == (high ? .raised : .cleared), "seed \(seed), round \(round)")
        }
    }
}
