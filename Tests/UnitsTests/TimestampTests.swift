import TestSupport
import Testing
import Units

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

@Suite struct TimestampTests {
    @Test(
        "Known instants read as ISO 8601 writes them",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_795_208_400_123, "2026-11-20T21:00:00.123Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+10000-01-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-0001-12-31T23:59:59.999Z"),
            (Int64.max, "+292278994-08-17T07:12:55.807Z"),
            (Int64.min, "-292275055-05-16T16:47:04.192Z"),
        ] as [(Int64, String)])
    func knownInstants(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).iso8601 == text)
    }

    @Test func `The calendar agrees with the C library's, near and far`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix64(seed: seed)
        for shift in 0..<64 {
            for _ in 0..<200 {
                let instant = Timestamp(milliseconds: Int64(bitPattern: random.next()) >> shift)
                #expect(instant.iso8601 == cLibraryText(instant), "seed \(seed)")
            }
        }
    }

    @Test func `What was written can be read again`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<5_000 {
            let instant = Timestamp(
                milliseconds: Int64.random(in: -62_167_219_200_000...253_402_300_799_999, using: &random))
            #expect(Timestamp(iso8601: instant.iso8601) == instant, "seed \(seed)")
        }
    }

    @Test func `The fraction may be short, long or missing`() {
        #expect(Timestamp(iso8601: "1970-01-01T00:00:01Z")?.milliseconds == 1000)
        #expect(Timestamp(iso8601: "1970-01-01T00:00:01.5Z")?.milliseconds == 1500)
        #expect(Timestamp(iso8601: "1970-01-01T00:00:01.123456789Z")?.milliseconds == 1123)
    }

    @Test(
        "What is no instant is refused",
        arguments: [
            "", "Z", "2026-11-20", "2026-11-20T21:00:00", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00,5Z",
            "2026-01-01T00:00:00.1234567890Z", "+026-01-01T00:00:00Z", "2026-01-01T00:00:00.1xZ",
            "２026-01-01T00:00:00Z",
        ])
    func notAnInstant(text: String) {
        #expect(Timestamp(iso8601: text) == nil)
    }

    private func cLibraryText(_ instant: Timestamp) -> String {
        var thousandths = instant.milliseconds % 1000
        var seconds = time_t(instant.milliseconds / 1000)
        if thousandths < 0 { (thousandths, seconds) = (thousandths + 1000, seconds - 1) }
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ number: some BinaryInteger, _ width: Int) -> String {
            String(repeating: "0", count: max(0, width - String(number).count)) + String(number)
        }
        let year = Int(parts.tm_year) + 1900
        let date =
            [(year < 0 ? "-" : year > 9999 ? "+" : "") + padded(year.magnitude, 4)] + [
                padded(parts.tm_mon + 1, 2), padded(parts.tm_mday, 2),
            ]
        let time = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { padded($0, 2) }
        return "\(date.joined(separator: "-"))T\(time.joined(separator: ":")).\(padded(thousandths, 3))Z"
    }
}
