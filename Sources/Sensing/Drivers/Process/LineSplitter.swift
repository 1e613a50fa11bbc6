#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Makes lines of what comes in pieces. Lines that are longer than the limit are dropped and counted; empty ones are
/// nothing.
struct LineSplitter: Sendable {
    let limit: Int
    /// Lines that were too long, since this was last set to 0.
    var overlong = 0

    private var partial: [UInt8] = []
    private var isDropping = false

    init(limit: Int) { self.limit = limit }

    /// What has come of a line that has no end yet.
    var rest: [UInt8] { partial }

    /// The lines that `bytes` complete, without their ends.
    mutating func append(_ bytes: UnsafeRawBufferPointer) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = 0
        while let end = Self.lineEnd(in: bytes, from: start) {
            take(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            start = end + 1
            if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
            if !isDropping, !partial.isEmpty { lines.append(partial) }
            partial.removeAll(keepingCapacity: partial.capacity <= 4096)
            isDropping = false
        }
        take(UnsafeRawBufferPointer(rebasing: bytes[start...]))
        return lines
    }

    /// The C library's search, since a flood is no time to be slow.
    private static func lineEnd(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard let base = bytes.baseAddress, start < bytes.count,
            let found = memchr(base + start, Int32(UInt8(ascii: "\n")), bytes.count - start)
        else { return nil }
        return base.distance(to: found)
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer) {
        guard !isDropping else { return }
        if partial.count + bytes.count > limit {
            isDropping = true
            overlong += 1
            partial.removeAll()
        } else {
            partial.append(contentsOf: bytes)
        }
    }
}
