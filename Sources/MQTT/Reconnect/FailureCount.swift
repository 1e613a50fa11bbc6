/// How often each endpoint has failed in the same way, so that a long outage does not fill a board's log: after the third
/// time only every power of two is told.
struct FailureCount: Sendable {
    private var last: [Endpoint: (reason: String, count: Int)] = [:]

    /// - Returns: how often it has failed so by now, and whether that is worth a warning.
    mutating func count(_ reason: String, at endpoint: Endpoint) -> (count: Int, isNews: Bool) {
        let count = last[endpoint].map { $0.reason == reason ? $0.count + 1 : 1 } ?? 1
        // Redirects may lead to ever new endpoints.
        if last.count >= 64, last[endpoint] == nil { last.removeAll() }
        last[endpoint] = (reason, count)
        return (count, count <= 3 || count & (count - 1) == 0)
    }

    /// A connection was made.
    mutating func reset() { last.removeAll() }
}
