import Testing

@testable import MQTT

@Suite struct KeepAliveTests {
    private let start = ContinuousClock.now

    private func watch(_ interval: Duration = .seconds(60)) -> KeepAlive {
        KeepAlive(interval: interval, responseTimeout: .seconds(10), now: start)
    }

    @Test func anIdleConnectionIsPingedInTime() {
        var watch = watch()
        #expect(watch.check(at: start) == .wait(until: start + .seconds(45)))
        #expect(watch.check(at: start + .seconds(45)) == .ping)
    }

    @Test func whoOnlyPublishesPingsTooAndNoticesSilence() {
        var watch = watch()
        for second in 1...59 {
            watch.packetSent(at: start + .seconds(second))
            guard case .wait = watch.check(at: start + .seconds(second)) else {
                Issue.record("pinged at \(second) s")
                return
            }
        }
        watch.packetSent(at: start + .seconds(60))
        #expect(watch.check(at: start + .seconds(60)) == .ping)
        watch.bytesWritten(at: start + .seconds(60), isAll: true)
        #expect(watch.check(at: start + .seconds(69)) == .wait(until: start + .seconds(70)))
        #expect(watch.check(at: start + .seconds(70)) == .expired)
    }

    @Test func anAnsweredPingBeginsANewRound() {
        var watch = watch()
        #expect(watch.check(at: start + .seconds(45)) == .ping)
        watch.bytesReceived(at: start + .seconds(46))
        watch.pingResponseReceived()
        #expect(watch.check(at: start + .seconds(46)) == .wait(until: start + .seconds(45) + .seconds(45)))
    }

    @Test func aSlowLineThatStillDeliversIsGivenTimeButNotForEver() {
        var watch = watch()
        #expect(watch.check(at: start + .seconds(45)) == .ping)
        watch.bytesWritten(at: start + .seconds(45), isAll: true)
        var now = start + .seconds(45)
        var rounds = 0
        loop: while true {
            watch.bytesReceived(at: now)
            switch watch.check(at: now) {
            case .expired: break loop
            default: now += .seconds(5)
            }
            rounds += 1
        }
        #expect(now == start + .seconds(85))
    }

    @Test func aPingBehindALargeMessageIsGivenTimeAsLongAsTheLineTakesSomething() {
        var watch = watch()
        #expect(watch.check(at: start + .seconds(45)) == .ping)
        for second in stride(from: 50, through: 500, by: 5) {
            watch.bytesWritten(at: start + .seconds(second), isAll: false)
            #expect(watch.check(at: start + .seconds(second)) == .wait(until: start + .seconds(second + 10)))
        }
        watch.bytesWritten(at: start + .seconds(505), isAll: true)
        #expect(watch.check(at: start + .seconds(514)) == .wait(until: start + .seconds(515)))
        #expect(watch.check(at: start + .seconds(515)) == .expired)
    }

    @Test func aLineThatTakesNothingAnyMoreIsGivenUp() {
        var watch = watch()
        #expect(watch.check(at: start + .seconds(45)) == .ping)
        watch.bytesWritten(at: start + .seconds(50), isAll: false)
        #expect(watch.check(at: start + .seconds(59)) == .wait(until: start + .seconds(60)))
        #expect(watch.check(at: start + .seconds(60)) == .expired)
    }

    @Test func zeroTurnsItOff() {
        var watch = watch(.zero)
        #expect(watch.check(at: start + .seconds(100_000)) == .off)
    }
}
