internal import Logging
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Standard output for results, standard error for everything else; each line is there when the call returns, also
/// in a pipe.
public enum Console {
    /// Control characters in the line, which may come from a sensor or a broker, cannot reach the terminal.
    ///
    /// A result that cannot be written ends the program with exit code 74 (sysexits.h); a reader that has gone, as
    /// `head` does, with 0.
    public static func print(_ line: String) {
        guard isOpen(STDOUT_FILENO) else {
            error("standard output is closed")
            exit(74)
        }
        guard let code = write(Array((printable(line) + "\n").utf8), to: STDOUT_FILENO) else { return }
        if code == EPIPE { exit(0) }
        error("standard output: \(String(cString: strerror(code)))")
        exit(74)
    }

    /// What cannot be written here is lost.
    public static func error(_ text: String) { tell(text, as: .error) }

    /// As ``error(_:)``, about what is no obstacle.
    public static func warning(_ text: String) { tell(text, as: .warning) }

    /// - Parameter level: the priority of each line in systemd's journal, if that is what standard error leads to.
    static func tell(_ text: String, as level: Logger.Level) {
        _ = write(Array((errorText(text, as: level) + "\n").utf8), to: STDERR_FILENO)
    }

    /// As ``error(_:)``, for a process that must not wait for whoever reads: what is not taken soon is lost.
    static func mention(_ text: String) {
        LogOutput.standardError.write(errorText(text, as: .error)) { count in
            errorText("\(count) lines of the log are missing here: not read in time", as: .warning)
        }
    }

    /// As it stands in standard error.
    static func errorText(_ text: String, as level: Logger.Level) -> String {
        let text = printable(text)
        return isErrorJournal ? JournalStream.lines(text, level) : text
    }

    /// Whether standard error is systemd's journal.
    static let isErrorJournal =
        AgentConfiguration.currentEnvironment["JOURNAL_STREAM"]
        .flatMap(JournalStream.init(parsing:))?.isOpen(as: STDERR_FILENO) ?? false

    /// Whether the process was started with the descriptor open.
    static func isOpen(_ descriptor: CInt) -> Bool { closed.withLock { !$0.contains(descriptor) } }

    private static let closed = Mutex<Set<CInt>>([])

    /// Gives those of standard input, output and error that the process was started without to `/dev/null`. Otherwise
    /// whatever is opened next, an event queue or a database, has their numbers, and is read from or written to as them.
    ///
    /// To be called before anything else is opened.
    public static func holdDescriptors() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
            // The lowest that is free: those below are not.
            _ = open("/dev/null", O_RDWR)
            closed.withLock { _ = $0.insert(descriptor) }
        }
    }

    /// Without control characters other than tabs and line feeds.
    static func printable(_ text: String) -> String {
        let scalars = text.unicodeScalars.map { scalar in
            scalar != "\n" && scalar != "\t" && scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar
        }
        return String(String.UnicodeScalarView(scalars))
    }

    /// - Returns: what went wrong.
    static func write(_ bytes: [UInt8], to descriptor: CInt) -> CInt? {
        var rest = bytes[...]
        while !rest.isEmpty {
            #if canImport(Glibc)
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            #elseif canImport(Musl)
            let count = rest.withUnsafeBytes { Musl.write(descriptor, $0.baseAddress, $0.count) }
            #else
            let count = rest.withUnsafeBytes { Darwin.write(descriptor, $0.baseAddress, $0.count) }
            #endif
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                return errno
            }
        }
        return nil
    }
}
