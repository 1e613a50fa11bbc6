/// A password or a key: usable, but never printed.
public struct Secret: Sendable, Hashable {
    public let bytes: [UInt8]

    public init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "<secret>" }
    public var debugDescription: String { description }
    /// So that `dump` and mirrors of what holds it see nothing either.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
