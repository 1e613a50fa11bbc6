import Testing
import Units

@testable import Sensing

@Suite struct EdgeSequenceTests {
    @Test func `numbers that follow each other miss nothing, also where they wrap around`() {
        var sequence = EdgeSequence()
        #expect((1...1000).allSatisfy { sequence.take(UInt32($0)) == 0 })
        // A jump of half the numbers or more is a new beginning, not a loss.
        #expect(sequence.take(.max - 1) == 0)
        #expect([UInt32.max, 0, 1].allSatisfy { sequence.take($0) == 0 })
        #expect(sequence.take(4) == 2)
        #expect(sequence.lost == 2)
    }

    @Test func `the first edges may be missing already`() {
        var sequence = EdgeSequence()
        #expect(sequence.take(4) == 3)
        sequence.restart()
        #expect(sequence.take(1) == 0)
        #expect(sequence.lost == 3)
    }

    @Test func `whatever is dropped is counted exactly`() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<100 {
            var sequence = EdgeSequence()
            var dropped: UInt64 = 0
            var counted: UInt64 = 0
            for number in UInt32(1)...500 {
                if random.next() % 4 == 0, number < 500 {
                    dropped += 1
                } else {
                    counted += sequence.take(number) + 1
                }
            }
            #expect(sequence.lost == dropped, "seed \(seed)")
            #expect(counted == 500, "seed \(seed)")
        }
    }
}

@Suite struct EdgeFrequencyTests {
    @Test func `a steady signal's frequency is exact, however the reads fall`() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for period in [UInt64(300_000), 2_857_143, 20_000_000, 1_000_000_000] {
            var frequency = EdgeFrequency(idle: milliseconds(10_000))
            var edge: UInt64 = 5_000_000_000
            var now = edge
            #expect(frequency.read(at: now) == 0)
            for index in 0..<50 {
                now += period * 2 + random.next() % (period * 50)
                while edge <= now {
                    frequency.take(at: edge, lost: 0)
                    edge += period
                }
                let value = frequency.read(at: now)
                #expect(abs(value * Double(period) / 1e9 - 1) < 1e-9, "read \(index), seed \(seed)")
            }
        }
    }

    @Test func `it becomes lower when edges stay away, and nothing after the idle time`() {
        var frequency = EdgeFrequency(idle: milliseconds(10_000))
        for edge in 0...10 { frequency.take(at: milliseconds(edge * 100), lost: 0) }
        #expect(frequency.read(at: milliseconds(1000)) == 10)
        #expect(frequency.read(at: milliseconds(1050)) == 10, "the next edge may still come in time")
        #expect(frequency.read(at: milliseconds(1500)) == 2, "half a second without an edge: 2 Hz at most")
        #expect(frequency.read(at: milliseconds(2000)) == 1)
        #expect(frequency.read(at: milliseconds(2001)) == 0, "ten periods")
        #expect(frequency.read(at: milliseconds(9000)) == 0)
        #expect(frequency.read(at: milliseconds(11_001)) == 0, "the idle time")
        #expect(frequency.read(at: milliseconds(20_000)) == 0)
        frequency.take(at: milliseconds(29_000), lost: 0)
        #expect(frequency.read(at: milliseconds(30_000)) == 0.1, "one edge in the 10 s since the last read")
    }

    @Test func `nothing for longer than the idle time is nothing, however slow it was`() {
        var frequency = EdgeFrequency(idle: milliseconds(10_000))
        for edge in 0...3 { frequency.take(at: milliseconds(edge * 4000), lost: 0) }
        #expect(frequency.read(at: milliseconds(12_000)) == 0.25)
        #expect(frequency.read(at: milliseconds(20_000)) == 0.125)
        #expect(frequency.read(at: milliseconds(22_001)) == 0)
    }

    @Test func `a signal slower than the reads is measured from edge to edge`() {
        var frequency = EdgeFrequency(idle: milliseconds(60_000))
        var values: [Double] = []
        for second in stride(from: 0, through: 200, by: 10) {
            if second % 40 == 0 { frequency.take(at: milliseconds(second * 1000), lost: 0) }
            values.append(frequency.read(at: milliseconds(second * 1000)))
        }
        #expect(values[4...].allSatisfy { $0 == 0.025 }, "\(values)")
    }

    @Test func `the mean of all values is the number of edges, through silence too`() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<20 {
            var frequency = EdgeFrequency(idle: milliseconds(500))
            frequency.take(at: 0, lost: 0)
            var edges = 0.0
            var sum = 0.0
            var now: UInt64 = 0
            for _ in 0..<200 {
                let end = now + milliseconds(5000)
                if random.next() % 3 > 0 {
                    var edge = now + random.next() % milliseconds(2000)
                    while edge < end, random.next() % 100 > 0 {
                        frequency.take(at: edge, lost: 0)
                        edges += 1
                        edge += milliseconds(10) + random.next() % milliseconds(50)
                    }
                }
                sum += frequency.read(at: end) * 5
                now = end
            }
            #expect(abs(sum - edges) < edges * 0.05 + 10, "\(sum) of \(edges), seed \(seed)")
        }
    }

    @Test func `edges that were lost count`() {
        var frequency = EdgeFrequency(idle: milliseconds(10_000))
        frequency.take(at: 0, lost: 0)
        frequency.take(at: milliseconds(1000), lost: 99)
        #expect(frequency.read(at: milliseconds(1000)) == 100)
    }

    @Test func `stamps that make no sense make no nonsense`() {
        var frequency = EdgeFrequency(idle: 1)
        frequency.take(at: .max, lost: 0)
        frequency.take(at: 3, lost: 0)
        frequency.take(at: 3, lost: .max / 2)
        #expect(frequency.read(at: 0).isFinite)
        frequency.take(at: 7, lost: 0)
        #expect(frequency.read(at: 7).isFinite)
        #expect(frequency.read(at: .max).isFinite)
    }
}

@Suite struct PulseWidthTests {
    private func edge(_ isRising: Bool, _ time: Int) -> LineEvent {
        LineEvent(time: UInt64(time), isRising: isRising, number: 0)
    }

    @Test func `a pulse lasts from its edge to the opposite one`() {
        var high = PulseWidth(isActive: true)
        var low = PulseWidth(isActive: false)
        for event in [edge(false, 5), edge(true, 100), edge(false, 130), edge(true, 200)] {
            high.take(event, lost: 0)
            low.take(event, lost: 0)
        }
        #expect(high.read()?.pulse == .init(width: 30, end: 130))
        #expect(low.read()?.pulse == .init(width: 70, end: 200))
        #expect(low.read()?.isNew == false)
        high.take(edge(false, 260), lost: 0)
        let new = high.read()
        #expect(new?.pulse == .init(width: 60, end: 260), "it had begun before the read")
        #expect(new?.isNew == true)
    }

    @Test func `a pulse of which an edge is missing is none`() {
        var pulses = PulseWidth(isActive: true)
        pulses.take(edge(true, 100), lost: 0)
        pulses.take(edge(false, 500), lost: 2)
        #expect(pulses.read() == nil)
        pulses.take(edge(true, 600), lost: 0)
        pulses.take(edge(true, 700), lost: 0)
        pulses.take(edge(false, 710), lost: 0)
        #expect(pulses.read()?.pulse.width == 10, "an end that the kernel did not see")
        pulses.take(edge(true, 800), lost: 0)
        pulses.restart()
        pulses.take(edge(false, 810), lost: 0)
        #expect(pulses.read()?.isNew == false)
    }
}

@Suite struct EdgeClockTests {
    private static let second: UInt64 = 1_000_000_000

    @Test func `an edge's age is taken from the wall clock`() {
        var clock = EdgeClock()
        clock.tell(monotonic: 6 * Self.second, now: Timestamp(milliseconds: 1_000_000))
        let times = [5_500_000_000, 5_999_000_000, 6_000_000_000, 6_002_000_000].map { clock.wallTime(of: $0) }
        #expect(times.map(\.milliseconds) == [999_500, 999_999, 1_000_000, 1_000_002])
        var early = EdgeClock()
        early.tell(monotonic: 6 * Self.second, now: Timestamp(milliseconds: 0))
        #expect(early.wallTime(of: 5_999_999_999).milliseconds == -1, "before 1970, rounded to the past too")
    }

    @Test func `edges have their times in their order, however late the clocks are read`() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for slew in [-500.0, 0, 500] {
            var clock = EdgeClock()
            var monotonic: UInt64 = 1_000_000_000
            var last = Timestamp(milliseconds: 0)
            func wall(_ time: UInt64) -> Double { Double(time) * (1 + slew / 1e6) / 1e6 + 7_000_000 }
            for index in 0..<20_000 {
                monotonic += random.next() % 20_000_000
                let edge = monotonic
                monotonic += random.next() % 500_000
                let now = Timestamp(milliseconds: Int64(wall(monotonic)))
                // Sometimes something else runs between the reading of the clocks.
                if random.next() % 20 == 0 { monotonic += random.next() % 100_000_000 }
                clock.tell(monotonic: monotonic, now: now)
                let time = clock.wallTime(of: edge)
                #expect(time >= last, "seed \(seed)")
                if index > 20 { #expect(abs(Double(time.milliseconds) - wall(edge)) <= 5, "seed \(seed), \(slew) ppm") }
                last = time
            }
        }
    }

    @Test func `a wall clock that is set takes later edges along`() {
        var clock = EdgeClock()
        clock.tell(monotonic: Self.second, now: noon)
        #expect(clock.wallTime(of: Self.second) == noon)
        for milliseconds in [5_000, 7_000_000, -1, noon.milliseconds] as [Int64] {
            clock.tell(monotonic: 2 * Self.second, now: Timestamp(milliseconds: milliseconds))
            #expect(clock.wallTime(of: 2 * Self.second).milliseconds == milliseconds)
        }
    }

    @Test func `clocks that make no sense are no trap`() {
        var clock = EdgeClock()
        for monotonic in [0, .max, .max / 2] as [UInt64] {
            for milliseconds in [.min, 0, .max] as [Int64] {
                clock.tell(monotonic: monotonic, now: Timestamp(milliseconds: milliseconds))
                _ = clock.wallTime(of: .max)
                _ = clock.wallTime(of: 0)
            }
        }
    }
}
