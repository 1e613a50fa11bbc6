/// What a line of an ACL file gives or takes.
struct Access: OptionSet, Sendable, Hashable {
    let rawValue: UInt8

    static let read = Access(rawValue: 1)
    static let write = Access(rawValue: 2)
    /// Neither, whatever other lines give.
    static let denied = Access(rawValue: 4)

    /// By its name in an ACL file.
    init?(keyword: String) {
        switch keyword {
        case "read": self = .read
        case "write": self = .write
        case "readwrite": self = [.read, .write]
        case "deny": self = .denied
        default: return nil
        }
    }

    init(rawValue: UInt8) { self.rawValue = rawValue }
}
