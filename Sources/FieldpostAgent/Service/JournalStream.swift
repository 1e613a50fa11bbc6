internal import Logging

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// systemd's journal at the other end of a stream: it knows the time of each line itself, and takes `<4>` at its
/// beginning for a priority (sd-daemon(3)).
struct JournalStream: Sendable, Hashable {
    private let device: UInt64
    private let inode: UInt64

    /// - Parameter text: `JOURNAL_STREAM`, as in `9:184512` (systemd.exec(5)): the device and the inode of the stream.
    init?(parsing text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let device = UInt64(parts[0]), let inode = UInt64(parts[1]) else { return nil }
        (self.device, self.inode) = (device, inode)
    }

    /// Whether it is what this descriptor leads to; it may have been led elsewhere, or the variable be inherited.
    func isOpen(as descriptor: CInt) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && UInt64(status.st_dev) == device && UInt64(status.st_ino) == inode
    }

    /// `text` with the priority in front of each of its lines.
    static func lines(_ text: String, _ level: Logger.Level) -> String {
        text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .map { "<\(level.journalPriority)>\($0)" }
            .joined(separator: "\n")
    }
}

extension Logger.Level {
    /// syslog(3)'s.
    fileprivate var journalPriority: Int {
        switch self {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}
