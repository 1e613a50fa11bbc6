/// A key that both sides know, in place of certificates (RFC 4279, RFC 8446 §2.2). The key is never printed.
public struct PreSharedKey: Sendable, Hashable {
    /// Names the key to the server; sent in the clear. 1 to 128 bytes of UTF-8 without NUL.
    public var identity: String
    /// 1 to 256 bytes; at least 16 random ones if it is to be worth something.
    public var key: [UInt8]

    public init(identity: String, key: [UInt8]) {
        self.identity = identity
        self.key = key
    }
}

extension PreSharedKey: CustomStringConvertible, CustomReflectable {
    public var description: String { "pre-shared key \(identity)" }
    public var customMirror: Mirror { Mirror(self, children: ["identity": identity]) }
}
