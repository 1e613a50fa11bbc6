internal import NIOPosix

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Standard output as it is, bytes and all; written on a thread of its own, which whoever reads a pipe slowly may hold up.
final class Output: Sendable {
    /// The reader of the pipe has gone, as `head` does.
    struct ReaderGone: Error {}

    let isTerminal = isatty(STDOUT_FILENO) == 1
    private let thread = NIOThreadPool(numberOfThreads: 1)

    init() throws(CommandFailure) {
        guard Console.isOpen(STDOUT_FILENO) else { throw CommandFailure(.inputOutput, "standard output is closed") }
        signal(SIGPIPE, SIG_IGN)
        thread.start()
    }

    deinit { thread.shutdownGracefully { _ in } }

    /// Returns when all of it is written.
    ///
    /// - Throws: ``ReaderGone`` or ``CommandFailure``.
    func write(_ bytes: [UInt8]) async throws {
        try await thread.runIfActive {
            switch Console.write(bytes, to: STDOUT_FILENO) {
            case nil: break
            case EPIPE: throw ReaderGone()
            case let code?: throw CommandFailure(.inputOutput, "standard output: \(String(cString: strerror(code)))")
            }
        }
    }
}
