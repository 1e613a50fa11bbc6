#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

extension ParsableCommand {
    /// Does what the arguments say, and ends the process; the only place here that prints or ends anything.
    ///
    /// Not an `async` main: that one would leave the main thread by `pthread_exit`, which unwinds its stack, and a
    /// static file without unwinding tables (4 MB of .eh_frame) would be aborted there. So the main thread waits, and
    /// takes part in nothing but in receiving signals.
    ///
    /// - Parameter arguments: what stands behind the program's name.
    public static func main(_ arguments: [String]) -> Never {
        // The main thread's own priority would have threads of its own beside the others.
        Task(priority: .medium) {
            exit(await execute(arguments).rawValue)
        }
        while true { pause() }
    }

    public static func main() -> Never { main(Array(CommandLine.arguments.dropFirst())) }

    private static func execute(_ arguments: [String]) async -> ExitCode {
        switch invocation(of: arguments, width: Terminal.width) {
        case .command(var command):
            do {
                if var command = command as? any AsyncParsableCommand {
                    try await command.run()
                } else {
                    try command.run()
                }
                return .success
            } catch let code as ExitCode {
                return code
            } catch let error as ValidationError {
                let command = Command(root: Self.self).resolve(arguments).command
                put("\(command.misuse(error.message, width: Terminal.width).text)\n", to: STDERR_FILENO)
                return .validationFailure
            } catch {
                put("Error: \(error)\n", to: STDERR_FILENO)
                return .failure
            }
        case .text(let text):
            guard let code = put("\(text)\n", to: STDOUT_FILENO), code != EPIPE else { return .success }
            put("standard output: \(String(cString: strerror(code)))\n", to: STDERR_FILENO)
            // EX_IOERR of sysexits.h.
            return ExitCode(74)
        case .misuse(let misuse):
            put("\(misuse.text)\n", to: STDERR_FILENO)
            return .validationFailure
        }
    }
}

/// - Returns: what went wrong, as in errno.
@discardableResult private func put(_ text: String, to descriptor: CInt) -> CInt? {
    let bytes = Array(text.utf8)
    var start = 0
    while start < bytes.count {
        let count = bytes[start...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count > 0 {
            start += count
        } else if errno != EINTR {
            return errno
        }
    }
    return nil
}
