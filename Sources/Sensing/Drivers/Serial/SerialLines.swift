/// Makes lines of what comes in pieces.
struct SerialLines: Sendable {
    private let terminator: [UInt8]
    /// A carriage return before the newline belongs to it.
    private let dropsReturn: Bool
    private let limit: Int
    private var rest: [UInt8] = []
    /// Whether what comes until the next terminator is no line.
    private var skips = false

    /// Lines that were longer than the limit.
    private(set) var overlong = 0

    /// - Parameters:
    ///   - terminator: ends a line; not empty. A newline takes a carriage return before it along.
    ///   - limit: the most bytes that a line may have.
    init(terminator: [UInt8], limit: Int) {
        self.terminator = terminator
        self.limit = limit
        dropsReturn = terminator == [UInt8(ascii: "\n")]
    }

    /// Forgets what has come of a line. `midLine`: and what will come of it.
    mutating func reset(midLine: Bool = false) {
        rest = []
        skips = midLine
    }

    /// - Returns: the lines that have become complete, without their terminators and without empty ones. What is not
    ///   UTF-8, and a NUL, which is what is read of a character with wrong parity, is replaced by U+FFFD.
    mutating func take(_ bytes: [UInt8]) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            rest.append(byte)
            if byte == terminator.last, rest.suffix(terminator.count).elementsEqual(terminator) {
                if !skips, let line = line() { lines.append(line) }
                rest.removeAll(keepingCapacity: true)
                skips = false
            } else if rest.count >= limit + terminator.count {
                if !skips { overlong += 1 }
                // What may be the terminator's beginning stays.
                rest.removeFirst(rest.count - terminator.count)
                skips = true
            }
        }
        return lines
    }

    private func line() -> String? {
        var bytes = rest.dropLast(terminator.count)
        if dropsReturn, bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        if bytes.isEmpty { return nil }
        return String(String(decoding: bytes, as: UTF8.self).map { $0 == "\0" ? "\u{FFFD}" : $0 })
    }
}
