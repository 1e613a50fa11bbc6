internal import Units

/// How long a VL53L0X looks, and in which rhythm its laser pulses: the registers that follow from the options.
///
/// ST's API (STSW-IMG005, UM2039) counts in macro periods, whose length follows from the laser's period: a pre-range
/// finds roughly where the target is, and the final range gets all the time that is left of the budget.
struct VL53L0XTiming {
    /// In the order in which they are to be written.
    let registers: [(register: UInt8, value: UInt8)]

    /// The laser's period, in clocks of its pixels.
    private enum Period {
        static let preRange = 14
        static let finalRange = 10
        static let longPreRange = 18
        static let longFinalRange = 14
    }

    /// In macro periods, at the periods of the default settings.
    private static let checks = 38
    private static let preRange = 151

    /// What else takes time, in µs: begin, end, twice the check of the reference, pre-range, final range.
    private static let overhead = 1910 + 960 + 2 * 690 + 660 + 550

    /// - Parameters:
    ///   - budget: for one measurement; 20 ms at least.
    ///   - longRange: slower pulses, which reach further, and a lower limit for the signal's rate.
    init(budget: Duration, longRange: Bool) {
        let (pre, final) =
            longRange ? (Period.longPreRange, Period.longFinalRange) : (Period.preRange, Period.finalRange)
        // They stay as long as they were, in other units.
        let checks = Self.macroPeriods(Self.microseconds(Self.checks, Period.preRange), pre)
        let preRange = Self.macroPeriods(Self.microseconds(Self.preRange, Period.preRange), pre)
        let used = Self.overhead + 2 * Self.microseconds(checks, pre) + Self.microseconds(preRange, pre)
        let left = max(Int(budget.milliseconds) * 1000 - used, 0)
        // The pre-range's time counts in, though its periods have another length.
        let finalRange = Self.encoded(Self.macroPeriods(left, final) + preRange)
        let preRangeCode = Self.encoded(preRange)
        // In 1/128 of a million counts a second: 0.1 and 0.25.
        let rateLimit: UInt8 = longRange ? 12 : 32
        registers = [
            (0x44, 0), (0x45, rateLimit),
            // The limits of the phase, and the laser's period.
            (0x57, longRange ? 0x50 : 0x30), (0x56, 0x08), (0x50, UInt8(pre / 2 - 1)),
            (0x51, preRangeCode.high), (0x52, preRangeCode.low), (0x46, UInt8(clamping: checks - 1)),
            (0x48, longRange ? 0x48 : 0x28), (0x47, 0x08), (0x32, 0x03), (0x30, longRange ? 0x07 : 0x09),
            (0xFF, 1), (0x30, 0x20), (0xFF, 0), (0x70, UInt8(final / 2 - 1)),
            (0x71, finalRange.high), (0x72, finalRange.low),
        ]
    }

    /// A macro period in nanoseconds: 2304 clocks of the laser, each as many periods of 1.655 ns as said.
    private static func macroPeriod(_ clocks: Int) -> Int { (2304 * clocks * 1655 + 500) / 1000 }

    static func microseconds(_ macroPeriods: Int, _ clocks: Int) -> Int {
        (macroPeriods * macroPeriod(clocks) + 500) / 1000
    }

    static func macroPeriods(_ microseconds: Int, _ clocks: Int) -> Int {
        (microseconds * 1000 + macroPeriod(clocks) / 2) / macroPeriod(clocks)
    }

    /// A time as the chip keeps it: `low × 2^high + 1`.
    static func encoded(_ macroPeriods: Int) -> (high: UInt8, low: UInt8) {
        var low = max(macroPeriods - 1, 0)
        var high: UInt8 = 0
        while low > 0xFF {
            low >>= 1
            high += 1
        }
        return (high, UInt8(low))
    }
}
