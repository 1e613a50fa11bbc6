internal import Units

/// What a name must be to stand between two slashes of a topic, and as an MQTT client identifier.
enum TopicLevel {
    /// In bytes.
    static let maximumLength = 128

    /// - Throws: ``InvalidText`` if `text` is empty, longer than ``maximumLength``, or holds `/`, `+`, `#` or a control character.
    static func check(_ text: String) throws(InvalidText) -> String {
        let mend = "it becomes a part of topics: use letters, digits, - and _"
        if text.isEmpty { throw InvalidText("is empty", mend: mend) }
        if text.utf8.count > maximumLength { throw InvalidText("is longer than \(maximumLength) bytes", mend: mend) }
        if let bad = text.first(where: { "/+#".contains($0) }) {
            throw InvalidText("\"\(text)\" holds \"\(bad)\"", mend: mend)
        }
        try checkControlCharacters(text)
        return text
    }

    /// MQTT lets a server close the connection over these (5.0 §1.5.4).
    static func checkControlCharacters(_ text: String) throws(InvalidText) {
        if text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
            throw InvalidText("holds a control character", mend: "take it out")
        }
    }
}
