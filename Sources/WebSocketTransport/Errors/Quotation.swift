/// What a peer said, fit for a line of text: without control characters, and not long.
func quotation(_ text: some StringProtocol) -> String {
    let limit = 120
    let scalars = text.unicodeScalars.prefix(limit).map { $0.properties.generalCategory == .control ? "." : $0 }
    let more = text.unicodeScalars.dropFirst(limit).isEmpty ? "" : "…"
    return "“" + String(String.UnicodeScalarView(scalars)) + more + "”"
}

/// A peer's bytes, as numbers and as text.
func quotation(of bytes: some Sequence<UInt8>) -> String {
    let shown = Array(bytes.prefix(8))
    let hex = shown.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined(separator: " ")
    let text = shown.map { (0x20..<0x7F).contains($0) ? $0 : UInt8(ascii: ".") }
    return "\(hex) (“\(String(decoding: text, as: UTF8.self))”)"
}
