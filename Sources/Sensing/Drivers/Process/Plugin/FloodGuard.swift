/// How much a plugin may say: what is beyond a second's share is dropped and counted, and who goes on and on is hopeless.
/// A value: time is a parameter.
struct FloodGuard: Sendable {
    /// A second's share.
    static let messageLimit = 1000
    static let byteLimit = 1024 * 1024
    /// So many seconds with more than their share, one after the other, are a flood for ever.
    static let patience = 10
    /// Nobody says as much in one second who means it.
    static let hopelessBytes = 16 * 1024 * 1024

    /// Messages that were not admitted, since this was last set to 0.
    var dropped = 0

    private var secondBegan: ContinuousClock.Instant?
    private var messages = 0
    private var bytes = 0
    private var fullSeconds = 0

    var isHopeless: Bool { fullSeconds >= Self.patience || bytes > Self.hopelessBytes }

    /// So much was read, whatever it is.
    mutating func note(bytes count: Int, at now: ContinuousClock.Instant) {
        if let secondBegan, secondBegan.duration(to: now) < .seconds(1) {
            bytes += count
            return
        }
        let isNext = secondBegan.map { $0.duration(to: now) < .seconds(2) } ?? false
        let wasFull = messages > Self.messageLimit || bytes > Self.byteLimit
        fullSeconds = isNext && wasFull ? fullSeconds + 1 : 0
        secondBegan = now
        messages = 0
        bytes = count
    }

    /// Whether a message of what was noted last is to be looked at.
    mutating func admits() -> Bool {
        messages += 1
        if messages <= Self.messageLimit, bytes <= Self.byteLimit { return true }
        dropped += 1
        return false
    }
}
