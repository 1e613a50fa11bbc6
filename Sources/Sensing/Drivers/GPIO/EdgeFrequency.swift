/// How often edges come, over the time from one read to the next, by the kernel's time stamps.
///
/// As long as edges come, the time is taken from the last edge before one read to the last edge before the next, so that
/// the number of periods in it is whole. Where nothing came for longer than `idle` the frequency is 0, and that time
/// counts too: the mean of all values, each weighted with its time, is the number of edges.
struct EdgeFrequency: Sendable {
    /// In periods.
    private static let patience = 10.0
    /// In nanoseconds: longer than the slowest period.
    private let idle: UInt64

    /// Where the time begins: with an edge, which is not counted, or after silence with a read.
    private var start: (time: UInt64, isEdge: Bool)?
    private var edges: UInt64 = 0
    private var lastEdge: UInt64 = 0
    private var frequency = 0.0

    init(idle: UInt64) { self.idle = idle }

    /// - Parameter lost: how many came before it that were not seen.
    mutating func take(at time: UInt64, lost: UInt64) {
        if start == nil { start = (time, true) } else { edges += 1 + lost }
        lastEdge = time
    }

    /// In Hz.
    mutating func read(at now: UInt64) -> Double {
        guard let begin = start else { return 0 }
        let silence = now > lastEdge ? now - lastEdge : 0
        let isSilent = silence > idle
        if edges == 0 {
            if isSilent {
                start = (now, false)
                frequency = 0
            }
            let periods = frequency * Double(silence) / 1e9
            // It may have become slower, but not stopped yet.
            return periods > Self.patience ? 0 : frequency / max(periods, 1)
        }
        let end = isSilent || !begin.isEdge ? max(now, lastEdge) : lastEdge
        if end > begin.time { frequency = Double(edges) * 1e9 / Double(end - begin.time) }
        start = isSilent ? (now, false) : (lastEdge, true)
        edges = 0
        return frequency
    }
}
