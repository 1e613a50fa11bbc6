#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif
#if canImport(SwiftOverlayShims)
// The compiler calls this timespec's home when an earlier file of the module was the first to need it, through one of
// Duration's initializers (optimized builds of Swift 6.3).
internal import SwiftOverlayShims
#endif

/// An instant of wall-clock time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds (as Unix counts).
public struct Timestamp: Sendable, Hashable, Comparable {
    public var milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// What the system's real-time clock says now.
    public static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// False on a board whose clock was never set: before 2025 there was no Fieldpost.
    public var isPlausible: Bool { milliseconds >= 1_735_689_600_000 }

    public static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }

    public static func - (left: Self, right: Self) -> Duration {
        .milliseconds(left.milliseconds - right.milliseconds)
    }

    public static func + (left: Self, right: Duration) -> Timestamp {
        Timestamp(milliseconds: left.milliseconds + right.milliseconds)
    }
}

extension Timestamp {
    /// The instant in UTC as ISO 8601 writes it: `2026-11-20T21:00:00.123Z`. Years outside 0 to 9999 have a sign and
    /// as many digits as they need, at least four.
    public var iso8601: String {
        let (days, milliseconds) = milliseconds.flooredQuotient(by: 86_400_000)
        let (year, month, day) = Self.date(daysSince1970: days)
        let sign = year < 0 ? "-" : year > 9999 ? "+" : ""
        let seconds = milliseconds / 1000
        let date = "\(sign)\(year.magnitude.padded(4))-\(month.padded(2))-\(day.padded(2))"
        let time = "\((seconds / 3600).padded(2)):\((seconds / 60 % 60).padded(2)):\((seconds % 60).padded(2))"
        return "\(date)T\(time).\((milliseconds % 1000).padded(3))Z"
    }

    /// Reads what ``iso8601`` writes of the years 0 to 9999; the fraction may be missing, or have up to nine digits, of
    /// which three count.
    public init?(iso8601 text: String) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            var number: Int64 = 0
            for byte in bytes[range] {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                number = number * 10 + Int64(byte - UInt8(ascii: "0"))
            }
            return number
        }
        guard (20...30).contains(bytes.count), bytes.last == UInt8(ascii: "Z"),
            zip([4, 7, 10, 13, 16], "--T::".utf8).allSatisfy({ bytes[$0] == $1 }),
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            hour < 24, minute < 60, second < 60
        else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        guard Self.date(daysSince1970: days) == (year, month, day) else { return nil }
        var thousandths: Int64 = 0
        if bytes.count > 20 {
            guard bytes[19] == UInt8(ascii: "."), bytes.count > 21, number(20..<bytes.count - 1) != nil else {
                return nil
            }
            for place in 20..<23 {
                thousandths = thousandths * 10 + (place < bytes.count - 1 ? number(place..<place + 1) ?? 0 : 0)
            }
        }
        self.init(milliseconds: (days * 86_400 + hour * 3600 + minute * 60 + second) * 1000 + thousandths)
    }

    // The Gregorian calendar, before its invention too. Years begin with March here, so that the leap day is the last
    // one; 400 of them, an era, have 146,097 days.

    /// 1970-01-01 is 719,468 days behind 0000-03-01.
    private static func date(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).flooredQuotient(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        // Five months from March, or from August, have 153 days.
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let (era, yearOfEra) = (month <= 2 ? year - 1 : year).flooredQuotient(by: 400)
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

extension Int64 {
    /// With a remainder that is never negative.
    fileprivate func flooredQuotient(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

extension BinaryInteger {
    fileprivate func padded(_ width: Int) -> String {
        let digits = String(self)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
