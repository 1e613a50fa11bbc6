import MQTTWire
import Testing

@testable import MQTT

@Suite struct EarlyCompletionsTests {
    private func id(_ number: Int64) -> MessageID { MessageID(rawValue: number) }

    @Test func aCallerFindsWhatOvertookIt() {
        var early = EarlyCompletions()
        let caller = early.enter()
        early.completed(id(7), .success(.noMatchingSubscribers))
        #expect(early.leave(caller, with: id(7)) == .success(.noMatchingSubscribers))
        #expect(early.count == 0)
    }

    @Test func withoutACallerNothingIsKept() {
        var early = EarlyCompletions()
        early.completed(id(1), .success(.success))
        #expect(early.count == 0)
        let caller = early.enter()
        #expect(early.leave(caller, with: id(1)) == nil)
    }

    @Test func callersWhoOverlapDoNotMakeItGrow() {
        var early = EarlyCompletions()
        var caller = early.enter()
        for number in 1...1000 {
            let next = early.enter()
            early.completed(id(Int64(number)), .success(.success))
            _ = early.leave(caller, with: nil)
            caller = next
            #expect(early.count <= 1)
        }
        _ = early.leave(caller, with: nil)
        #expect(early.count == 0)
    }

    @Test func callersMayComeBackInAnyOrder() {
        var early = EarlyCompletions()
        let first = early.enter()
        let second = early.enter()
        early.completed(id(2), .success(.success))
        early.completed(id(1), .success(.quotaExceeded))
        #expect(early.leave(second, with: id(2)) == .success(.success))
        #expect(early.leave(first, with: id(1)) == .success(.quotaExceeded))
        #expect(early.count == 0)
    }
}
