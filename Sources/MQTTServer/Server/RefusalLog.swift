internal import NIOCore

/// Keeps refusals from filling the log: ten in ten seconds are told, and how many were not.
struct RefusalLog: Sendable {
    private var begin = NIODeadline.uptimeNanoseconds(0)
    private var told = 0
    private var omitted = 0

    /// - Returns: nil when it is not to be told; else how many were not since the last one that was.
    mutating func admit(at now: NIODeadline) -> Int? {
        if now - begin > .seconds(10) {
            begin = now
            told = 0
        }
        guard told < 10 else {
            omitted += 1
            return nil
        }
        told += 1
        defer { omitted = 0 }
        return omitted
    }
}
