/// An edge, as the kernel tells of it: `struct gpio_v2_line_event` of <linux/gpio.h>.
struct LineEvent: Sendable, Hashable {
    static let size = 48

    /// By CLOCK_MONOTONIC, in nanoseconds. For a line that the kernel debounces in software: when it had settled.
    var time: UInt64
    /// Whether the line became active; active is low where the request says so.
    var isRising: Bool
    /// Counts the edges of this request's line from 1, whether they are read or not; wraps around.
    var number: UInt32

    /// Those that lie in what was read, one behind the other. What is neither a rising nor a falling edge is left out,
    /// which the next one's number will tell.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> [LineEvent] {
        stride(from: 0, through: bytes.count - size, by: size).compactMap { start in
            let id = bytes.loadUnaligned(fromByteOffset: start + 8, as: UInt32.self)
            guard id == 1 || id == 2 else { return nil }
            // With one line to a request its own number (at 20) and the request's (at 16) are the same.
            return LineEvent(
                time: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self), isRising: id == 1,
                number: bytes.loadUnaligned(fromByteOffset: start + 20, as: UInt32.self))
        }
    }
}
