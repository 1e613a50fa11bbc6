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

    @Test func zeroTurnsItOff() {
        var watch = watch(.zero)
        #expect(watch.check(at: start + .seconds(100_000)) == .off)
    }
}
