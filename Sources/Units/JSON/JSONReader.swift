/// Reads JSON as RFC 8259 has it, and nothing beside: no comments, no trailing commas, no NaN, no lone surrogates.
///
/// Bounded in depth; whoever has the bytes bounds their number. A number that no double can hold is an error.
public struct JSONReader {
    public static let maximumDepth = 32

    private let bytes: ArraySlice<UInt8>
    private var index: Int

    /// - Throws: what is wrong, and at which byte.
    public static func value(_ bytes: ArraySlice<UInt8>) throws(InvalidText) -> JSON {
        var reader = JSONReader(bytes)
        let value = try reader.value(depth: 0)
        reader.skipBlanks()
        guard reader.next == nil else { throw reader.wrong("something behind its end") }
        return value
    }

    private init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        index = bytes.startIndex
    }

    private var next: UInt8? { index < bytes.endIndex ? bytes[index] : nil }

    private func wrong(_ what: String) -> InvalidText {
        InvalidText("is no JSON: \(what) at byte \(index - bytes.startIndex + 1)")
    }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { index += 1 }
    }

    /// Takes the byte if it comes next, behind blanks.
    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard next == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func value(depth: Int) throws(InvalidText) -> JSON {
        guard depth < Self.maximumDepth else { throw wrong("nesting deeper than \(Self.maximumDepth)") }
        skipBlanks()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw wrong("an end")
        default: return .number(try number())
        }
    }

    private mutating func object(depth: Int) throws(InvalidText) -> JSON {
        index += 1
        var members: [JSON.Member] = []
        if take("}") { return .object(members) }
        repeat {
            skipBlanks()
            guard next == UInt8(ascii: "\"") else { throw wrong("no member's name") }
            let name = try string()
            guard take(":") else { throw wrong("no colon") }
            members.append(JSON.Member(name, try value(depth: depth + 1)))
        } while take(",")
        guard take("}") else { throw wrong("no comma or brace") }
        return .object(members)
    }

    private mutating func array(depth: Int) throws(InvalidText) -> JSON {
        index += 1
        var elements: [JSON] = []
        if take("]") { return .array(elements) }
        repeat { elements.append(try value(depth: depth + 1)) } while take(",")
        guard take("]") else { throw wrong("no comma or bracket") }
        return .array(elements)
    }

    private mutating func word(_ word: String, _ value: JSON) throws(InvalidText) -> JSON {
        guard bytes[index...].starts(with: word.utf8) else { throw wrong("an unknown word") }
        index += word.utf8.count
        return value
    }

    private mutating func number() throws(InvalidText) -> Double {
        let start = index
        if next == UInt8(ascii: "-") { index += 1 }
        if next == UInt8(ascii: "0") { index += 1 } else { try digits() }
        if next == UInt8(ascii: ".") {
            index += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            index += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { index += 1 }
            try digits()
        }
        guard let number = Double(String(decoding: bytes[start..<index], as: UTF8.self)), number.isFinite else {
            throw wrong("a number out of range")
        }
        return number
    }

    /// At least one.
    private mutating func digits() throws(InvalidText) {
        let start = index
        while let byte = next, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte { index += 1 }
        guard index > start else { throw wrong("no digit") }
    }

    private mutating func string() throws(InvalidText) -> String {
        index += 1
        var text: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw wrong("a string not in UTF-8") }
                return string
            case UInt8(ascii: "\\"): text += try escaped()
            case ..<0x20: throw wrong("a control character in a string")
            default: text.append(byte)
            }
        }
        throw wrong("a string without an end")
    }

    private mutating func escaped() throws(InvalidText) -> [UInt8] {
        guard let byte = next else { throw wrong("an escape without an end") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): return Array(String(try scalar()).utf8)
        default: throw wrong("an unknown escape")
        }
    }

    /// A scalar beyond the basic plane is written as two surrogates.
    private mutating func scalar() throws(InvalidText) -> Unicode.Scalar {
        let first = try codeUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard UTF16.isLeadSurrogate(UInt16(first)), next == UInt8(ascii: "\\") else {
            throw wrong("half a surrogate pair")
        }
        index += 1
        guard next == UInt8(ascii: "u") else { throw wrong("half a surrogate pair") }
        index += 1
        let second = try codeUnit()
        guard UTF16.isTrailSurrogate(UInt16(second)),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw wrong("half a surrogate pair") }
        return scalar
    }

    /// Four hexadecimal digits, so at most 0xFFFF.
    private mutating func codeUnit() throws(InvalidText) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw wrong("an escape without four hexadecimal digits")
            }
            unit = unit << 4 + UInt32(digit)
            index += 1
        }
        return unit
    }
}
