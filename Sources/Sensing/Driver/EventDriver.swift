public import Units

/// A driver whose device speaks for itself: an edge on a line, a line of text, a plugin's event.
///
/// Nothing polls for it: the runner waits, with all other sensors' descriptors, until the device's is readable. Beside
/// that the sensor is read once at the start and, if its table says `every`, on that grid.
///
///     open → (descriptor readable) → receive → … ; open again after every read, receive and set
public protocol EventDriver: SensorDriver {
    /// Whether, with the options given, the device is listened to; if not, the sensor is only read.
    var listens: Bool { get }

    /// Makes sure that the device is open. Does nothing when it is.
    ///
    /// - Returns: the descriptor that is readable when there is something to receive. It stays open until a call of this
    ///   driver closes it, and belongs to this driver alone.
    /// - Throws: why there is no device to listen to; it is tried again after a while.
    mutating func open(at now: Timestamp) throws(SensorError) -> Int32

    /// Takes what has come, all of it or a good part: as long as something is left it is called again.
    ///
    /// Called when the descriptor was readable, on a thread that may block; it should not wait for more. Several
    /// measurements of one channel are allowed, oldest first.
    /// - Throws: what went wrong. A driver whose device is gone closes it first, so that ``open(at:)`` looks for it anew.
    ///   What had come before goes into ``SensorError/measured``.
    mutating func receive(at now: Timestamp) throws(SensorError) -> [Measurement]
}
