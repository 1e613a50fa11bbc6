/// Why `fieldpost setup` has written nothing.
public struct SetupError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// An answer is missing, or cannot be, and nobody can be asked.
        case usage
        /// Whoever was asked did not want it.
        case declined
        /// The broker does not let us in, or is not reachable.
        case unavailable
        /// A file cannot be read or written, or the input failed.
        case inputOutput
    }

    public var kind: Kind
    public var description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
