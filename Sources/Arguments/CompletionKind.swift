/// What a shell offers as a value.
public enum CompletionKind: Sendable, Equatable {
    /// What the value's type knows: its cases, or nothing.
    case `default`
    /// These words.
    case list([String])
    /// Files with these extensions, or all if there are none; and the way to them.
    case file(extensions: [String] = [])
    case directory
}
