/// A line that is being typed, byte by byte, as a terminal without its own editing hands them over.
///
/// Backspace, Ctrl-W and Ctrl-U take away, the arrows go through what was typed before; other keys that are no
/// characters do nothing.
struct LineEditor {
    enum Outcome: Sendable, Hashable {
        /// To be drawn anew.
        case changed
        case line(String)
        /// Ctrl-D on an empty line.
        case end
    }

    /// Whole characters, and at the end perhaps the beginning of one.
    private var bytes: [UInt8] = []
    private var history: [String] = []
    /// Where the arrows have gone to in it; its count is the line that is being typed.
    private var place = 0
    private var escape: Escape?
    private enum Escape { case begun, sequence }
    /// Longer lines are cut off.
    private let limit = 64 * 1024

    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// - Returns: nil if nothing can be seen of it.
    mutating func take(_ byte: UInt8) -> Outcome? {
        if escape != nil { return takeEscaped(byte) }
        switch byte {
        case UInt8(ascii: "\r"), UInt8(ascii: "\n"):
            let line = text
            bytes = []
            if !line.isEmpty, line != history.last { history.append(line) }
            if history.count > 100 { history.removeFirst() }
            place = history.count
            return .line(line)
        case 0x04: return bytes.isEmpty ? .end : nil
        case 0x08, 0x7F: return removeCharacter()
        case 0x15:
            bytes = []
            return .changed
        case 0x17:
            while bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
            while let last = bytes.last, last != UInt8(ascii: " ") { bytes.removeLast() }
            return .changed
        case 0x1B:
            escape = .begun
            return nil
        case 0..<0x20: return nil
        default:
            guard bytes.count < limit else { return nil }
            bytes.append(byte)
            return .changed
        }
    }

    private mutating func takeEscaped(_ byte: UInt8) -> Outcome? {
        if escape == .begun, byte == UInt8(ascii: "[") || byte == UInt8(ascii: "O") {
            escape = .sequence
            return nil
        }
        // Parameters go on up to a letter or ~.
        if escape == .sequence, (0x20..<0x40).contains(byte) { return nil }
        let isSequence = escape == .sequence
        escape = nil
        guard isSequence else { return nil }
        switch byte {
        case UInt8(ascii: "A"): return recall(place - 1)
        case UInt8(ascii: "B"): return recall(place + 1)
        default: return nil
        }
    }

    private mutating func recall(_ place: Int) -> Outcome? {
        guard (0...history.count).contains(place), place != self.place else { return nil }
        self.place = place
        bytes = place < history.count ? Array(history[place].utf8) : []
        return .changed
    }

    private mutating func removeCharacter() -> Outcome? {
        guard !bytes.isEmpty else { return nil }
        // Continuation bytes go with the one that they continue.
        while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
        return .changed
    }
}
