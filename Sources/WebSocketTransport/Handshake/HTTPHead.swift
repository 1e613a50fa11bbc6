/// The head of an HTTP/1.1 message (RFC 9112 §2.1).
struct HTTPHead: Hashable, Sendable {
    struct Field: Hashable, Sendable {
        /// In small letters.
        var name: String
        var value: String
    }

    var startLine: String
    var fields: [Field]

    /// The values of all fields of a name.
    ///
    /// - Parameter name: in small letters.
    func values(_ name: String) -> [String] {
        fields.filter { $0.name == name }.map(\.value)
    }

    /// The members of fields that are lists (RFC 9110 §5.6.1).
    func list(_ name: String) -> [String] {
        values(name).flatMap { $0.split(separator: ",") }.map { trimmed($0) }.filter { !$0.isEmpty }
    }

    /// Whether a list has a member, in whatever letters.
    func list(_ name: String, has member: String) -> Bool {
        list(name).contains { $0.lowercased() == member }
    }
}

/// Why a head cannot be read.
enum HTTPHeadError: Error, Hashable, Sendable {
    /// It begins with something else than HTTP does.
    case notHTTP([UInt8])
    case tooLong(limit: Int)
    /// A line that is no header.
    case line(String)
}

/// Without spaces and tabs around it.
func trimmed(_ text: some StringProtocol) -> String {
    let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
    guard let first = text.firstIndex(where: { !isBlank($0) }), let last = text.lastIndex(where: { !isBlank($0) })
    else { return "" }
    return String(text[first...last])
}

/// Whether bytes may be a header's name (RFC 9110 §5.6.2).
func isToken(_ bytes: some Collection<UInt8>) -> Bool {
    !bytes.isEmpty && bytes.allSatisfy { isAlphanumeric($0) || "!#$%&'*+-.^_`|~".utf8.contains($0) }
}

func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"):
        true
    default: false
    }
}

/// Whether bytes may be a header's value: no line breaks and no other control characters (RFC 9110 §5.5).
func isFieldValue(_ bytes: some Collection<UInt8>) -> Bool {
    bytes.allSatisfy { $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }
}
