/// The name that a message is published under (5.0 §4.7): 1 to 65,535 bytes of UTF-8 without NUL, `+` or `#`.
public struct TopicName: Sendable, Hashable {
    public let string: String

    /// - Throws: ``TopicError``, which says what is wrong and where.
    public init(_ string: String) throws(TopicError) {
        try TopicError.check(string, wildcardsAllowed: false)
        self.string = string
    }

    /// Topics that begin with `$` belong to the server; wildcards at the first level pass them by (5.0 §4.7.2).
    public var isReserved: Bool { string.utf8.first == UInt8(ascii: "$") }
}

extension TopicName: CustomStringConvertible {
    public var description: String { string }
}
