internal import MQTTWire

/// Which messages of a session have come to the queue before, by their numbers, of which a message shows only the packet
/// identifier: the number's remainder by 65,535.
///
/// Numbers rise within a session. A process that was killed may have used some that its successor uses again; then the
/// successor's session begins with lower ones than the last that came to the queue, and all that waits in it has come
/// there.
struct SessionNumbers: Sendable, Hashable {
    private static let round: Int64 = 65_535

    /// Of the last message that has come to the queue; -1: none has.
    private(set) var last: Int64
    /// Messages from this number on cannot have come before this connection.
    private let next: Int64
    /// Of the last message, or below all that can come.
    private var position: Int64
    /// Too many wait for their numbers to be certain.
    private let isUncertain: Bool

    /// - Parameters:
    ///   - next: the number that the session's next message will have.
    ///   - pending: how many messages wait in the session.
    ///   - last: as it was kept with the queue.
    init(next: Int64, pending: Int, last: Int64) {
        self.next = next
        self.last = min(last, next - 1)
        position = next - Self.round / 2
        isUncertain = pending > Self.round / 2
    }

    /// A message has come from the session; it counts as the last now.
    ///
    /// - Returns: false when it came to the queue before.
    mutating func isNew(_ identifier: PacketIdentifier) -> Bool {
        let remainder = Int64(identifier.rawValue) - 1
        let step = (remainder - (position + 1)) % Self.round
        let number = position + 1 + (step < 0 ? step + Self.round : step)
        position = number
        if number < next, number <= last, !isUncertain { return false }
        last = number
        return true
    }
}
