import Synchronization

/// What hooks were asked.
final class Seen: Sendable {
    private let names = Mutex<[String?]>([])
    func note(_ name: String?) { names.withLock { $0.append(name) } }
    var all: [String?] { names.withLock { $0 } }
}
