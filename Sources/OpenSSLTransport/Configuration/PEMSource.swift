/// Where text in PEM form (RFC 7468) comes from.
public enum PEMSource: Sendable, Hashable {
    /// A file, read again whenever a context is made.
    case file(String)
    /// The text itself.
    case bytes([UInt8])
}

extension PEMSource: CustomStringConvertible, CustomReflectable {
    /// The file's path. Of bytes only their number, since they may be a private key.
    public var description: String {
        switch self {
        case .file(let path): path
        case .bytes(let bytes): "\(bytes.count) bytes of PEM text"
        }
    }

    public var customMirror: Mirror { Mirror(self, children: []) }
}
