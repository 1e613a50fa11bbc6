internal import MQTTWire

/// One level of a topic, compared by its bytes as the specification wants it (5.0 §4.7.3).
struct TopicLevel: Hashable, Sendable {
    let bytes: [UInt8]

    static let anyLevel = TopicLevel(bytes: [UInt8(ascii: "+")])
    static let anyRest = TopicLevel(bytes: [UInt8(ascii: "#")])
}

extension String {
    /// Its levels, of which there is at least one.
    var topicLevels: [TopicLevel] {
        utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { TopicLevel(bytes: Array($0)) }
    }

    var topicLevelCount: Int { utf8.reduce(1) { $1 == UInt8(ascii: "/") ? $0 + 1 : $0 } }
}

extension TopicFilter {
    /// What is matched: of a shared subscription the part behind the group.
    var matchedPart: String {
        guard isShared else { return string }
        let rest = string.utf8.drop { $0 != UInt8(ascii: "/") }.dropFirst().drop { $0 != UInt8(ascii: "/") }.dropFirst()
        return String(rest) ?? string
    }
}
