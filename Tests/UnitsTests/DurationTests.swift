import TestSupport
import Testing
import Units

@Suite struct DurationTests {
    @Test(
        "A duration is read as people write it",
        arguments: [
            ("30s", .seconds(30)), ("1m30s", .seconds(90)), ("20ms", .milliseconds(20)), ("1.5h", .seconds(5400)),
            ("7d", .seconds(604_800)), ("250us", .microseconds(250)), ("250µs", .microseconds(250)),
            ("5ns", .nanoseconds(5)), ("0s", .zero), ("1 min 30 s", .seconds(90)), (" 2h ", .seconds(7200)),
            ("0.000000001s", .nanoseconds(1)), ("1d2h3m4s5ms", .milliseconds(93_784_005)),
            ("106751d", .seconds(106_751 * 86_400)), ("007s", .seconds(7)),
        ] as [(String, Duration)])
    func read(text: String, duration: Duration) throws {
        #expect(try Duration(parsing: text) == duration)
    }

    @Test(
        "What is none is refused with the mend",
        arguments: [
            ("10", #""10" has no unit: write "10s""#),
            ("1m30", #""1m30" has no unit: write "1m30s""#),
            ("", #""" is no duration: write one like "30s", "1m30s" or "250ms""#),
            ("soon", #""soon" is no duration: write one like "30s", "1m30s" or "250ms""#),
            ("-5s", #""-5s" is no duration: write one like "30s", "1m30s" or "250ms""#),
            ("1.s", #""1.s" is no duration: write one like "30s", "1m30s" or "250ms""#),
            ("5 seconds", #""5 seconds" has the unknown unit "seconds": known are d, h, m, s, ms, us and ns"#),
            ("5S", #""5S" has the unknown unit "S": known are d, h, m, s, ms, us and ns"#),
            ("30s1m", #""30s1m" has its units out of order: write them as in "1h30m15s""#),
            ("1s1s", #""1s1s" has its units out of order: write them as in "1h30m15s""#),
            ("200000d", #""200000d" is too long: a duration ends at 292 years"#),
            ("106751d24h", #""106751d24h" is too long: a duration ends at 292 years"#),
            (
                "99999999999999999999s",
                #""99999999999999999999s" is no duration: write one like "30s", "1m30s" or "250ms""#
            ),
        ])
    func refused(text: String, answer: String) {
        let error = #expect(throws: InvalidText.self) { try Duration(parsing: text) }
        #expect(error?.description == answer)
    }

    @Test(
        "A duration is printed without what is zero",
        arguments: [
            (.zero, "0s"), (.seconds(90), "1m30s"), (.milliseconds(250), "250ms"), (.milliseconds(1500), "1.5s"),
            (.microseconds(1250), "1.25ms"), (.nanoseconds(1250), "1.25us"), (.nanoseconds(7), "7ns"),
            (.seconds(86_400), "1d"), (.milliseconds(60_250), "1m0.25s"), (.seconds(-90), "-1m30s"),
            (.milliseconds(-250), "-250ms"), (.seconds(Int64.max), "106751991167300d15h30m7s"),
        ] as [(Duration, String)])
    func compact(duration: Duration, text: String) {
        #expect(duration.compact == text)
    }

    @Test func `What is printed is read as the same duration`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix64(seed: seed)
        for shift in UInt64(1)..<64 {
            for _ in 0..<50 {
                let duration = Duration.nanoseconds(Int64(random.next() >> shift))
                #expect(try Duration(parsing: duration.compact) == duration, "seed \(seed)")
            }
        }
    }
}
