/// What a subscription asks for (5.0 §4.7): a topic in which `+` stands for one level and a last `#` for any number,
/// or, under 5.0, `$share/{group}/{filter}`.
public struct TopicFilter: Sendable, Hashable {
    public let string: String

    /// - Throws: ``TopicError``, which says what is wrong and where.
    public init(_ string: String) throws(TopicError) {
        try TopicError.check(string, wildcardsAllowed: true)
        self.string = string
    }
}

extension TopicFilter: CustomStringConvertible {
    public var description: String { string }
}
