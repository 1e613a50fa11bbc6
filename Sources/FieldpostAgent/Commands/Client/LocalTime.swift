#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// An instant as the board's clock and time zone tell it.
struct LocalTime: Sendable {
    /// Since 1970-01-01T00:00:00Z.
    let seconds: Int
    let nanoseconds: Int

    static var now: LocalTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return LocalTime(seconds: Int(time.tv_sec), nanoseconds: Int(time.tv_nsec))
    }

    /// - Parameter format: of strftime(3); what comes of it may have 255 bytes.
    func formatted(_ format: String) -> String {
        var time = time_t(seconds)
        var parts = tm()
        localtime_r(&time, &parts)
        return String(unsafeUninitializedCapacity: 256) { bytes in
            bytes.withMemoryRebound(to: CChar.self) { text in
                text.baseAddress.map { strftime($0, text.count, format, &parts) } ?? 0
            }
        }
    }

    static func padded(_ number: Int, to width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
