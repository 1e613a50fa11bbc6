/// The name that a message is published under (5.0 §4.7): 1 to 65,535 bytes of UTF-8 without NUL, `+` or `#`.
///
/// Names are equal when their bytes are.
public struct TopicName: Sendable {
    public let string: String

    /// - Throws: ``TopicError``, which says what is wrong and where.
    public init(_ string: String) throws(TopicError) {
        try string.checkTopicLength()
        for byte in string.utf8 {
            if byte == 0 { throw .containsNUL }
            if byte == TopicByte.anyLevel || byte == TopicByte.anyRest { throw .wildcardInName }
        }
        self.string = string
    }

    /// Topics that begin with `$` belong to the server; wildcards at the first level pass them by (5.0 §4.7.2).
    public var isReserved: Bool { string.utf8.first == TopicByte.reserved }
}

extension TopicName: Hashable {
    public static func == (left: Self, right: Self) -> Bool { left.string.hasSameBytes(as: right.string) }
    public func hash(into hasher: inout Hasher) { string.hashBytes(into: &hasher) }
}

extension TopicName: CustomStringConvertible {
    public var description: String { string }
}
