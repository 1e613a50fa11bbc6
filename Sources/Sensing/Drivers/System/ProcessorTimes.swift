/// How long all processors together were busy and idle since the start, from the first line of /proc/stat:
///
///     cpu  10132153 290696 3084719 46828483 16683 0 25195 0 175628 0
struct ProcessorTimes: Sendable {
    private let busy: Double
    private let idle: Double

    init?(_ text: String) {
        let line = text.prefix { $0 != "\n" }.split(separator: " ")
        // Time of guests is in the user's time already.
        let ticks = line.dropFirst().prefix(8).compactMap { Double($0) }
        guard line.first == "cpu", ticks.count >= 4 else { return nil }
        idle = ticks[3] + (ticks.count > 4 ? ticks[4] : 0)
        busy = ticks.reduce(0, +) - idle
    }

    /// In %; nil if no time has passed. The kernel's counters of waiting may go back a little.
    func busyShare(since before: ProcessorTimes) -> Double? {
        let busy = max(busy - before.busy, 0)
        let idle = max(idle - before.idle, 0)
        return busy.percentage(of: busy + idle)
    }
}
