internal import Synchronization

/// Whether any of the links over which outputs can be set has a connection, told whenever that changes.
final class Reach: Sendable {
    /// The present state first; one who is slow hears only the latest. For one listener.
    let changes: AsyncStream<Bool>

    private let connected = Mutex<Set<String>>([])
    private let continuation: AsyncStream<Bool>.Continuation

    init() {
        (changes, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        continuation.yield(false)
    }

    func set(_ link: String, _ isConnected: Bool) {
        connected.withLock { links in
            let former = links.isEmpty
            if isConnected { links.insert(link) } else { links.remove(link) }
            if links.isEmpty != former { continuation.yield(!links.isEmpty) }
        }
    }
}
