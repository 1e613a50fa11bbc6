internal import Sensing
internal import Units

/// `settle = "500ms"`: a boolean counts only when it has lasted so long.
///
/// It is not called debounce: that is the GPIO driver's, and the kernel's; this one is for a lid that swings, and for
/// what comes from elsewhere. The first value counts at once. What has settled is told with the time of the newest
/// reading that says so. Over a restart it is held by the readings around the gap: what is pending settles when the first
/// one behind it says the same.
struct Settling: Sendable {
    /// Milliseconds.
    let time: Int64
    private var settled: Bool?
    /// What may settle: the newest reading of it, and since when.
    private var pending: (reading: Reading, since: Timestamp)?
    /// False after a restart, while nobody knows whether it still is so.
    private var isObserved = true

    init(_ time: Int64) { self.time = time }

    /// - Returns: nil while it is open whether the value lasts.
    mutating func callAsFunction(_ reading: Reading, _ value: Bool, now: Timestamp) -> Reading? {
        isObserved = true
        guard let settled, settled != value else {
            self.settled = value
            pending = nil
            return reading
        }
        var since = min(pending?.since ?? reading.time, now)
        // The clock went back: what was before cannot be compared.
        if reading.time < since { since = reading.time }
        pending = (reading, since)
        return reading.time.elapsed(since: since) >= time ? settle() : nil
    }

    /// When what is pending has settled.
    var due: Timestamp? { isObserved ? pending.map { $0.since.later(by: time) } : nil }

    mutating func advance(to now: Timestamp) -> Reading? {
        guard let due, due <= now else { return nil }
        return settle()
    }

    /// The clock went back to `now`.
    mutating func rebase(to now: Timestamp) {
        if let pending, pending.since > now { self.pending?.since = now }
    }

    private mutating func settle() -> Reading? {
        guard let reading = pending?.reading, case .boolean(let value) = reading.value else { return nil }
        settled = value
        pending = nil
        return reading
    }

    var state: JSON? {
        .members([
            "settled": settled.map(JSON.boolean), "pending": pending.flatMap { $0.reading.stored },
            "since": pending.map { JSON($0.since) },
        ])
    }

    mutating func restore(_ state: JSON?, sensor: String, channel: String?) {
        settled = state?["settled"]?.boolean
        guard settled != nil, let since = state?["since"]?.time,
            let reading = Reading(state?["pending"], sensor: sensor, channel: channel), case .boolean = reading.value
        else { return }
        pending = (reading, since)
        isObserved = false
    }
}
