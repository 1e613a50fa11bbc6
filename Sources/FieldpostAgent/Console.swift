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
        guard let code = write(line, to: STDOUT_FILENO) else { return }
        if code == EPIPE { exit(0) }
        error("standard output: \(String(cString: strerror(code)))")
        exit(74)
    }

    /// What cannot be written here is lost.
    public static func error(_ line: String) { _ = write(line, to: STDERR_FILENO) }

    /// - Returns: what went wrong.
    private static func write(_ line: String, to descriptor: CInt) -> CInt? {
        let clean = line.unicodeScalars.map { scalar in
            scalar != "\n" && scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar
        }
        var bytes = Array(String(String.UnicodeScalarView(clean)).utf8)[...]
        bytes.append(UInt8(ascii: "\n"))
        while !bytes.isEmpty {
            #if canImport(Glibc)
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            #elseif canImport(Musl)
            let count = bytes.withUnsafeBytes { Musl.write(descriptor, $0.baseAddress, $0.count) }
            #else
            let count = bytes.withUnsafeBytes { Darwin.write(descriptor, $0.baseAddress, $0.count) }
            #endif
            if count > 0 {
                bytes = bytes.dropFirst(count)
            } else if errno != EINTR {
                return errno
            }
        }
        return nil
    }
}
