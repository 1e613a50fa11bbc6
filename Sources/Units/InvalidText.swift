/// Why a text is not what it should be, and what to write instead; for people who write configurations.
public struct InvalidText: Error, Hashable, CustomStringConvertible {
    /// What is wrong, as in `"10" has no unit`.
    public var message: String
    /// What to do about it, as in `write "10s"`.
    public var mend: String?

    public init(_ message: String, mend: String? = nil) {
        self.message = message
        self.mend = mend
    }

    public var description: String { mend.map { "\(message): \($0)" } ?? message }
}
