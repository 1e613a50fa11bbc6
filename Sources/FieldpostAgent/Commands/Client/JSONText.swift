/// A JSON text (RFC 8259) that somebody else wrote: checked and set anew, without being understood. Numbers, strings and
/// the order of members stay as they are.
struct JSONText: Sendable {
    /// Without blanks between its tokens.
    private(set) var compact: [UInt8] = []

    private static let maximumDepth = 200

    /// Nil if the bytes are no JSON text, or one nested deeper than 200.
    init?(_ bytes: some Collection<UInt8>) {
        // Whatever stands in a string is printed: it must be UTF-8.
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        var rest = Array(text.utf8)[...]
        guard value(&rest, depth: 0), next(&rest) == nil else { return nil }
    }

    /// Over several lines, as mosquitto_sub's `--pretty` sets it.
    var pretty: [UInt8] {
        var text: [UInt8] = []
        var open: [UInt8] = []
        var isString = false
        var isEscaped = false
        func newLine() { text += [0x0A] + [UInt8](repeating: 0x09, count: open.count) }
        for (index, byte) in compact.enumerated() {
            guard !isString else {
                text.append(byte)
                if byte == UInt8(ascii: "\""), !isEscaped { isString = false }
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
                continue
            }
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                open.append(byte)
                text.append(byte)
                if byte == UInt8(ascii: "{"), compact[index + 1] != UInt8(ascii: "}") { newLine() }
            case UInt8(ascii: "}"):
                open.removeLast()
                if compact[index - 1] != UInt8(ascii: "{") { newLine() }
                text.append(byte)
            case UInt8(ascii: "]"):
                open.removeLast()
                text.append(byte)
            case UInt8(ascii: ","):
                text.append(byte)
                if open.last == UInt8(ascii: "{") { newLine() } else { text.append(0x20) }
            case UInt8(ascii: ":"): text += [byte, 0x09]
            default:
                isString = byte == UInt8(ascii: "\"")
                text.append(byte)
            }
        }
        return text
    }

    // MARK: Reading

    /// The first byte that is no blank.
    private func next(_ rest: inout ArraySlice<UInt8>) -> UInt8? {
        rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
        return rest.first
    }

    private mutating func take(_ character: Unicode.Scalar, _ rest: inout ArraySlice<UInt8>) -> Bool {
        guard next(&rest) == UInt8(ascii: character) else { return false }
        compact.append(rest.removeFirst())
        return true
    }

    private mutating func value(_ rest: inout ArraySlice<UInt8>, depth: Int) -> Bool {
        guard depth <= Self.maximumDepth else { return false }
        switch next(&rest) {
        case UInt8(ascii: "{"):
            return list("{", "}", &rest) { text, rest in
                text.next(&rest) == UInt8(ascii: "\"") && text.string(&rest) && text.take(":", &rest)
                    && text.value(&rest, depth: depth + 1)
            }
        case UInt8(ascii: "["):
            return list("[", "]", &rest) { text, rest in text.value(&rest, depth: depth + 1) }
        case UInt8(ascii: "\""): return string(&rest)
        case UInt8(ascii: "t"): return word("true", &rest)
        case UInt8(ascii: "f"): return word("false", &rest)
        case UInt8(ascii: "n"): return word("null", &rest)
        default: return number(&rest)
        }
    }

    private mutating func list(
        _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ rest: inout ArraySlice<UInt8>,
        _ member: (inout JSONText, inout ArraySlice<UInt8>) -> Bool
    ) -> Bool {
        guard take(open, &rest) else { return false }
        if take(close, &rest) { return true }
        repeat {
            guard member(&self, &rest) else { return false }
        } while take(",", &rest)
        return take(close, &rest)
    }

    private mutating func string(_ rest: inout ArraySlice<UInt8>) -> Bool {
        compact.append(rest.removeFirst())
        while let byte = rest.popFirst() {
            compact.append(byte)
            switch byte {
            case UInt8(ascii: "\""): return true
            case ..<0x20: return false
            case UInt8(ascii: "\\"):
                guard let escape = rest.popFirst() else { return false }
                compact.append(escape)
                if escape == UInt8(ascii: "u") {
                    let digits = rest.prefix(4)
                    guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else {
                        return false
                    }
                    compact += digits
                    rest = rest.dropFirst(4)
                } else if !"\"\\/bfnrt".utf8.contains(escape) {
                    return false
                }
            default: break
            }
        }
        return false
    }

    private mutating func word(_ word: String, _ rest: inout ArraySlice<UInt8>) -> Bool {
        guard rest.starts(with: word.utf8) else { return false }
        compact += word.utf8
        rest = rest.dropFirst(word.utf8.count)
        return true
    }

    private mutating func number(_ rest: inout ArraySlice<UInt8>) -> Bool {
        if rest.first == UInt8(ascii: "-") { compact.append(rest.removeFirst()) }
        if rest.first == UInt8(ascii: "0") {
            compact.append(rest.removeFirst())
        } else if !digits(&rest) {
            return false
        }
        if rest.first == UInt8(ascii: ".") {
            compact.append(rest.removeFirst())
            guard digits(&rest) else { return false }
        }
        if let sign = rest.first, sign == UInt8(ascii: "e") || sign == UInt8(ascii: "E") {
            compact.append(rest.removeFirst())
            if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
                compact.append(rest.removeFirst())
            }
            guard digits(&rest) else { return false }
        }
        return true
    }

    /// At least one.
    private mutating func digits(_ rest: inout ArraySlice<UInt8>) -> Bool {
        let digits = rest.prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
        compact += digits
        rest = rest.dropFirst(digits.count)
        return !digits.isEmpty
    }
}
