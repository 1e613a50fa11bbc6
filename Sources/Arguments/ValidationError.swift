/// Arguments that make no sense, alone or together; shown with the usage, and the exit code is 64.
public struct ValidationError: Error, Sendable, CustomStringConvertible {
    /// Names the option, and what it may be.
    public var message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}
