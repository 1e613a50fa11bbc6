import NIOCore
import Testing
import Units

@testable import MQTTServer

@Suite struct MomentTests {
    private let written = Moment(
        now: .uptimeNanoseconds(1_000_000_000), wall: Timestamp(milliseconds: 1_780_000_000_000))

    /// Milliseconds that are left of a minute when the wall clock shows so many milliseconds more.
    private func rest(after passed: Int64, _ written: Moment? = nil) -> Int64 {
        let written = written ?? self.written
        let ending = written.ending(written.now + .seconds(60))
        let now = NIODeadline.uptimeNanoseconds(77)
        let moment = Moment(now: now, wall: written.wall + .milliseconds(passed))
        return (moment.deadline(ending) - now).nanoseconds / 1_000_000
    }

    @Test func `what has passed on the wall clock is gone`() {
        #expect(rest(after: 0) == 60_000)
        #expect(rest(after: 1) == 59_999)
        #expect(rest(after: 60_000) == 0)
        #expect(rest(after: 1 << 40) == 0)
    }

    @Test func `a clock that went backwards gives no more than there was`() {
        #expect(rest(after: -1) == 60_000)
        #expect(rest(after: -86_400_000) == 60_000)
    }

    @Test func `a clock that was set between tells nothing`() {
        let unset = Moment(now: written.now, wall: Timestamp(milliseconds: 5000))
        #expect(rest(after: 1_780_000_000_000, unset) == 60_000)
        #expect(rest(after: 10_000, unset) == 50_000)
        #expect(rest(after: -1_780_000_000_000) == 60_000)
    }

    @Test func `deadlines beyond everything, before now, and out of a damaged file are borne`() {
        #expect(written.ending(.distantFuture).remaining > 86_400_000 * 365 * 50)
        #expect(written.ending(.distantPast).remaining == 0)
        #expect(written.ending(written.now + .nanoseconds(1)).remaining == 1)
        for wall in [Int64.min, -1, 0, .max] {
            for remaining in [Int64.min, -1, 0, .max] {
                let deadline = written.deadline(Moment.Ending(wall: wall, remaining: remaining))
                #expect(deadline >= written.now)
            }
        }
    }
}
