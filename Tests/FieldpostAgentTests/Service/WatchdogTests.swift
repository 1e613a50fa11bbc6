import TestSupport
import Testing

@testable import FieldpostAgent

@Suite struct WatchdogTests {
    private let interval = Duration.seconds(60)

    @Test func whoAnswersEachTimeKeepsItAlive() {
        var watchdog = Watchdog(interval: interval)
        let ids = watchdog.watch(["event loop", "queue"])
        for tick in 0..<100 {
            let now = watchdog.period * tick
            #expect(watchdog.tick(at: now) == Watchdog.Tick(isAlive: true, asks: ids))
            for id in ids { #expect(watchdog.answered(id, isAlive: true, at: now + .milliseconds(1)) == nil) }
        }
        #expect(watchdog.hanging.isEmpty)
    }

    @Test func whoOwesAnAnswerForHalfAnIntervalHangsIsNamedOnceAndNotAskedAgain() {
        var watchdog = Watchdog(interval: interval)
        let ids = watchdog.watch(["event loop", "queue"])
        #expect(watchdog.tick(at: .zero).asks == ids)
        _ = watchdog.answered(ids[0], isAlive: true, at: .zero)
        #expect(watchdog.tick(at: .seconds(20)) == Watchdog.Tick(isAlive: true, asks: [ids[0]]))
        _ = watchdog.answered(ids[0], isAlive: true, at: .seconds(20))
        let found = watchdog.tick(at: .seconds(40))
        #expect(!found.isAlive)
        #expect(found.hanging == [Watchdog.Silence(name: "queue", time: .seconds(40))])
        #expect(watchdog.hanging == ["queue"])
        let later = watchdog.tick(at: .seconds(60))
        #expect(!later.isAlive && later.hanging.isEmpty && !later.asks.contains(ids[1]))
    }

    @Test func whoComesBackIsWelcome() {
        var watchdog = Watchdog(interval: interval)
        let ids = watchdog.watch(["queue"])
        for time in [0, 20, 40] { _ = watchdog.tick(at: .seconds(time)) }
        #expect(
            watchdog.answered(ids[0], isAlive: true, at: .seconds(55))
                == Watchdog.Silence(name: "queue", time: .seconds(55)))
        #expect(watchdog.hanging.isEmpty)
        #expect(watchdog.tick(at: .seconds(60)) == Watchdog.Tick(isAlive: true, asks: ids))
    }

    @Test func whoAnswersThatItCannotIsAskedAgainAndHangsAllTheSame() {
        var watchdog = Watchdog(interval: interval)
        let ids = watchdog.watch(["sensors"])
        for time in [0, 20] {
            #expect(watchdog.tick(at: .seconds(time)) == Watchdog.Tick(isAlive: true, asks: ids))
            #expect(watchdog.answered(ids[0], isAlive: false, at: .seconds(time)) == nil)
        }
        let found = watchdog.tick(at: .seconds(40))
        #expect(!found.isAlive && found.asks == ids && watchdog.hanging == ["sensors"])
        #expect(watchdog.answered(ids[0], isAlive: true, at: .seconds(41))?.time == .seconds(41))
    }

    @Test func answersOfThoseWhoAreNotWatchedAnyMoreCountForNobody() {
        var watchdog = Watchdog(interval: interval)
        let old = watchdog.watch(["queue"])
        _ = watchdog.tick(at: .zero)
        let new = watchdog.watch(["queue"])
        #expect(old != new)
        _ = watchdog.tick(at: .seconds(20))
        #expect(watchdog.answered(old[0], isAlive: true, at: .seconds(21)) == nil)
        _ = watchdog.tick(at: .seconds(40))
        #expect(!watchdog.tick(at: .seconds(60)).isAlive)
    }

    @Test func aPauseLastsNoLongerThanAnyAnswer() {
        var watchdog = Watchdog(interval: interval)
        _ = watchdog.watch(["queue"])
        _ = watchdog.tick(at: .zero)
        watchdog.pause("restart", at: .seconds(10))
        #expect(watchdog.tick(at: .seconds(20)) == Watchdog.Tick())
        #expect(watchdog.tick(at: .seconds(40)) == Watchdog.Tick())
        #expect(watchdog.tick(at: .seconds(60)).hanging == [Watchdog.Silence(name: "restart", time: .seconds(50))])
        _ = watchdog.watch(["queue"])
        #expect(watchdog.tick(at: .seconds(80)).isAlive)
    }

    @Test func timeInWhichTheProcessDidNotRunCountsAgainstNobody() {
        var watchdog = Watchdog(interval: interval)
        let ids = watchdog.watch(["queue"])
        _ = watchdog.tick(at: .zero)
        #expect(watchdog.tick(at: .seconds(3600)).isAlive)
        _ = watchdog.answered(ids[0], isAlive: true, at: .seconds(3600))
        // Only once: who then says nothing hangs.
        _ = watchdog.tick(at: .seconds(3620))
        _ = watchdog.tick(at: .seconds(3640))
        #expect(!watchdog.tick(at: .seconds(3660)).isAlive)
    }

    /// The promise to slow disks, and to whoever waits for the restart of a dead agent.
    @Test func aSilenceOfAnIntervalIsNeverEndedByTheServiceManagerAndDeathIsNoticedInTime() {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SplitMix64(seed: seed)
        for _ in 0..<2_000 {
            var watchdog = Watchdog(interval: interval)
            let ids = watchdog.watch(["queue"])
            let silence = Duration.milliseconds(Int64.random(in: 200_000...250_000, using: &generator))
            let length =
                Bool.random(using: &generator)
                ? Duration.milliseconds(Int64.random(in: 0...60_000, using: &generator)) : .seconds(10_000)
            var (lastSign, longest, now) = (Duration.zero, Duration.zero, Duration.zero)
            var bitten: Duration?
            while now < .seconds(600), bitten == nil {
                let tick = watchdog.tick(at: now)
                if now - lastSign > interval { bitten = lastSign + interval }
                if tick.isAlive { lastSign = now }
                longest = max(longest, now - lastSign)
                // Ticks come late by up to 100 ms.
                let next = now + watchdog.period + .milliseconds(Int64.random(in: 0...100, using: &generator))
                let isSilent = now >= silence && now < silence + length
                if !isSilent { _ = watchdog.answered(ids[0], isAlive: true, at: now) }
                if isSilent, next >= silence + length {
                    _ = watchdog.answered(ids[0], isAlive: true, at: silence + length)
                }
                now = next
            }
            if length <= interval {
                #expect(bitten == nil, "silent at \(silence) for \(length); seed \(seed)")
            } else {
                let latest = silence + interval * 13 / 6 + .seconds(1)
                #expect(bitten.map { $0 > silence + interval && $0 <= latest } == true, "\(silence); seed \(seed)")
            }
        }
    }
}
