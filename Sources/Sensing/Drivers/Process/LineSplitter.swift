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
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            take(rest[..<end])
            rest = rest[(end + 1)...]
            if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
            if !isDropping, !partial.isEmpty { lines.append(partial) }
            partial.removeAll(keepingCapacity: partial.capacity <= 4096)
            isDropping = false
        }
        take(rest)
        return lines
    }

    private mutating func take(_ bytes: Slice<UnsafeRawBufferPointer>) {
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
