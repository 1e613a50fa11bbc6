/// What the service manager is still to be told, and when: a value without socket or clock.
///
/// Changes of state go out at once, all of them, in their order; the status only as it is now, at most once a second.
///
/// Times are durations since any one instant of a clock that is never set.
struct Announcements: Sendable {
    /// Assignments of sd_notify(3).
    enum Change: Sendable, Hashable {
        case ready
        /// - Parameter microseconds: of CLOCK_MONOTONIC, when it began; `Type=notify-reload` wants it.
        case reloading(microseconds: Int64)
        /// - Parameter within: how long it takes at most.
        case stopping(within: Duration)
        case watchdog

        var assignments: String {
            switch self {
            case .ready: "READY=1"
            case .reloading(let microseconds): "RELOADING=1\nMONOTONIC_USEC=\(microseconds)"
            case .stopping(let time): "STOPPING=1\nEXTEND_TIMEOUT_USEC=\(time.microseconds)"
            case .watchdog: "WATCHDOG=1"
            }
        }
    }

    static let statusInterval = Duration.seconds(1)
    /// A full socket is tried again after so long.
    static let retryInterval = Duration.milliseconds(100)
    /// So many changes wait at most; a service manager that has read nothing for so long will not miss more.
    static let limit = 16

    private var waiting: [String] = []
    private var status = ""
    private var toldStatus = ""
    /// Before that the status is not told anew.
    private var nextStatus = Duration.zero
    /// Before that nothing is tried.
    private var nextTry = Duration.zero

    /// - Parameter status: goes with it, and counts as told.
    mutating func add(_ change: Change, at now: Duration) {
        var datagram = change.assignments
        if change == .watchdog {
            if waiting.contains(datagram) { return }
        } else {
            datagram += "\nSTATUS=\(status)"
            toldStatus = status
            nextStatus = now + Self.statusInterval
        }
        if waiting.count < Self.limit { waiting.append(datagram) }
    }

    mutating func set(status text: String) { status = Self.line(text) }

    /// What to send now; to be followed by ``sent(at:)`` or ``full(at:)``.
    func next(at now: Duration) -> String? {
        guard now >= nextTry else { return nil }
        return waiting.first ?? (status != toldStatus && now >= nextStatus ? "STATUS=\(status)" : nil)
    }

    /// What ``next(at:)`` gave is gone, to its receiver or not: it is not tried again.
    mutating func sent(at now: Duration) {
        if waiting.isEmpty {
            toldStatus = status
            nextStatus = now + Self.statusInterval
        } else {
            waiting.removeFirst()
        }
    }

    mutating func full(at now: Duration) { nextTry = now + Self.retryInterval }

    /// When ``next(at:)`` will have something; nil: not until something is added.
    var due: Duration? {
        if !waiting.isEmpty { return nextTry }
        return status == toldStatus ? nil : max(nextTry, nextStatus)
    }

    /// One line, whatever a peer has put into it, and not too long for one.
    private static func line(_ text: String) -> String {
        let line = String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
        return line.count > 300 ? "\(line.prefix(299))…" : line
    }
}

extension Duration {
    /// Whole ones, rounded down.
    var microseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }
}
