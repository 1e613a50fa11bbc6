/// Why a string is no topic name or topic filter (5.0 §4.7, §4.8.2, §1.5.4).
public enum TopicError: Error, Sendable, Hashable {
    case empty
    /// Longer than 65,535 bytes of UTF-8.
    case tooLong(bytes: Int)
    /// U+0000 ([MQTT-4.7.3-2]).
    case containsNUL
    /// `+` or `#` in a topic name ([MQTT-3.3.2-2]).
    case wildcardInName
    /// `+` beside other characters of its level, or `#` elsewhere than alone in the last one ([MQTT-4.7.1-1],
    /// [MQTT-4.7.1-2]). Levels count from 1.
    case misplacedWildcard(level: Int)
    /// `$share/…` without a share name, with a wildcard in it, or without a filter behind it ([MQTT-4.8.2-1], [MQTT-4.8.2-2]).
    case malformedShare
}

extension TopicError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .empty:
            "a topic needs at least one character"
        case .tooLong(let bytes):
            "the topic takes \(bytes) bytes of UTF-8; at most 65,535 are possible"
        case .containsNUL:
            "the topic contains the character U+0000, which MQTT forbids"
        case .wildcardInName:
            "the topic name contains + or #; wildcards are for subscriptions only"
        case .misplacedWildcard(let level):
            "the wildcard in level \(level) is misplaced: + has to fill its level (a/+/b), # the last one (a/#)"
        case .malformedShare:
            "a shared subscription has the form $share/{group}/{filter}, and its group has no + or #"
        }
    }
}

/// The characters that mean something in topics.
enum TopicByte {
    static let separator = UInt8(ascii: "/")
    static let anyLevel = UInt8(ascii: "+")
    static let anyRest = UInt8(ascii: "#")
    static let reserved = UInt8(ascii: "$")
}

extension String {
    /// Throws unless the length is that of a topic.
    func checkTopicLength() throws(TopicError) {
        let count = utf8.count
        if count == 0 { throw .empty }
        if count > Int(UInt16.max) { throw .tooLong(bytes: count) }
    }

    /// Swift's `==` takes canonically equivalent strings for equal; MQTT compares topics byte by byte (5.0 §4.7.3).
    func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }

    /// Goes with ``hasSameBytes(as:)``.
    func hashBytes(into hasher: inout Hasher) {
        var copy = self
        copy.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
