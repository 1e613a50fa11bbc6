#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// How much there was of something per minute, over the last one, five and fifteen, as load averages are: what is long
/// ago counts less and less.
struct LoadAverages: Sendable {
    private var last = 0
    private(set) var oneMinute = 0.0
    private(set) var fiveMinutes = 0.0
    private(set) var fifteenMinutes = 0.0

    /// - Parameters:
    ///   - total: of all that there ever was.
    ///   - seconds: since the last time.
    mutating func update(total: Int, after seconds: Double) {
        guard seconds > 0 else { return }
        let rate = Double(total - last) * 60 / seconds
        last = total
        oneMinute = rate + exp(-seconds / 60) * (oneMinute - rate)
        fiveMinutes = rate + exp(-seconds / 300) * (fiveMinutes - rate)
        fifteenMinutes = rate + exp(-seconds / 900) * (fifteenMinutes - rate)
    }
}
