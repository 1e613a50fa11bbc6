/// What opens an encrypted private key, or a token's PIN. It is never printed.
public enum Passphrase: Sendable, Hashable {
    /// A file's first line, read when a context is made.
    case file(String)
    case bytes([UInt8])
}

extension Passphrase: CustomStringConvertible, CustomReflectable {
    public var description: String {
        switch self {
        case .file(let path): "the first line of \(path)"
        case .bytes: "<secret>"
        }
    }

    public var customMirror: Mirror { Mirror(self, children: []) }
}
