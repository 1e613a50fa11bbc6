/// Why a string is no topic name or topic filter (5.0 §4.7, §4.8.2, §1.5.4).
public enum TopicError: Error, Sendable, Hashable {
    case empty
    /// Longer than 65,535 bytes of UTF-8.
    case tooLong(bytes: Int)
    /// U+0000 ([MQTT-4.7.3-2]).
    case containsNUL
    /// `+` or `#` in a topic name ([MQTT-3.3.2-2]).
    case wildcardInName
    /// `+` beside other characters of its level, or `#` elsewhere than alone in the last one ([MQTT-4.7.1-1], [MQTT-4.7.1-2]).
    case misplacedWildcard(level: Int)
    /// `$share/…` without a share name, with a wildcard in it, or without a filter behind it ([MQTT-4.8.2-1], [MQTT-4.8.2-2]).
    case malformedShare

    static func check(_ string: String, wildcardsAllowed: Bool) throws(TopicError) {
        let bytes = string.utf8
        if bytes.isEmpty { throw .empty }
        if bytes.count > 65_535 { throw .tooLong(bytes: bytes.count) }
        for byte in bytes {
            if byte == 0 { throw .containsNUL }
            if !wildcardsAllowed, byte == UInt8(ascii: "+") || byte == UInt8(ascii: "#") { throw .wildcardInName }
        }
    }
}
