import MQTT
import TestSupport
import Testing

@Suite struct BackoffTests {
    @Test func theCeilingDoublesUpToTheCap() {
        var backoff = Backoff(base: .seconds(1), cap: .seconds(10))
        var generator = SplitMix64(seed: 1)
        var ceilings: [Duration] = []
        for _ in 1...6 {
            _ = backoff.delay(after: .notConnected, using: &generator)
            ceilings.append(backoff.ceiling)
        }
        #expect(ceilings == [1, 2, 4, 8, 10, 10].map { .seconds($0) })
    }

    @Test func aBrokerThatKicksAtOnceIsMetWithPatience() {
        var backoff = Backoff(base: .seconds(1), cap: .seconds(60), stableAfter: .seconds(30))
        var generator = SplitMix64(seed: 2)
        for _ in 1...5 { _ = backoff.delay(after: .ended(after: .milliseconds(20)), using: &generator) }
        #expect(backoff.ceiling == .seconds(16))
        _ = backoff.delay(after: .ended(after: .seconds(31)), using: &generator)
        #expect(backoff.ceiling == .seconds(1), "it was stable, so it begins anew")
    }

    @Test func aRefusalGoesToTheCapAtOnce() {
        var backoff = Backoff(base: .seconds(1), cap: .seconds(60))
        var generator = SplitMix64(seed: 3)
        _ = backoff.delay(after: .refused, using: &generator)
        #expect(backoff.ceiling == .seconds(60))
    }

    @Test func delaysSpreadOverTheWholeCeiling() {
        var generator = SplitMix64(seed: 4)
        var buckets = [Int](repeating: 0, count: 10)
        for _ in 1...10_000 {
            var backoff = Backoff(base: .seconds(10), cap: .seconds(10))
            let delay = backoff.delay(after: .notConnected, using: &generator)
            #expect(delay >= .zero && delay <= .seconds(10))
            buckets[min(9, Int(delay / .seconds(1)))] += 1
        }
        #expect(buckets.allSatisfy { (850...1150).contains($0) }, "\(buckets)")
    }

    @Test func tenThousandFailuresDoNotOverflow() {
        var backoff = Backoff(base: .seconds(1), cap: .seconds(120))
        var generator = SplitMix64(seed: 5)
        for _ in 1...10_000 { #expect(backoff.delay(after: .notConnected, using: &generator) <= .seconds(120)) }
    }
}
