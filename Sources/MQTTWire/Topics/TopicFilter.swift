/// What a subscription asks for (5.0 §4.7): a topic in which `+` stands for one level and a last `#` for any number,
/// or `$share/{group}/{filter}` (5.0 §4.8.2; common servers know it under 3.1.1 too).
///
/// Filters are equal when their bytes are.
public struct TopicFilter: Sendable {
    public let string: String

    /// - Throws: ``TopicError``, which says what is wrong and where.
    public init(_ string: String) throws(TopicError) {
        try string.checkTopicLength()
        try Self.checkLevels(of: string)
        self.string = string
    }

    /// `+` or `#` somewhere in it.
    public var hasWildcards: Bool {
        string.utf8.contains { $0 == TopicByte.anyLevel || $0 == TopicByte.anyRest }
    }

    /// A shared subscription: the group's members get each message once between them.
    public var isShared: Bool { Self.isShared(string) }

    /// The group in `$share/{group}/{filter}`; nil for a subscription that is not shared.
    public var shareName: String? {
        guard isShared else { return nil }
        return String(string.utf8.dropFirst(Self.sharePrefix.count).prefix { $0 != TopicByte.separator })
    }

    /// True when messages with this name belong to the subscription (5.0 §4.7.1, §4.7.2). Of a shared subscription
    /// the filter behind the group counts. Takes time in proportion to the name's length and allocates nothing.
    public func matches(_ name: TopicName) -> Bool {
        var filter = string.utf8.makeIterator()
        if isShared { Self.skipShare(&filter) }
        var topic = name.string.utf8.makeIterator()
        var wanted = filter.next()
        var given = topic.next()
        if given == TopicByte.reserved, wanted == TopicByte.anyLevel || wanted == TopicByte.anyRest { return false }
        while true {
            if wanted == TopicByte.anyRest { return true }
            if wanted == TopicByte.anyLevel {
                while let byte = given, byte != TopicByte.separator { given = topic.next() }
                wanted = filter.next()
                continue
            }
            guard wanted == given else {
                // `a/#` takes in `a` itself.
                return given == nil && wanted == TopicByte.separator && filter.next() == TopicByte.anyRest
            }
            if wanted == nil { return true }
            wanted = filter.next()
            given = topic.next()
        }
    }

    private static let sharePrefix = "$share/".utf8

    private static func isShared(_ string: String) -> Bool {
        string.utf8.first == TopicByte.reserved && string.utf8.starts(with: sharePrefix)
    }

    private static func skipShare(_ bytes: inout String.UTF8View.Iterator) {
        var separators = 0
        while separators < 2, let byte = bytes.next() {
            if byte == TopicByte.separator { separators += 1 }
        }
    }

    private static func checkLevels(of string: String) throws(TopicError) {
        let shared = isShared(string)
        var level = 1
        var length = 0
        var wildcard: UInt8?
        for byte in string.utf8 {
            switch byte {
            case 0: throw .containsNUL
            case TopicByte.separator:
                if shared, level == 2, length == 0 { throw .malformedShare }
                if wildcard == TopicByte.anyRest { throw .misplacedWildcard(level: level) }
                level += 1
                length = 0
                wildcard = nil
            case TopicByte.anyLevel, TopicByte.anyRest:
                if shared, level == 2 { throw .malformedShare }
                if length > 0 { throw .misplacedWildcard(level: level) }
                wildcard = byte
                length = 1
            default:
                if wildcard != nil { throw .misplacedWildcard(level: level) }
                length += 1
            }
        }
        if shared, level == 2 || level == 3 && length == 0 { throw .malformedShare }
    }
}

extension TopicFilter: Hashable {
    public static func == (left: Self, right: Self) -> Bool { left.string.hasSameBytes(as: right.string) }
    public func hash(into hasher: inout Hasher) { string.hashBytes(into: &hasher) }
}

extension TopicFilter: CustomStringConvertible {
    public var description: String { string }
}
