import Testing

@testable import FieldpostAgent

@Suite struct ArrivalLedgerTests {
    @Test func whatIsMissingIsCounted() {
        var ledger = ArrivalLedger()
        for number in [1, 2, 4, 5, 8] { ledger.take(number, topic: "a", mayBeRepeated: false) }
        #expect(ledger.account(of: 8, answers: 0) == .init(arrived: 5, missing: 3, outOfOrder: 0, repeated: 0))
        #expect(ledger.account(of: 5, answers: 0).missing == 1, "what has a later number does not count")
        ledger.take(3, topic: "b", mayBeRepeated: false)
        #expect(ledger.account(of: 5, answers: 0).missing == 0)
    }

    @Test func orderIsAMatterOfEachTopic() {
        var ledger = ArrivalLedger()
        for (number, topic) in [(3, "alarm"), (1, "a"), (2, "b"), (5, "a"), (4, "a")] {
            ledger.take(number, topic: topic, mayBeRepeated: false)
        }
        #expect(ledger.account(of: 5, answers: 0) == .init(arrived: 5, missing: 0, outOfOrder: 1, repeated: 0))
    }

    @Test func whatMayNotComeTwiceIsCounted() {
        var ledger = ArrivalLedger()
        for (number, mayBeRepeated) in [(1, false), (1, false), (3, false), (3, false), (4, true), (4, true)] {
            ledger.take(number, topic: "a", mayBeRepeated: mayBeRepeated)
        }
        #expect(ledger.account(of: 4, answers: 0) == .init(arrived: 3, missing: 1, outOfOrder: 0, repeated: 2))
    }

    @Test func answersStandForNumbersThatNobodySays() {
        var ledger = ArrivalLedger()
        // 3 and 1500 are answers, 1000 is lost.
        for number in 1...2000 where ![3, 1000, 1500].contains(number) {
            ledger.take(number, topic: "a", mayBeRepeated: false)
            if number == 2 || number == 1499 { ledger.takeAnswer() }
        }
        #expect(ledger.account(of: 2000, answers: ledger.answers) == .init(arrived: 1999, missing: 1))
        #expect(ledger.account(of: 2000, answers: 0).missing == 3)
    }
}
