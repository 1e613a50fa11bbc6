internal import NIOCore

/// One direction of one connection: what was read and is not yet written, in order.
struct Pipe {
    /// What passes through a pipe.
    enum Item {
        case bytes(ByteBuffer)
        /// The sender's FIN.
        case end
    }

    /// So many bytes may wait before the sender is not read any more. A sender's last bytes before its FIN, up to a
    /// socket buffer, can exceed it: the event loop reads them in one go.
    static let limit = 256 * 1024

    private var queue: CircularBuffer<(item: Item, due: NIODeadline)> = []
    private(set) var byteCount = 0
    /// The sender has more, or may have, and waits for us to read.
    var isPaused = false
    /// The FIN was handed on; nothing follows.
    var isEnded = false
    /// Wakes the pipe when its first item is due.
    var alarm: Scheduled<Void>?

    var isFull: Bool { byteCount >= Self.limit }
    var nextDue: NIODeadline? { queue.first?.due }

    mutating func append(_ item: Item, due: NIODeadline) {
        // A shorter delay must not let later bytes overtake.
        queue.append((item, max(due, queue.last?.due ?? due)))
        if case .bytes(let buffer) = item { byteCount += buffer.readableBytes }
    }

    /// Takes the first item, of bytes no more than `limit`.
    mutating func take(atMost limit: Int) -> Item? {
        guard let first = queue.first else { return nil }
        guard case .bytes(var buffer) = first.item,
            let part = buffer.readSlice(length: min(limit, buffer.readableBytes))
        else {
            queue.removeFirst()
            return first.item
        }
        if buffer.readableBytes > 0 {
            queue[queue.startIndex].item = .bytes(buffer)
        } else {
            queue.removeFirst()
        }
        byteCount -= part.readableBytes
        return .bytes(part)
    }

    /// Nothing waits longer than until `latest`.
    mutating func hasten(to latest: NIODeadline) {
        for index in queue.indices where queue[index].due > latest {
            queue[index].due = latest
        }
    }

    /// Drops everything that waits.
    ///
    /// - Returns: the bytes dropped, or nil if nothing waited at all.
    mutating func drop() -> Int? {
        guard !queue.isEmpty else { return nil }
        defer {
            queue.removeAll()
            byteCount = 0
        }
        return byteCount
    }
}
