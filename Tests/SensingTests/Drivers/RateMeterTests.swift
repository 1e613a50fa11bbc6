import Testing

@testable import Sensing

@Suite struct RateMeterTests {
    private let start = ContinuousClock.now

    @Test("The first read gives no rate, the second the mean since then") func rates() {
        var meter = RateMeter()
        meter.begin(at: start)
        #expect(meter.rate(of: "a", 1000) == nil)
        meter.begin(at: start + .seconds(10))
        #expect(meter.rate(of: "a", 1500) == 50)
        #expect(meter.rate(of: "b", 7) == nil)
        meter.begin(at: start + .milliseconds(10_500))
        #expect(meter.rate(of: "a", 1500) == 0, "this zero is true")
        #expect(meter.rate(of: "b", 8) == 2)
    }

    @Test("A counter that went down, wrapped or not, gives no rate, and one from the next read on") func resets() {
        for (before, after) in [(1e9, 0.0), (4_294_967_290, 10), (0x1p64, 5)] {
            var meter = RateMeter()
            meter.begin(at: start)
            #expect(meter.rate(of: "a", before) == nil)
            meter.begin(at: start + .seconds(1))
            #expect(meter.rate(of: "a", after) == nil)
            meter.begin(at: start + .seconds(2))
            #expect(meter.rate(of: "a", after + 3) == 3)
        }
    }

    @Test("A read that was left out, and time that did not pass, give no rate") func gaps() {
        var meter = RateMeter()
        meter.begin(at: start)
        _ = meter.rate(of: "a", 1)
        meter.begin(at: start)
        #expect(meter.rate(of: "a", 2) == nil, "no time has passed")
        meter.begin(at: start + .seconds(1))
        meter.begin(at: start + .seconds(2))
        #expect(meter.rate(of: "a", 9) == nil, "what was not counted is forgotten")
    }
}
